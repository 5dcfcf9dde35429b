import Base
import CSQLite
import Foundation

/// A team's SQLite file, or a temporary one of ours.
package final class SQLiteDatabase: SQLDatabase {
    package let place: String
    private let path: String
    private let isTemporary: Bool
    private let lockWait: Int64
    private let file: [UInt64]?
    let handle: OpaquePointer

    package init(path: String, creates: Bool, lockWait: Int64 = 5_000) throws(ImpactError) {
        if !creates, !FileManager.default.fileExists(atPath: path) {
            throw ImpactError(
                .badInput, code: "database_missing", "there is no SQLite file \(path): give the path of your database")
        }
        // Users' data: nobody else reads a file that we make.
        if creates, !FileManager.default.fileExists(atPath: path) {
            let file = Foundation.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
            // A link to nothing: SQLite would make what it names, readable for all.
            if file < 0, errno == EEXIST || errno == ELOOP, !FileManager.default.fileExists(atPath: path) {
                throw ImpactError(
                    .badInput, code: "dangling_link",
                    "\(path) is a symbolic link to a file that does not exist; nothing is made through a link")
            }
            if file >= 0 { close(file) }
        }
        self.path = path
        self.lockWait = lockWait
        place = "sqlite:\(path)"
        isTemporary = false
        handle = try Self.open(path)
        file = Self.file(path)
        sqlite3_busy_timeout(handle, Int32(clamping: lockWait))
    }

    /// A file of our own that goes when this object does: what is not in a database yet is put in order here.
    package init(temporaryIn folder: String) throws(ImpactError) {
        path = folder + "/impactiq-attribution-\(UUID().uuidString).db"
        place = "temporary database"
        isTemporary = true
        lockWait = 0
        let file = Foundation.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            throw ImpactError(
                .failed, code: "temporary_file",
                "cannot make a file in \(folder): \(String(cString: strerror(errno))). Set TMPDIR to a folder with room"
            )
        }
        close(file)
        handle = try Self.open(path)
        self.file = nil
        // It goes with the process, however that ends.
        unlink(path)
        try execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE")
    }

    deinit { sqlite3_close_v2(handle) }

    private static func open(_ path: String) throws(ImpactError) -> OpaquePointer {
        var opened: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        let code = sqlite3_open_v2(path, &opened, flags, nil)
        guard code == SQLITE_OK, let opened else {
            let said = opened.map { String(cString: sqlite3_errmsg($0)) } ?? String(cString: sqlite3_errstr(code))
            sqlite3_close_v2(opened)
            throw ImpactError(
                .badInput, code: "database_open",
                "SQLite file \(path) cannot be opened for writing: \(said). This user must be able to write it and its folder"
            )
        }
        return opened
    }

    package func begin(writing: Bool) throws(ImpactError) { try execute(writing ? "BEGIN IMMEDIATE" : "BEGIN") }
    package func commit() throws(ImpactError) { try execute("COMMIT") }
    package func lock(_ table: String) {}
    package func rollback() {
        if sqlite3_get_autocommit(handle) == 0 { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
    }

    package func execute(_ sql: String) throws(ImpactError) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        if code != SQLITE_OK { throw error(code) }
    }

    package func run(_ sql: String, _ parameters: [SQLValue]) throws(ImpactError) {
        let statement = try SQLiteRows(self, sql)
        statement.bind(parameters)
        _ = try statement.next()
    }

    package func query(_ sql: String, _ parameters: [SQLValue]) throws(ImpactError) -> any SQLCursor {
        let statement = try SQLiteRows(self, sql)
        statement.bind(parameters)
        return statement
    }

    package func insertion(
        into table: String, columns: [String], suffix: String
    ) throws(ImpactError) -> any SQLInsertion {
        let places = (1...columns.count).map { "?\($0)" }.joined(separator: ", ")
        return SQLiteInsertion(
            try SQLiteRows(
                self, "INSERT INTO \(table) (\(columns.joined(separator: ", "))) VALUES (\(places)) \(suffix)"))
    }

    package func columns(of table: String) throws(ImpactError) -> [String] {
        let cursor = try query("SELECT lower(name) FROM pragma_table_info($1)", [.text(table)])
        var columns: [String] = []
        while try cursor.next() { columns.append(cursor.text(0) ?? "") }
        return columns
    }

    package func uniqueKeys(of table: String) throws(ImpactError) -> [[String]] {
        // The key of a table without an index of its own is the row's number.
        let cursor = try query(
            """
            SELECT group_concat(lower(c.name)) FROM pragma_index_list($1) i, pragma_index_info(i.name) c \
            WHERE i."unique" = 1 AND i.partial = 0 GROUP BY i.name \
            UNION ALL SELECT group_concat(lower(name)) FROM pragma_table_info($2) WHERE pk > 0
            """, [.text(table), .text(table)])
        var keys: [[String]] = []
        // A table without a key has a row of nothing here, and nothing would be a part of any columns.
        while try cursor.next() {
            guard let names = cursor.text(0), !names.isEmpty else { continue }
            keys.append(names.split(separator: ",").map(String.init))
        }
        return keys
    }

    package func byBytes(_ expression: String) -> String { "CAST(\(expression) AS TEXT) COLLATE BINARY" }
    // SQLite compares by the column's affinity; a cast would keep it from the index.
    package func asText(_ column: String) -> String { column }
    package var clusters: String { " WITHOUT ROWID" }
    package var bytesType: String { "BLOB" }

    package func checkPlace() throws(ImpactError) {
        guard !isTemporary, Self.file(path) != file else { return }
        throw ImpactError(
            .failed, code: "database_away", "SQLite file \(path) is gone, or another one stands in its place")
    }

    /// Which file stands at a path; nil for none.
    private static func file(_ path: String) -> [UInt64]? {
        var found = stat()
        return stat(path, &found) == 0 ? [UInt64(found.st_dev), UInt64(found.st_ino)] : nil
    }

    func error(_ code: Int32) -> ImpactError {
        let said = String(cString: sqlite3_errmsg(handle))
        switch code & 0xFF {
        case SQLITE_BUSY, SQLITE_LOCKED:
            return ImpactError(
                .failed, code: "database_locked",
                "\(place) is locked by another process for more than \(lockWait) ms: nothing was changed. Try again, or wait "
                    + "longer with --lock-wait")
        case SQLITE_FULL:
            return ImpactError(.failed, code: "database_full", "\(place): the disk is full; nothing was changed")
        case SQLITE_IOERR:
            return ImpactError(.failed, code: "database_away", "\(place): \(said)")
        case SQLITE_CORRUPT, SQLITE_NOTADB:
            return ImpactError(
                .badInput, code: "database_damaged", "\(place) is damaged or no SQLite database (\(said))")
        case SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_READONLY, SQLITE_AUTH:
            return ImpactError(
                .badInput, code: "database_open",
                "\(place): \(said). This user must be able to write the file and its folder")
        default:
            return ImpactError(.failed, code: "database_failed", "\(place): \(said)")
        }
    }
}

/// One prepared statement and its rows.
private final class SQLiteRows: SQLCursor {
    private let database: SQLiteDatabase
    private let handle: OpaquePointer

    init(_ database: SQLiteDatabase, _ sql: String) throws(ImpactError) {
        var prepared: OpaquePointer?
        let code = sqlite3_prepare_v3(
            database.handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
        guard code == SQLITE_OK, let prepared else { throw database.error(code) }
        self.database = database
        handle = prepared
    }

    deinit { sqlite3_finalize(handle) }

    func next() throws(ImpactError) -> Bool {
        let code = sqlite3_step(handle)
        if code == SQLITE_ROW { return true }
        if code == SQLITE_DONE { return false }
        throw database.error(code)
    }

    func text(_ column: Int) -> String? { sqlite3_column_text(handle, Int32(column)).map { String(cString: $0) } }

    func double(_ column: Int) -> Double? {
        switch sqlite3_column_type(handle, Int32(column)) {
        case SQLITE_NULL: nil
        case SQLITE_TEXT: text(column).flatMap { Double($0.trimmingCharacters(in: .whitespaces)) }
        default: sqlite3_column_double(handle, Int32(column))
        }
    }

    func bytes(_ column: Int) -> [UInt8]? {
        guard sqlite3_column_type(handle, Int32(column)) == SQLITE_BLOB else { return nil }
        let start = sqlite3_column_blob(handle, Int32(column))
        return Array(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, Int32(column)))))
    }

    func bind(_ values: [SQLValue]) {
        for (index, value) in values.enumerated() {
            let place = Int32(index + 1)
            switch value {
            case .null: sqlite3_bind_null(handle, place)
            case .integer(let value): sqlite3_bind_int64(handle, place, value)
            case .double(let value): sqlite3_bind_double(handle, place, value)
            // SQLITE_TRANSIENT: SQLite copies the bytes. The C macro is the pointer −1, which Swift does not import.
            case .text(let value):
                sqlite3_bind_text(
                    handle, place, value, Int32(value.utf8.count), unsafeBitCast(-1, to: sqlite3_destructor_type.self))
            case .bytes(let value):
                sqlite3_bind_blob64(
                    handle, place, value, UInt64(value.count), unsafeBitCast(-1, to: sqlite3_destructor_type.self))
            }
        }
    }

    func insert(_ values: [SQLValue]) throws(ImpactError) {
        bind(values)
        defer { sqlite3_reset(handle) }
        _ = try next()
    }
}

private final class SQLiteInsertion: SQLInsertion {
    private let statement: SQLiteRows
    init(_ statement: SQLiteRows) { self.statement = statement }
    func add(_ values: [SQLValue]) throws(ImpactError) { try statement.insert(values) }
    func finish() {}
}
