import Base
import Foundation

/// Keeps a second `call-ihc` away from a database as long as it lives: both would send, and pay for, the same journeys. A process
/// that is killed holds it no more.
package final class CallerLock {
    private let file: Int32
    private let path: String
    /// PostgreSQL: the lock belongs to the session.
    private let database: any SQLDatabase

    /// - Throws: `two_callers`.
    package init(_ database: any SQLDatabase) throws(ImpactError) {
        self.database = database
        guard database is SQLiteDatabase else {
            (file, path) = (-1, "")
            let held = try database.value(
                "SELECT pg_try_advisory_lock(hashtext('impactiq call-ihc'), hashtext(current_schema()))")
            guard held == "t" else { throw Self.refusal(database) }
            return
        }
        // SQLite's own locks on its file go when any other descriptor of it is closed: this is a file beside it.
        path = String(database.place.dropFirst("sqlite:".count)) + ".call-ihc"
        file = try Self.held(path, database)
    }

    private static func held(_ path: String, _ database: any SQLDatabase) throws(ImpactError) -> Int32 {
        while true {
            let file = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
            guard file >= 0 else {
                throw ImpactError(
                    .failed, code: "lock_file", "cannot make \(path): \(String(cString: strerror(errno)))")
            }
            guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
                close(file)
                throw refusal(database)
            }
            // The one who held it before may have removed the file since it was opened.
            var (mine, there) = (stat(), stat())
            if fstat(file, &mine) == 0, stat(path, &there) == 0, mine.st_ino == there.st_ino { return file }
            close(file)
        }
    }

    deinit {
        guard file >= 0 else {
            if !(database is SQLiteDatabase) { try? database.run("SELECT pg_advisory_unlock_all()", []) }
            return
        }
        unlink(path)
        close(file)
    }

    private static func refusal(_ database: any SQLDatabase) -> ImpactError {
        ImpactError(
            .failed, code: "two_callers",
            "another call-ihc works on \(database.place): both would send the same journeys. Wait until it has ended")
    }
}
