import Base
import Foundation
import Terminal

extension Scenario {
    /// The disk of the application's files is full for a while, twice: of the log store's database and of the local copy
    /// of the state. Both must say so, without flooding the log; the stream goes on meanwhile, in bounded memory.
    package static func diskFull(_ soak: Soak, disk: SmallDisk) throws {
        try soak.start("a")
        var fills = 0
        var progress: [Int64] = []
        var (calm, full) = (0, 0)
        while soak.isGoingOn, fills < 2, let member = soak.members["a"] {
            soak.sleep(8)
            calm = max(calm, member.residentBytes)
            try disk.fill()
            fills += 1
            let before = soak.application.progress(admin: soak.admin)
            for _ in 0..<24 {
                soak.sleep(0.5)
                // What somebody gave up meanwhile, too.
                try disk.fill()
                full = max(full, member.residentBytes)
            }
            progress.append(soak.application.progress(admin: soak.admin) - before)
            try soak.lookAfter()
            disk.makeRoom()
            soak.sleep(6)
        }
        soak.outcome.measured += [
            ("times the disk was full for 12 s", "\(fills)"),
            ("messages committed meanwhile", progress.map { HumanNumber.grouped(Int($0)) }.joined(separator: ", ")),
            ("most memory with room, and while full", "\(calm >> 20) MiB, \(full >> 20) MiB"),
        ]
        if fills < 2 { soak.outcome.problems.append("the disk was filled \(fills) times: --seconds is too short") }
        if progress.contains(where: { $0 <= 0 }) { soak.outcome.problems.append("the stream stood still: \(progress)") }
        // What waits is bounded: a batch, the client's prefetch, a queue of write batches.
        if full > calm + (256 << 20) { soak.outcome.problems.append("memory grew while the disk was full") }
        try soak.lookAfter()
        let log = soak.members["a"].flatMap { try? String(contentsOfFile: $0.log, encoding: .utf8) } ?? ""
        note("the log store", "log-store: ", log, soak)
        note("the local copy of the state", "the local store", log, soak)
    }

    /// Counts the lines in which one of the two says that the disk is full; none at all is a problem, as are many.
    private static func note(_ what: String, _ mark: String, _ log: String, _ soak: Soak) {
        let said = log.split(separator: "\n").filter {
            $0.contains(mark) && ($0.contains("is full") || $0.contains("No space left"))
        }
        soak.outcome.measured.append(("lines of the log in which \(what) says so", "\(said.count)"))
        if let line = said.first { soak.outcome.measured.append(("the first", String(line.prefix(240)))) }
        if said.isEmpty { soak.outcome.problems.append("\(what) did not notice that the disk was full") }
        // Six partitions, a pass a second at most, twice 12 seconds.
        if said.count > 150 { soak.outcome.problems.append("\(what) floods the log: \(said.count) lines") }
    }
}

extension ChildProcess {
    /// Bytes of memory that it holds now; 0 when it is gone.
    var residentBytes: Int {
        let status = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        return (line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0) << 10
    }
}

/// A small file system in memory, to be filled up. Needs the right to mount.
package final class SmallDisk {
    package let path: String
    private var ballast: String { "\(path)/ballast" }

    /// - Throws: `no_mount` when this process may not mount.
    package init(path: String, bytes: Int) throws {
        self.path = path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        guard mount("tmpfs", path, "tmpfs", 0, "size=\(bytes)") == 0 else {
            throw ImpactError(
                .failed, code: "no_mount", "cannot mount a tmpfs at \(path): \(String(cString: strerror(errno)))")
        }
    }

    deinit { umount2(path, 2 /* MNT_DETACH */) }

    /// Takes all the room that is left.
    package func fill() throws {
        let descriptor = open(ballast, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        guard descriptor >= 0 else {
            throw ImpactError(.failed, code: "ballast", "\(ballast): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        for size in [1 << 20, 4_096] {
            let bytes = [UInt8](repeating: 0xAA, count: size)
            while write(descriptor, bytes, size) == size {}
        }
    }

    package func makeRoom() { unlink(ballast) }
}
