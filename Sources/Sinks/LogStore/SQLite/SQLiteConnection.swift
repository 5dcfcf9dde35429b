import Base
import CSQLite
import Foundation

/// Owns one SQLite connection. For one thread.
final class SQLiteConnection {
    let path: String
    let handle: OpaquePointer
    /// How long a lock of another process is waited for.
    static let busyMilliseconds: Int32 = 5_000

    /// Opens or creates the file, in WAL mode.
    ///
    /// `synchronous=NORMAL`: a commit is not flushed to the disk, so a power failure may take back the last
    /// transactions, whole ones, last first (https://sqlite.org/wal.html). Rows and position are taken back together,
    /// and the output topic still holds what they came from: it is read again. A crash of the process alone takes
    /// nothing back. FULL would flush once a batch and bring no row more.
    init(path: String) throws(LogStoreError) {
        self.path = path
        // SQLite would make it readable for all; its log beside it takes the file's rights. What is wrong, SQLite says.
        let made = path.hasPrefix(":") ? -1 : Foundation.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        if made >= 0 { Foundation.close(made) }
        if made < 0, errno == ELOOP, access(path, F_OK) != 0 {
            throw LogStoreError(
                "log_store_open",
                "\(path) is a symbolic link to a file that does not exist; nothing is made through a link",
                kind: .badConfiguration)
        }
        var opened: OpaquePointer?
        // Without SQLite's own mutex: a connection belongs to one thread.
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        let code = sqlite3_open_v2(path, &opened, flags, nil)
        guard code == SQLITE_OK, let opened else {
            let error = SQLiteConnection.error(code, opened, path: path)
            sqlite3_close_v2(opened)
            throw error
        }
        handle = opened
        sqlite3_busy_timeout(handle, Self.busyMilliseconds)
    }

    deinit {
        // _v2: also right when a statement should outlive the connection.
        sqlite3_close_v2(handle)
    }

    func execute(_ sql: String) throws(LogStoreError) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        if code != SQLITE_OK { throw error(code) }
    }

    /// The first column of the first row, as an integer; 0 when there is none.
    func integer(_ sql: String) throws(LogStoreError) -> Int {
        let statement = try SQLiteStatement(self, sql)
        return try statement.step() ? Int(statement.integer(0)) : 0
    }

    /// Runs `body` in a transaction that holds the write lock from its start, so that what it reads stays true.
    func transaction<Result>(_ body: () throws(LogStoreError) -> Result) throws(LogStoreError) -> Result {
        try execute("BEGIN IMMEDIATE")
        do {
            let result = try body()
            try execute("COMMIT")
            return result
        } catch {
            // After a full disk or an I/O error SQLite may have rolled back by itself.
            if sqlite3_get_autocommit(handle) == 0 { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
            throw error
        }
    }

    /// True when the file at the path is not the one that is open: SQLite would go on writing into a deleted file.
    var fileHasMoved: Bool {
        var moved: Int32 = 0
        return sqlite3_file_control(handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved != 0
    }

    func error(_ code: Int32) -> LogStoreError { Self.error(code, handle, path: path) }

    /// SQLite's result code in words (https://sqlite.org/rescode.html).
    static func error(_ code: Int32, _ handle: OpaquePointer?, path: String) -> LogStoreError {
        let said = handle.map { String(cString: sqlite3_errmsg($0)) } ?? String(cString: sqlite3_errstr(code))
        let place = "SQLite log store \(path)"
        switch code & 0xFF {
        case SQLITE_BUSY, SQLITE_LOCKED:
            return LogStoreError(
                "log_store_busy", "\(place) is locked by another process for more than 5 s (\(said))",
                isRetriable: true)
        case SQLITE_FULL:
            return full(place, path)
        case SQLITE_IOERR where freeBytes(path).map({ $0 < 1 << 20 }) ?? false:
            return full(place, path)
        case SQLITE_IOERR, SQLITE_NOMEM, SQLITE_INTERRUPT, SQLITE_PROTOCOL, SQLITE_SCHEMA:
            return LogStoreError("log_store_io", "\(place): \(said) (code \(code))", isRetriable: true)
        case SQLITE_CORRUPT, SQLITE_NOTADB:
            return LogStoreError(
                "log_store_damaged",
                """
                \(place) is damaged or not an SQLite database (\(said)). Move the file and its -wal and -shm files \
                aside: the scores that the output topic still holds are then read again into a new one. \
                `sqlite3 \(path) .recover` may save older ones.
                """, kind: .badInput)
        case SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_READONLY, SQLITE_AUTH:
            let folder = URL(filePath: path).deletingLastPathComponent().path
            let cause =
                FileManager.default.fileExists(atPath: folder)
                ? "\(said); this user must be able to write the file and its folder"
                : "the folder \(folder) does not exist: create it"
            return LogStoreError(
                "log_store_open", "\(place) cannot be opened for writing: \(cause)", kind: .badConfiguration)
        default:
            return LogStoreError("log_store_failed", "\(place): \(said) (code \(code))")
        }
    }

    private static func full(_ place: String, _ path: String) -> LogStoreError {
        let free = freeBytes(path).map { ", \($0 >> 20) MiB free" } ?? ""
        return LogStoreError(
            "log_store_full",
            "\(place): the disk is full\(free). Make room; the output topic holds what is to come",
            isRetriable: true)
    }

    private static func freeBytes(_ path: String) -> UInt64? {
        var status = statvfs()
        let folder = URL(filePath: path).deletingLastPathComponent().path
        guard statvfs(folder, &status) == 0 else { return nil }
        return UInt64(status.f_bavail) * UInt64(status.f_frsize)
    }
}
