import CPostgres
import CSQLite
import Foundation
import Sinks
import TestSupport

/// Which log store a conformance test runs against.
enum DatabaseKind: String, CaseIterable, Sendable {
    case sqlite, postgresql

    /// The kinds that this machine has.
    static let available: [DatabaseKind] = TestPostgres.shared == nil ? [.sqlite] : allCases

}

/// An empty database of its own for one test, read here without the code under test.
final class TestDatabase {
    let kind: DatabaseKind
    let stop = LogStoreStop()
    /// The SQLite file, or the PostgreSQL schema.
    let name: String

    init(_ kind: DatabaseKind) throws {
        self.kind = kind
        let id = "t\(UInt64.random(in: 0 ... .max))"
        switch kind {
        case .sqlite:
            let folder = FileManager.default.temporaryDirectory.appending(path: "impactiq-logstore-\(id)").path
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            name = "\(folder)/scores.db"
        case .postgresql:
            name = id
            try execute("CREATE SCHEMA \(id)")
        }
    }

    deinit {
        switch kind {
        case .sqlite:
            try? FileManager.default.removeItem(at: URL(filePath: name).deletingLastPathComponent())
        case .postgresql:
            try? execute("DROP SCHEMA IF EXISTS \(name) CASCADE")
        }
    }

    /// A store on this database, not open yet.
    func make(userIndex: Bool = false, migrations: [[String]]? = nil) throws -> any LogStore {
        switch kind {
        case .sqlite:
            let options = LogStoreOptions(userIndex: userIndex)
            guard let migrations else { return SQLiteLogStore(path: name, options: options) }
            return SQLiteLogStore(path: name, options: options, migrations: migrations)
        case .postgresql:
            let options = LogStoreOptions(userIndex: userIndex)
            guard let migrations else { return try PostgreSQLLogStore(url: url, options: options) }
            return try PostgreSQLLogStore(url: url, options: options, migrations: migrations)
        }
    }

    /// A store on this database, open.
    func open(userIndex: Bool = false, migrations: [[String]]? = nil) throws -> any LogStore {
        let store = try make(userIndex: userIndex, migrations: migrations)
        try store.open(stop: stop)
        return store
    }

    /// All scores, in the order of the key.
    func scores() throws -> [TestScore] { Self.scores(try query(Self.selection)) }

    /// All scores of a PostgreSQL database that is not one of these.
    static func scores(of url: String) throws -> [TestScore] { scores(try query(selection, url: url)) }

    private static let selection = """
        SELECT source_topic, source_partition, source_offset, user_id, time, event_type, treatment, outcome, uplift, \
        std_error, ci_lower, ci_upper, ci_level, decision, model, model_version, model_sha256, effects FROM scores
        """

    private static func scores(_ rows: [[String?]]) -> [TestScore] {
        rows.map { row in
            TestScore(
                topic: row[0] ?? "", partition: row[1].flatMap(Int32.init) ?? -1,
                offset: row[2].flatMap(Int64.init) ?? -1,
                user: row[3] ?? "", time: row[4].flatMap(Int64.init) ?? -1, eventType: row[5] ?? "", treatment: row[6],
                outcome: row[7], uplift: row[8].flatMap(Double.init) ?? .nan,
                standardError: row[9].flatMap(Double.init),
                lower: row[10].flatMap(Double.init), upper: row[11].flatMap(Double.init),
                level: row[12].flatMap(Double.init), decision: row[13] ?? "", model: row[14] ?? "",
                version: row[15] ?? "", sha256: row[16] ?? "", effects: row[17])
        }.sorted()
    }

    /// Cuts every connection, as a crash of the process or of the network does.
    func dropConnections() throws {
        guard kind == .postgresql else { return }
        _ = try query(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
            WHERE application_name = '\(name)' AND pid <> pg_backend_pid()
            """)
    }

    var url: String { TestPostgres.shared?.url(schema: name) ?? "" }

    func execute(_ sql: String) throws { _ = try query(sql) }

    /// Rows of texts, by means of the C libraries alone.
    func query(_ sql: String) throws -> [[String?]] {
        kind == .sqlite ? try querySQLite(sql) : try Self.query(sql, url: url)
    }

    private func querySQLite(_ sql: String) throws -> [[String?]] {
        var database: OpaquePointer?
        defer { sqlite3_close(database) }
        try Self.check(sqlite3_open(name, &database) == SQLITE_OK, "open \(name)")
        sqlite3_busy_timeout(database, 5_000)
        var statement: OpaquePointer?
        defer { sqlite3_finalize(statement) }
        try Self.check(sqlite3_prepare_v2(database, sql, -1, &statement, nil) == SQLITE_OK, sql)
        var rows: [[String?]] = []
        while true {
            let code = sqlite3_step(statement)
            if code == SQLITE_DONE { return rows }
            try Self.check(code == SQLITE_ROW, "\(sql): \(code)")
            rows.append(
                (0..<sqlite3_column_count(statement)).map { column in
                    switch sqlite3_column_type(statement, column) {
                    case SQLITE_NULL: nil
                    // SQLite's own text of a number has 15 digits only.
                    case SQLITE_FLOAT: "\(sqlite3_column_double(statement, column))"
                    default: sqlite3_column_text(statement, column).map { String(cString: $0) }
                    }
                })
        }
    }

    private static func query(_ sql: String, url: String) throws -> [[String?]] {
        let connection = try connect(url)
        defer { PQfinish(connection) }
        return try query(sql, on: connection)
    }

    private static func connect(_ url: String) throws -> OpaquePointer? {
        let connection = PQconnectdb(url)
        PQsetNoticeProcessor(connection, { _, _ in }, nil)
        if PQstatus(connection) == CONNECTION_OK { return connection }
        let said = String(cString: PQerrorMessage(connection))
        PQfinish(connection)
        throw Failure(text: "connect: \(said)")
    }

    private static func query(_ sql: String, on connection: OpaquePointer?) throws -> [[String?]] {
        let result = PQexec(connection, sql)
        defer { PQclear(result) }
        let status = PQresultStatus(result)
        try check(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK, String(cString: PQerrorMessage(connection)))
        return (0..<PQntuples(result)).map { row in
            (0..<PQnfields(result)).map { column in
                PQgetisnull(result, row, column) == 1 ? nil : String(cString: PQgetvalue(result, row, column))
            }
        }
    }

    /// Runs `body` while another PostgreSQL session holds a lock on the table that no writer gets past.
    func withTableLocked(_ table: String, _ body: () throws -> Void) throws {
        let connection = try Self.connect(url)
        defer { PQfinish(connection) }
        _ = try Self.query("BEGIN; LOCK TABLE \(table) IN EXCLUSIVE MODE", on: connection)
        try body()
    }

    private struct Failure: Error { var text: String }

    private static func check(_ condition: Bool, _ text: String) throws {
        if !condition { throw Failure(text: text) }
    }
}
