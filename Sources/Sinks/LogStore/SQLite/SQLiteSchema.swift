import Base
import CSQLite

/// Settings and tables of the file: made when new, migrated when older, refused when newer or another program's.
struct SQLiteSchema {
    /// "IMIQ" in the file's header says whose file it is (https://sqlite.org/fileformat.html, offset 68).
    static let applicationID = 0x494D_4951

    let connection: SQLiteConnection
    let place: String
    let migrations: [[String]]

    func prepare() throws(LogStoreError) {
        try connection.execute("PRAGMA synchronous = NORMAL")
        // What is erased is overwritten with zeros. It costs only where rows are deleted.
        try connection.execute("PRAGMA secure_delete = ON")
        // A batch of 10,000 rows is 2–3 MB of log: copied into the file every 16 MB or so instead of at each batch,
        // and what a long reader made the log grow to is given back.
        try connection.execute("PRAGMA wal_autocheckpoint = 4000")
        try connection.execute("PRAGMA journal_size_limit = 67108864")
        try refuseForeign()
        // Only now: another program's file keeps its journal mode.
        try useWAL()
        try migrate()
    }

    /// A file with tables that are not ours is left alone.
    private func refuseForeign() throws(LogStoreError) {
        let id = try connection.integer("PRAGMA application_id")
        let tables = try connection.integer("SELECT count(*) FROM sqlite_master")
        if id == Self.applicationID || (id == 0 && tables == 0) { return }
        throw LogStoreError(
            "log_store_foreign",
            "\(place) is a database of another program (\(tables) tables and indexes). Give log.store a file of its own.",
            kind: .badConfiguration)
    }

    private func useWAL() throws(LogStoreError) {
        let statement = try SQLiteStatement(connection, "PRAGMA journal_mode = WAL")
        let mode = try statement.step() ? statement.text(0) : ""
        guard mode == "wal" else {
            throw LogStoreError(
                "log_store_open",
                "\(place): SQLite cannot use write-ahead logging here (it answers \(mode)); use a local file system",
                kind: .badConfiguration)
        }
    }

    private func migrate() throws(LogStoreError) {
        if try connection.integer("PRAGMA user_version") == migrations.count { return }
        try connection.transaction { () throws(LogStoreError) in
            // Read again: another process may have migrated while this one waited for the lock.
            let version = try connection.integer("PRAGMA user_version")
            if version > migrations.count {
                throw ScoresTable.newerSchema(version, known: migrations.count, place: place)
            }
            for statements in migrations[version...] {
                for sql in statements { try connection.execute(sql) }
            }
            try connection.execute("PRAGMA application_id = \(Self.applicationID)")
            try connection.execute("PRAGMA user_version = \(migrations.count)")
        }
    }
}
