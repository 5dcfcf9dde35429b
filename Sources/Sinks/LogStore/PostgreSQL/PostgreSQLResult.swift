import CPostgres

/// Owns one result of the server. Rows and columns count from 0; values are the server's text form.
final class PostgreSQLResult {
    private let handle: OpaquePointer

    init(_ handle: OpaquePointer) { self.handle = handle }

    deinit { PQclear(handle) }

    var status: ExecStatusType { PQresultStatus(handle) }
    var rowCount: Int { Int(PQntuples(handle)) }
    /// Rows that an INSERT, UPDATE, DELETE or COPY touched.
    var affected: Int { Int(String(cString: PQcmdTuples(handle))) ?? 0 }

    func text(_ row: Int, _ column: Int) -> String? {
        if PQgetisnull(handle, Int32(row), Int32(column)) == 1 { return nil }
        return PQgetvalue(handle, Int32(row), Int32(column)).map { String(cString: $0) }
    }

    func integer(_ row: Int, _ column: Int) -> Int64? { text(row, column).flatMap(Int64.init) }

    var columnCount: Int { Int(PQnfields(handle)) }

    /// The server's error, or nil. Never the detail line, which shows a row's values.
    var failure: PostgreSQLError? {
        switch status {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_COPY_IN, PGRES_SINGLE_TUPLE, PGRES_EMPTY_QUERY: return nil
        default:
            return PostgreSQLError(
                state: field(CChar(UInt8(ascii: "C"))) ?? PostgreSQLError.connectionLost,
                message: field(CChar(UInt8(ascii: "M"))) ?? "the connection was lost")
        }
    }

    /// A field of the error report, by its letter (PG_DIAG_SQLSTATE is C, PG_DIAG_MESSAGE_PRIMARY is M).
    private func field(_ letter: CChar) -> String? {
        PQresultErrorField(handle, Int32(letter)).map { String(cString: $0) }
    }
}
