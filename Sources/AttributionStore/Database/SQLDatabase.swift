import Base

/// A value on its way into a statement.
package enum SQLValue: Sendable, Equatable {
    case null
    case text(String)
    case integer(Int64)
    case double(Double)
    case bytes([UInt8])

    /// A text, or NULL.
    package init(_ text: String?) { self = text.map { .text($0) } ?? .null }
}

/// The rows of a query, one at a time. Columns count from 0.
package protocol SQLCursor: AnyObject {
    func next() throws(ImpactError) -> Bool
    /// nil for NULL. Lives on after the next row.
    func text(_ column: Int) -> String?
    /// nil for NULL and for what is not a number.
    func double(_ column: Int) -> Double?
    /// nil for NULL and for what is not a value of ``SQLDatabase/bytesType``.
    func bytes(_ column: Int) -> [UInt8]?
}

/// Rows on their way into a table.
package protocol SQLInsertion: AnyObject {
    func add(_ values: [SQLValue]) throws(ImpactError)
    /// Sends what is buffered; the insertion takes no more rows.
    func finish() throws(ImpactError)
}

/// A database with the tables of a marketing team. For one thread.
///
/// Both kinds take `$1`, `$2`, … as parameters, each used once and in order.
package protocol SQLDatabase: AnyObject {
    /// What messages call it; no secrets.
    var place: String { get }
    /// Begins a transaction; with `writing` it takes the write lock at once where the database has one.
    func begin(writing: Bool) throws(ImpactError)
    func commit() throws(ImpactError)
    /// Keeps other writers of a table away until the transaction ends; where `begin` did not do that already.
    func lock(_ table: String) throws(ImpactError)
    /// Undoes the transaction; never fails.
    func rollback()
    func execute(_ sql: String) throws(ImpactError)
    func run(_ sql: String, _ parameters: [SQLValue]) throws(ImpactError)
    func query(_ sql: String, _ parameters: [SQLValue]) throws(ImpactError) -> any SQLCursor
    /// - Parameter suffix: what stands after the values: `ON CONFLICT …`.
    func insertion(
        into table: String, columns: [String], suffix: String
    ) throws(ImpactError) -> any SQLInsertion
    /// The table's columns in lower case; none when there is no such table.
    func columns(of table: String) throws(ImpactError) -> [String]
    /// The columns of each key and unique index of a table, in lower case.
    func uniqueKeys(of table: String) throws(ImpactError) -> [[String]]
    /// An expression that orders text by its bytes.
    func byBytes(_ expression: String) -> String
    /// A column of any type, to be compared with text.
    func asText(_ column: String) -> String
    /// What stands behind CREATE TABLE (…) for rows that lie in the order of their primary key, where there is such a thing.
    var clusters: String { get }
    /// The type of a column of bytes.
    var bytesType: String { get }
    /// - Throws: `database_away` when what was opened is not there any more.
    func checkPlace() throws(ImpactError)
}

extension SQLDatabase {
    /// Runs `body` in a transaction that is undone when it throws.
    package func transaction<Result>(
        writing: Bool, _ body: () throws(ImpactError) -> Result
    ) throws(ImpactError) -> Result {
        try begin(writing: writing)
        do throws(ImpactError) {
            let result = try body()
            try commit()
            return result
        } catch {
            rollback()
            throw error
        }
    }

    /// The first column of the first row.
    package func value(_ sql: String, _ parameters: [SQLValue] = []) throws(ImpactError) -> String? {
        let cursor = try query(sql, parameters)
        return try cursor.next() ? cursor.text(0) : nil
    }
}

/// Opens databases by their place.
package enum SQLPlace {
    /// Whether another try may succeed: the database is locked, away or full.
    package static func isPassing(_ error: ImpactError) -> Bool {
        ["database_locked", "database_away", "database_full"].contains(error.code)
    }

    /// - Parameters:
    ///   - place: `sqlite:PATH` or `postgresql://…`.
    ///   - creates: whether an SQLite file that is not there is made.
    ///   - lockWait: how long to wait for another process's lock, milliseconds.
    package static func open(
        _ place: String, creates: Bool, lockWait: Int64 = 5_000
    ) throws(ImpactError) -> any SQLDatabase {
        if place.hasPrefix("sqlite:") {
            return try SQLiteDatabase(path: String(place.dropFirst(7)), creates: creates, lockWait: lockWait)
        }
        if place.hasPrefix("postgresql://") || place.hasPrefix("postgres://") {
            return try PostgreSQLDatabase(url: place, lockWait: lockWait)
        }
        throw ImpactError(
            .usage, code: "unknown_place",
            "'\(place.prefix(40))' is not a database: write sqlite:PATH or postgresql://user@host/database")
    }
}
