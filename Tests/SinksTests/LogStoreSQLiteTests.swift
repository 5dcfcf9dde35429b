import Base
import CSQLite
import Foundation
import Settings
import Sinks
import TestSupport
import Testing

/// What only the SQLite store can meet: damaged files, full disks, locks.
@Suite("SQLite log store") struct LogStoreSQLiteTests {
    let output = ScoreBatch.output

    func scores(_ offsets: Range<Int64>) -> [TestScore] { offsets.map { TestScore(offset: $0, user: "user-\($0)") } }

    @Test("A file that is not a database, or a damaged one, is told and left as it is")
    func damaged() throws {
        let database = try TestDatabase(.sqlite)
        try "this is no database, though long enough to be read as one".write(
            toFile: database.name, atomically: true, encoding: .utf8)
        let before = try Data(contentsOf: URL(filePath: database.name))
        var error = #expect(throws: LogStoreError.self) { try database.open() }
        #expect(error?.code == "log_store_damaged")
        #expect(error?.isRetriable == false)
        #expect(error?.message.contains(database.name) == true)
        #expect(try Data(contentsOf: URL(filePath: database.name)) == before)

        // A good file whose pages are overwritten with noise, apart from the header.
        let second = try TestDatabase(.sqlite)
        let store = try second.open()
        _ = try store.append(ScoreBatch(scores(0..<5_000), from: nil, next: 5_000))
        store.close()
        var bytes = try Data(contentsOf: URL(filePath: second.name))
        for i in 4_096..<bytes.count { bytes[i] = UInt8(truncatingIfNeeded: i &* 31) }
        try bytes.write(to: URL(filePath: second.name))
        error = #expect(throws: LogStoreError.self) {
            let store = try second.open()
            _ = try store.append(ScoreBatch(scores(5_000..<5_100), from: 5_000, next: 5_100))
        }
        #expect(error?.code == "log_store_damaged")
    }

    @Test("A path that cannot be written says what is missing")
    func unwritable() throws {
        let store = SQLiteLogStore(path: "/nowhere/at/all/scores.db")
        let error = #expect(throws: LogStoreError.self) { try store.open(stop: LogStoreStop()) }
        #expect(error?.code == "log_store_open")
        #expect(error?.message.contains("the folder /nowhere/at/all does not exist") == true)
        let folder = SQLiteLogStore(path: FileManager.default.temporaryDirectory.path)
        #expect(throws: LogStoreError.self) { try folder.open(stop: LogStoreStop()) }
    }

    @Test("A file that was deleted while open is not written to in secret")
    func deleted() throws {
        let database = try TestDatabase(.sqlite)
        let store = try database.open()
        _ = try store.append(ScoreBatch(scores(0..<10), from: nil, next: 10))
        for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: database.name + suffix) }
        let batch = try ScoreBatch(scores(10..<20), from: 10, next: 20)
        let error = #expect(throws: LogStoreError.self) { try store.append(batch) }
        #expect(error?.code == "log_store_moved")
        #expect(error?.isRetriable == true)
        // Opened again it is a new database, which knows no position: the reader must begin at the start.
        store.close()
        try store.open(stop: database.stop)
        #expect(try store.append(batch) == .moved)
        #expect(try store.rowCount(user: nil) == 0)
    }

    @Test("Another process holding the lock is waited for, then told")
    func locked() throws {
        let database = try TestDatabase(.sqlite)
        let store = try database.open()
        var other: OpaquePointer?
        sqlite3_open(database.name, &other)
        defer { sqlite3_close(other) }
        #expect(sqlite3_exec(other, "BEGIN IMMEDIATE", nil, nil, nil) == SQLITE_OK)
        let batch = try ScoreBatch(scores(0..<10), from: nil, next: 10)
        let error = #expect(throws: LogStoreError.self) { try store.append(batch) }
        #expect(error?.code == "log_store_busy")
        #expect(error?.isRetriable == true)
        #expect(sqlite3_exec(other, "ROLLBACK", nil, nil, nil) == SQLITE_OK)
        #expect(try store.append(batch) == .stored(inserted: 10, duplicates: 0, erased: 0))
    }

    @Test("A reader that keeps a snapshot open does not stop the writer")
    func snapshot() throws {
        let database = try TestDatabase(.sqlite)
        let store = try database.open()
        _ = try store.append(ScoreBatch(scores(0..<10), from: nil, next: 10))
        var other: OpaquePointer?
        sqlite3_open(database.name, &other)
        defer { sqlite3_close(other) }
        #expect(sqlite3_exec(other, "BEGIN; SELECT count(*) FROM scores", nil, nil, nil) == SQLITE_OK)
        for i in 1..<20 as Range<Int64> {
            let batch = try ScoreBatch(scores(i * 10..<i * 10 + 10), from: i * 10, next: i * 10 + 10)
            #expect(try store.append(batch) == .stored(inserted: 10, duplicates: 0, erased: 0))
        }
        #expect(sqlite3_exec(other, "COMMIT", nil, nil, nil) == SQLITE_OK)
    }

    @Test("Erased rows are not left in the file or its log")
    func erasedBytes() throws {
        let database = try TestDatabase(.sqlite)
        let store = try database.open()
        let secret = "a-user-who-wants-to-be-forgotten"
        _ = try store.append(ScoreBatch([TestScore(user: secret)] + scores(1..<100), from: nil, next: 100))
        func isThere() throws -> Bool {
            try ["", "-wal"].contains { suffix in
                let path = database.name + suffix
                guard FileManager.default.fileExists(atPath: path) else { return false }
                return try Data(contentsOf: URL(filePath: path)).range(of: Data(secret.utf8)) != nil
            }
        }
        #expect(try isThere())
        #expect(try store.erase(users: [Array(secret.utf8)]) == 1)
        #expect(try !isThere())
    }

    @Test("A full disk keeps what was stored, and goes on when there is room")
    func fullDisk() throws {
        guard let disk = TinyDisk(megabytes: 2) else { return }
        let database = try TestDatabase(.sqlite)
        let path = "\(disk.path)/scores.db"
        let store = SQLiteLogStore(path: path)
        try store.open(stop: database.stop)
        var position: Int64?
        var failure: LogStoreError?
        while failure == nil, (position ?? 0) < 100_000 {
            let from = position ?? 0
            do {
                _ = try store.append(ScoreBatch(scores(from..<from + 500), from: position, next: from + 500))
                position = from + 500
            } catch let error as LogStoreError {
                failure = error
            }
        }
        #expect(failure?.code == "log_store_full")
        #expect(failure?.isRetriable == true)
        #expect(failure?.message.contains("disk is full") == true)
        let stored = position ?? 0
        #expect(try store.positions(of: output)[0] == stored)
        #expect(try store.rowCount(user: nil) == Int(stored))
        // Also a new process sees exactly that.
        store.close()
        try store.open(stop: database.stop)
        #expect(try store.rowCount(user: nil) == Int(stored))
        let batch = try ScoreBatch(scores(stored..<stored + 500), from: position, next: stored + 500)
        #expect(throws: LogStoreError.self) { for _ in 0..<5 { _ = try store.append(batch) } }
        disk.grow(megabytes: 64)
        #expect(try store.append(batch) == .stored(inserted: 500, duplicates: 0, erased: 0))
        #expect(try store.rowCount(user: nil) == Int(stored) + 500)
    }

    @Test("The setting log.store")
    func address() throws {
        #expect(try LogStoreSettings().logStore.parse("none") == nil)
        #expect(try LogStoreAddress(parsing: "sqlite:a b.db").path == "a b.db")
        #expect(try LogStoreAddress(parsing: "sqlite:/x/y.db").description == "sqlite:/x/y.db")
        for wrong in ["", "sqlite:", "mysql://user:secret@host/x", "sqlite", "/x.db", "postgresql://u:secret@h:bad/x"] {
            let error = #expect(throws: SettingProblem.self) { try LogStoreAddress(parsing: wrong) }
            #expect(error?.words.contains("secret") == false)
        }
    }

    @Test("An erased user's bytes are in neither the file nor the write-ahead log, once nobody reads from it")
    func erasedByABatch() throws {
        let database = try TestDatabase(.sqlite)
        let store = try database.open()
        let user = "somebody-\(UInt64.random(in: 0 ... .max))"
        func isHeld() -> Bool {
            ["", "-wal"].contains { suffix in
                guard let data = FileManager.default.contents(atPath: database.name + suffix) else { return false }
                return data.range(of: Data(user.utf8)) != nil
            }
        }
        var all = scores(0..<300)
        all[17].user = user
        _ = try store.append(ScoreBatch(all, from: nil, next: 300))
        #expect(isHeld())
        // A reader that keeps its place in the log keeps the log from being cut.
        var reader: OpaquePointer?
        try #require(sqlite3_open(database.name, &reader) == SQLITE_OK)
        defer { sqlite3_close(reader) }
        try #require(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM scores", nil, nil, nil) == SQLITE_OK)
        let batch = try ScoreBatch(scores(300..<301), from: 300, next: 301)
        batch.erasures = [Array(user.utf8)]
        #expect(try store.append(batch) == .stored(inserted: 1, duplicates: 0, erased: 1))
        #expect(isHeld(), "the reader sees the row still")
        try #require(sqlite3_exec(reader, "COMMIT", nil, nil, nil) == SQLITE_OK)
        // The next batch cuts it.
        _ = try store.append(ScoreBatch(scores(301..<302), from: 301, next: 302))
        #expect(!isHeld())
        #expect(try store.rowCount(user: nil) == 301)
    }
}

/// A file system of a few megabytes in memory. Needs root.
final class TinyDisk {
    let path: String

    init?(megabytes: Int, test: String = #function) {
        path =
            FileManager.default.temporaryDirectory.appending(path: "impactiq-disk-\(UInt32.random(in: 0 ... .max))")
            .path
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        guard mount("tmpfs", path, "tmpfs", 0, "size=\(megabytes)m") == 0 else {
            print("skipped: \(test) needs the right to mount a small file system (root)")
            try? FileManager.default.removeItem(atPath: path)
            return nil
        }
    }

    func grow(megabytes: Int) { _ = mount("tmpfs", path, "tmpfs", UInt(MS_REMOUNT), "size=\(megabytes)m") }

    deinit {
        umount2(path, Int32(MNT_DETACH))
        try? FileManager.default.removeItem(atPath: path)
    }
}
