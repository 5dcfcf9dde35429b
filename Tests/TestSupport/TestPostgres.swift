import Foundation
import Synchronization

/// A PostgreSQL server of the tests' own: data in a temporary folder, a private port, one a test process.
///
/// It runs as the user `postgres` when the tests run as root, since the server refuses root. A watcher stops it when
/// this process ends, however it ends.
package final class TestPostgres: Sendable {
    package let port: Int
    private let folder: String
    private let binaries: String
    package static let password = "s3cret/p@ss word"

    private static let count = Atomic<Int>(0)
    private static let slot = Mutex<TestPostgres??>(nil)

    /// The server, or nil when none is installed; says `skipped` then, once.
    package static var shared: TestPostgres? {
        slot.withLock { slot in
            if slot == nil { slot = .some(TestPostgres()) }
            return slot ?? nil
        }
    }

    /// A server of its own, for a test that kills it.
    package init?() {
        let candidates = (12...20).reversed().map { "/usr/lib/postgresql/\($0)/bin" } + ["/usr/local/bin", "/usr/bin"]
        guard
            let binaries = candidates.first(where: { FileManager.default.isExecutableFile(atPath: "\($0)/initdb") })
        else {
            print("skipped: the PostgreSQL log store's tests need the server (Debian: postgresql-15)")
            return nil
        }
        self.binaries = binaries
        let process = ProcessInfo.processInfo.processIdentifier
        let number = Self.count.wrappingAdd(1, ordering: .relaxed).newValue
        folder = FileManager.default.temporaryDirectory.appending(path: "impactiq-postgres-\(process)-\(number)").path
        // Below the ports that the kernel hands out by itself.
        port = 20_000 + (Int(process) * 4 + number) % 12_000
        guard Self.prepare(folder, Self.password) else { return nil }
        watch(process)
        let made = run(
            "\(binaries)/initdb -D '\(folder)/data' -U impactiq -A scram-sha-256 --pwfile='\(folder)/password' -E UTF8 --no-sync"
        )
        guard made.status == 0, start() else {
            print("skipped: the PostgreSQL server of the tests does not start: \(made.output)")
            return nil
        }
    }

    private static func prepare(_ folder: String, _ password: String) -> Bool {
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try password.write(toFile: "\(folder)/password", atomically: true, encoding: .utf8)
        } catch { return false }
        if geteuid() == 0 {
            guard let account = getpwnam("postgres") else { return false }
            chown(folder, account.pointee.pw_uid, account.pointee.pw_gid)
            chown("\(folder)/password", account.pointee.pw_uid, account.pointee.pw_gid)
        }
        return true
    }

    /// The URL of a schema of this server's only database.
    package func url(schema: String, password: String = TestPostgres.password) -> String {
        let encoded = password.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        return
            "postgresql://impactiq:\(encoded)@127.0.0.1:\(port)/postgres?application_name=\(schema)&options=-csearch_path%3D\(schema)"
    }

    @discardableResult
    package func start() -> Bool {
        let settings = "-c port=\(port) -c listen_addresses=127.0.0.1 -c unix_socket_directories=\(folder) -c fsync=off"
        return run("\(binaries)/pg_ctl -D '\(folder)/data' -w -l '\(folder)/log' -o '\(settings)' start").status == 0
    }

    /// Stops the server the way a crash does: no checkpoint, connections cut; it recovers at the next start.
    @discardableResult
    package func crash() -> Bool { run("\(binaries)/pg_ctl -D '\(folder)/data' -m immediate -w stop").status == 0 }

    private func watch(_ process: Int32) {
        let stop = Self.asPostgres("\(binaries)/pg_ctl -D \(folder)/data -m immediate stop")
        let script = "while kill -0 \(process) 2>/dev/null; do sleep 1; done; \(stop); rm -rf \(folder)*"
        _ = Self.shell("setsid sh -c '\(script)' </dev/null >/dev/null 2>&1 &")
    }

    private func run(_ command: String) -> (status: Int32, output: String) {
        let status = Self.shell("cd / && \(Self.asPostgres(command)) </dev/null >\(folder).out 2>&1")
        return (status, (try? String(contentsOfFile: "\(folder).out", encoding: .utf8)) ?? "")
    }

    private static func shell(_ command: String) -> Int32 {
        (try? Spawn.start(["/bin/sh", "-c", command])).map(Spawn.wait) ?? -1
    }

    private static func asPostgres(_ command: String) -> String {
        geteuid() == 0 ? "runuser -u postgres -- \(command)" : command
    }
}
