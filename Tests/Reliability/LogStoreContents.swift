import Base
import CPostgres
import CSQLite
import Events
import Foundation

/// All rows of a log store in the order of their key, a hash each; read by the C libraries alone.
enum LogStoreContents {
    private static let query = """
        SELECT source_topic, source_partition, source_offset, user_id, time, event_type, treatment, outcome, uplift, \
        std_error, ci_lower, ci_upper, ci_level, decision, model, model_version, model_sha256, effects FROM scores \
        ORDER BY source_topic, source_partition, source_offset
        """

    static func rows(of application: TestApplication) throws -> [UInt64] {
        switch application.logStore {
        case .none: []
        case .sqlite, .file: try sqlite(application.database)
        case .postgresql(let url): try postgresql(url)
        }
    }

    private static func sqlite(_ path: String) throws -> [UInt64] {
        var database: OpaquePointer?
        defer { sqlite3_close(database) }
        try check(sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, nil) == SQLITE_OK, "cannot open \(path)")
        sqlite3_busy_timeout(database, 10_000)
        var statement: OpaquePointer?
        defer { sqlite3_finalize(statement) }
        try check(sqlite3_prepare_v2(database, query, -1, &statement, nil) == SQLITE_OK, "cannot query \(path)")
        var rows: [UInt64] = []
        while true {
            let code = sqlite3_step(statement)
            if code == SQLITE_DONE { return rows }
            try check(code == SQLITE_ROW, "reading \(path): \(String(cString: sqlite3_errmsg(database)))")
            let cells = (0..<sqlite3_column_count(statement)).map { column in
                switch sqlite3_column_type(statement, column) {
                case SQLITE_NULL: "\u{0}"
                // SQLite's own text of a number has 15 digits only.
                case SQLITE_FLOAT: "\(sqlite3_column_double(statement, column))"
                default: sqlite3_column_text(statement, column).map { String(cString: $0) } ?? ""
                }
            }
            rows.append(StableHash.hash(cells.joined(separator: "\u{1}")))
        }
    }

    private static func postgresql(_ url: String) throws -> [UInt64] {
        let connection = PQconnectdb(url)
        defer { PQfinish(connection) }
        try check(PQstatus(connection) == CONNECTION_OK, "cannot connect to PostgreSQL")
        let result = PQexec(connection, query)
        defer { PQclear(result) }
        try check(PQresultStatus(result) == PGRES_TUPLES_OK, String(cString: PQerrorMessage(connection)))
        return (0..<PQntuples(result)).map { row in
            let cells = (0..<PQnfields(result)).map { column in
                PQgetisnull(result, row, column) == 1 ? "\u{0}" : String(cString: PQgetvalue(result, row, column))
            }
            return StableHash.hash(cells.joined(separator: "\u{1}"))
        }
    }

    private static func check(_ condition: Bool, _ text: String) throws {
        if !condition { throw ImpactError(.failed, code: "log_store_check", text) }
    }
}
