import Base
import CPostgres
import Foundation

/// A team's PostgreSQL database.
package final class PostgreSQLDatabase: SQLDatabase {
    package let place: String
    private let handle: OpaquePointer
    private let secrets: [String]
    private var cursors = 0

    package init(url: String, lockWait: Int64 = 5_000) throws(ImpactError) {
        let (place, secrets) = try Self.describe(url)
        self.place = place
        self.secrets = secrets
        let settings = [
            ("dbname", url), ("fallback_application_name", "impactiq"), ("client_encoding", "UTF8"),
            ("connect_timeout", "10"),
        ]
        let copies = settings.flatMap { [strdup($0.0), strdup($0.1)] }
        defer { for copy in copies { free(copy) } }
        let keywords = stride(from: 0, to: copies.count, by: 2).map { UnsafePointer(copies[$0]) } + [nil]
        let values = stride(from: 1, to: copies.count, by: 2).map { UnsafePointer(copies[$0]) } + [nil]
        guard let connection = PQconnectdbParams(keywords, values, 1) else {
            throw ImpactError(.failed, code: "database_open", "\(place): no memory for a connection")
        }
        handle = connection
        PQsetNoticeProcessor(handle, { _, _ in }, nil)
        guard PQstatus(handle) == CONNECTION_OK else {
            let said = message()
            throw ImpactError(.failed, code: "database_away", "cannot connect to \(place): \(said)")
        }
        try execute("SET lock_timeout = \(max(1, lockWait)); SET extra_float_digits = 3")
    }

    deinit { PQfinish(handle) }

    /// The URL without its password, and what must not appear in a message.
    private static func describe(_ url: String) throws(ImpactError) -> (String, [String]) {
        var said: UnsafeMutablePointer<CChar>?
        // With an @ in the password its end would be read as the host's name, and stand in messages.
        let authority = url.split(separator: "://", maxSplits: 1).last?.prefix { !"/?".contains($0) } ?? ""
        guard authority.count(where: { $0 == "@" }) <= 1, let options = PQconninfoParse(url, &said) else {
            PQfreemem(said)
            throw ImpactError(
                .usage, code: "database_url",
                "the postgresql:// URL cannot be read: percent-encode what is special in it (in a password a / is %2F, an "
                    + "@ is %40)")
        }
        defer { PQconninfoFree(options) }
        var values: [String: String] = [:]
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { values[String(cString: keyword)] = String(cString: value) }
            option += 1
        }
        let host = values["host"] ?? values["hostaddr"] ?? "localhost"
        let place = "postgresql://\(host)" + (values["port"].map { ":\($0)" } ?? "") + "/" + (values["dbname"] ?? "")
        // To hide a letter or two wherever they stand would tell them.
        return (place, [values["password"]].compactMap { $0 }.filter { $0.count > 3 })
    }

    package func begin(writing: Bool) throws(ImpactError) {
        // One snapshot for all reads of a run.
        try execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    }
    package func commit() throws(ImpactError) { try execute("COMMIT") }
    package func lock(_ table: String) throws(ImpactError) { try execute("LOCK TABLE \(table) IN EXCLUSIVE MODE") }
    package func rollback() { PQclear(PQexec(handle, "ROLLBACK")) }

    package func execute(_ sql: String) throws(ImpactError) { PQclear(try checked(PQexec(handle, sql))) }

    package func run(_ sql: String, _ parameters: [SQLValue]) throws(ImpactError) {
        PQclear(try send(sql, parameters))
    }

    package func query(_ sql: String, _ parameters: [SQLValue]) throws(ImpactError) -> any SQLCursor {
        // Outside a transaction there are no cursors: such queries are small.
        guard PQtransactionStatus(handle) == PQTRANS_INTRANS else {
            return PostgreSQLRows(self, cursor: nil, try send(sql, parameters))
        }
        cursors += 1
        let name = "impactiq_\(cursors)"
        PQclear(try send("DECLARE \(name) NO SCROLL CURSOR FOR \(sql)", parameters))
        return PostgreSQLRows(self, cursor: name, nil)
    }

    package func insertion(
        into table: String, columns: [String], suffix: String
    ) throws(ImpactError) -> any SQLInsertion {
        // A team's table may have a date where ours has text: every value is cast to the type of its column.
        let rows = PostgreSQLRows(
            self, cursor: nil,
            try send(
                """
                SELECT lower(attname), format_type(atttypid, atttypmod) FROM pg_attribute \
                WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped
                """, [.text(table)]))
        var types: [String: String] = [:]
        while try rows.next() { types[rows.text(0) ?? ""] = rows.text(1) }
        return PostgreSQLInsertion(self, table, columns, suffix, columns.map { types[$0] ?? "text" })
    }

    package func columns(of table: String) throws(ImpactError) -> [String] {
        let rows = PostgreSQLRows(
            self, cursor: nil,
            try send(
                "SELECT lower(attname) FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped",
                [.text(table)]))
        var columns: [String] = []
        while try rows.next() { columns.append(rows.text(0) ?? "") }
        return columns
    }

    package func uniqueKeys(of table: String) throws(ImpactError) -> [[String]] {
        let rows = PostgreSQLRows(
            self, cursor: nil,
            try send(
                """
                SELECT string_agg(lower(a.attname), ',') FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid \
                AND a.attnum = ANY(i.indkey) WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indpred IS NULL \
                GROUP BY i.indexrelid
                """, [.text(table)]))
        var keys: [[String]] = []
        while try rows.next() { keys.append((rows.text(0) ?? "").split(separator: ",").map(String.init)) }
        return keys
    }

    package func byBytes(_ expression: String) -> String { "CAST(\(expression) AS text) COLLATE \"C\"" }
    package func asText(_ column: String) -> String { "CAST(\(column) AS text)" }
    package var clusters: String { "" }
    package var bytesType: String { "BYTEA" }
    package func checkPlace() {}

    /// Sends one statement and gives its result, which the caller clears.
    func send(_ sql: String, _ parameters: [SQLValue]) throws(ImpactError) -> OpaquePointer? {
        let copies = parameters.map { value -> UnsafeMutablePointer<CChar>? in
            switch value {
            case .null: nil
            case .text(let text): strdup(text)
            case .integer(let number): strdup(String(number))
            case .double(let number): strdup("\(number)")
            case .bytes(let bytes): strdup(Self.hexadecimal(bytes))
            }
        }
        defer { for copy in copies { free(copy) } }
        let pointers = copies.map { UnsafePointer($0) }
        return try checked(PQexecParams(handle, sql, Int32(pointers.count), nil, pointers, nil, nil, 0))
    }

    /// Bytes as text, as PostgreSQL reads and writes them.
    static func hexadecimal(_ bytes: [UInt8]) -> String {
        String(unsafeUninitializedCapacity: 2 + 2 * bytes.count) { text in
            (text[0], text[1]) = (0x5C, 0x78)
            for (index, byte) in bytes.enumerated() {
                let (high, low) = (byte >> 4, byte & 15)
                text[2 + 2 * index] = high < 10 ? 0x30 + high : 0x57 + high
                text[3 + 2 * index] = low < 10 ? 0x30 + low : 0x57 + low
            }
            return 2 + 2 * bytes.count
        }
    }

    private func checked(_ result: OpaquePointer?) throws(ImpactError) -> OpaquePointer? {
        let status = PQresultStatus(result)
        if status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK { return result }
        let state = PQresultErrorField(result, Int32(UInt8(ascii: "C"))).map { String(cString: $0) } ?? ""
        PQclear(result)
        let said = message()
        // Connections, resources, the operator, and transactions that met: SQLSTATE classes 08, 53, 57 and 40.
        let isPassing = state != "57014" && ["08", "53", "57", "40"].contains(state.prefix(2))
        if PQstatus(handle) != CONNECTION_OK || isPassing {
            throw ImpactError(.failed, code: "database_away", "\(place): \(said)")
        }
        if state == "55P03" || state == "57014" {
            throw ImpactError(
                .failed, code: "database_locked",
                "\(place): a table is locked by another session: nothing was changed. Try again, or wait longer with "
                    + "--lock-wait (\(said))")
        }
        throw ImpactError(.failed, code: "database_failed", "\(place): \(said)")
    }

    private func message() -> String {
        let said = PQerrorMessage(handle).map { String(cString: $0) } ?? "the connection was lost"
        let line = said.split(separator: "\n").first.map(String.init) ?? "the connection was lost"
        return secrets.reduce(line) { $0.replacing($1, with: "***") }
    }
}

/// Rows of a result, fetched in pieces where there is a cursor.
private final class PostgreSQLRows: SQLCursor {
    private static let piece = 5_000
    private let database: PostgreSQLDatabase
    private let cursor: String?
    private var result: OpaquePointer?
    private var row: Int32 = -1
    private var isAtEnd = false

    init(_ database: PostgreSQLDatabase, cursor: String?, _ result: OpaquePointer?) {
        self.database = database
        self.cursor = cursor
        self.result = result
    }

    deinit { PQclear(result) }

    func next() throws(ImpactError) -> Bool {
        row += 1
        if result != nil, row < PQntuples(result) { return true }
        guard let cursor, !isAtEnd else { return false }
        PQclear(result)
        result = nil
        result = try database.send("FETCH \(Self.piece) FROM \(cursor)", [])
        row = 0
        if PQntuples(result) > 0 { return true }
        isAtEnd = true
        try database.execute("CLOSE \(cursor)")
        return false
    }

    func text(_ column: Int) -> String? {
        guard PQgetisnull(result, row, Int32(column)) == 0 else { return nil }
        return PQgetvalue(result, row, Int32(column)).map { String(cString: $0) }
    }

    func double(_ column: Int) -> Double? {
        text(column).flatMap { $0 == "t" ? 1 : $0 == "f" ? 0 : Double($0.trimmingCharacters(in: .whitespaces)) }
    }
}

extension PostgreSQLRows {
    func bytes(_ column: Int) -> [UInt8]? {
        guard let text = text(column)?.utf8, text.starts(with: [0x5C, 0x78]) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 2)
        var high: UInt8?
        for digit in text.dropFirst(2) {
            let value = digit >= 0x61 ? digit - 0x57 : digit - 0x30
            if let first = high {
                bytes.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        return bytes
    }
}

/// Rows in arrays of some thousand, one statement each.
private final class PostgreSQLInsertion: SQLInsertion {
    private static let piece = 4_000
    private let database: PostgreSQLDatabase
    private let table: String
    private let columns: [String]
    private let suffix: String
    private var arrays: [String]
    private var count = 0
    private let types: [String]

    init(_ database: PostgreSQLDatabase, _ table: String, _ columns: [String], _ suffix: String, _ types: [String]) {
        self.database = database
        self.types = types
        self.table = table
        self.columns = columns
        self.suffix = suffix
        arrays = [String](repeating: "", count: columns.count)
    }

    func add(_ values: [SQLValue]) throws(ImpactError) {
        for (index, value) in values.enumerated() {
            if count > 0 { arrays[index] += "," }
            switch value {
            case .null: arrays[index] += "NULL"
            case .integer(let number): arrays[index] += String(number)
            case .double(let number): arrays[index] += "\(number)"
            case .bytes(let bytes): arrays[index] += "\"\\" + PostgreSQLDatabase.hexadecimal(bytes) + "\""
            case .text(let text):
                arrays[index] += "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
            }
        }
        count += 1
        if count == Self.piece { try finish() }
    }

    func finish() throws(ImpactError) {
        guard count > 0 else { return }
        let places = columns.indices.map { "$\($0 + 1)::text[]" }.joined(separator: ", ")
        let list = columns.joined(separator: ", ")
        let target = zip(columns, types).map { "CAST(\($0) AS \($1))" }.joined(separator: ", ")
        try database.run(
            "INSERT INTO \(table) (\(list)) SELECT \(target) FROM unnest(\(places)) AS u (\(list)) \(suffix)",
            arrays.map { .text("{\($0)}") })
        for index in arrays.indices { arrays[index].removeAll(keepingCapacity: true) }
        count = 0
    }
}
