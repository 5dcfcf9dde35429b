import Base

/// Tables of the log store: made when there are none, migrated when older, refused when newer or another program's.
///
/// They live in the first schema of the search path; `?options=-csearch_path%3DNAME` in the URL names another.
struct PostgreSQLSchema {
    /// "IMPACTIQ" in ASCII: the advisory lock that lets one process at a time create or migrate.
    static let lock: Int64 = 0x494D_5041_4354_4951

    let connection: PostgreSQLConnection
    let place: String
    let migrations: [[String]]

    func prepare() throws {
        try refuseOtherEncodings()
        try connection.execute("BEGIN")
        try connection.execute("SELECT pg_advisory_xact_lock(\(Self.lock))")
        let version = try self.version()
        if version > migrations.count {
            throw ScoresTable.newerSchema(version, known: migrations.count, place: place)
        }
        for statements in migrations[version...] {
            for sql in statements { try connection.execute(sql) }
        }
        if version < migrations.count {
            try connection.execute("DELETE FROM impactiq_meta")
            try connection.execute("INSERT INTO impactiq_meta VALUES (\(migrations.count))")
        }
        try connection.execute("COMMIT")
    }

    private func version() throws -> Int {
        // to_regclass looks along the search path, as the statements of the store do.
        let found = try connection.execute("SELECT to_regclass('impactiq_meta')::text, to_regclass('scores')::text")
        if found.text(0, 0) != nil {
            return Int(try connection.execute("SELECT max(schema_version) FROM impactiq_meta").integer(0, 0) ?? 0)
        }
        if found.text(0, 1) != nil {
            throw LogStoreError(
                "log_store_foreign",
                """
                \(place) has a table scores that impactiq did not make. Give log.store a database of its own, or a \
                schema: add ?options=-csearch_path%3Dimpactiq to the URL.
                """, kind: .badConfiguration)
        }
        try connection.execute("CREATE TABLE impactiq_meta (schema_version INTEGER NOT NULL)")
        return 0
    }

    private func refuseOtherEncodings() throws {
        let encoding = try connection.execute("SHOW server_encoding").text(0, 0) ?? ""
        guard encoding == "UTF8" else {
            throw LogStoreError(
                "log_store_encoding",
                "\(place) stores text as \(encoding), which cannot hold every user's id: createdb --encoding=UTF8",
                kind: .badConfiguration)
        }
    }
}
