import CSQLite

/// Owns one prepared statement. Parameters count from 1, columns from 0, as in SQLite.
final class SQLiteStatement {
    private let connection: SQLiteConnection
    private let handle: OpaquePointer

    init(_ connection: SQLiteConnection, _ sql: String) throws(LogStoreError) {
        var prepared: OpaquePointer?
        let code = sqlite3_prepare_v3(
            connection.handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
        guard code == SQLITE_OK, let prepared else { throw connection.error(code) }
        self.connection = connection
        handle = prepared
    }

    deinit { sqlite3_finalize(handle) }

    /// True when there is a row to read.
    func step() throws(LogStoreError) -> Bool {
        let code = sqlite3_step(handle)
        if code == SQLITE_ROW { return true }
        if code == SQLITE_DONE { return false }
        let error = connection.error(code)
        sqlite3_reset(handle)
        throw error
    }

    /// Runs a statement that gives no rows, and makes it ready for the next run.
    func run() throws(LogStoreError) {
        _ = try step()
        sqlite3_reset(handle)
    }

    /// Makes the statement ready for the next run, and ends the read that it holds open.
    func reset() { sqlite3_reset(handle) }

    func bind(_ parameter: Int32, _ value: Int64) { sqlite3_bind_int64(handle, parameter, value) }

    /// NaN is NULL, in SQLite by itself and here by name.
    func bind(_ parameter: Int32, _ value: Double) {
        if value.isNaN { sqlite3_bind_null(handle, parameter) } else { sqlite3_bind_double(handle, parameter, value) }
    }

    /// Lends the bytes to the statement without a copy: they must stay until it has run.
    func bind(_ parameter: Int32, borrowing text: UnsafeRawBufferPointer?) {
        guard let text else { return _ = sqlite3_bind_null(handle, parameter) }
        // An empty text must not become the nil pointer, which SQLite reads as NULL.
        guard let start = text.baseAddress?.assumingMemoryBound(to: CChar.self), !text.isEmpty else {
            return bind(parameter, "")
        }
        sqlite3_bind_text(handle, parameter, start, Int32(text.count), nil)
    }

    func bind(_ parameter: Int32, _ text: String) {
        sqlite3_bind_text(handle, parameter, text, Int32(text.utf8.count), Self.copies)
    }

    func bind(_ parameter: Int32, copying text: [UInt8]) {
        if text.isEmpty { return bind(parameter, "") }
        text.withUnsafeBytes { bytes in
            let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            sqlite3_bind_text(handle, parameter, start, Int32(bytes.count), Self.copies)
        }
    }

    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

    /// NaN for NULL.
    func double(_ column: Int32) -> Double { isNull(column) ? .nan : sqlite3_column_double(handle, column) }

    func text(_ column: Int32) -> String {
        sqlite3_column_text(handle, column).map { String(cString: $0) } ?? ""
    }

    /// `SQLITE_TRANSIENT`: SQLite copies the bytes. The C macro is the pointer −1, which Swift does not import.
    private static var copies: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }
}
