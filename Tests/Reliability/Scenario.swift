import Base
import Foundation
import Kafka
import TestSupport

/// The disturbances of the long runs. Each is short enough to be read beside what it claims.
package enum Scenario {
    /// kill -9 of one of the processes (three, every 2–8 s, in the long run), started again at once.
    ///
    /// - Parameter settle: seconds before the first kill, so that there is something to lose.
    package static func randomKills(
        _ soak: Soak, names: [String] = ["a", "b", "c"], every seconds: ClosedRange<Double> = 2...8, settle: Double = 5
    ) throws {
        var random = SeededGenerator(seed: soak.settings.seed)
        for name in names { try soak.start(name) }
        soak.sleep(settle)
        let recovery = RecoveryClock(soak)
        var kills = 0
        while soak.isGoingOn {
            let wait = Double.random(in: seconds, using: &random)
            let until = ContinuousClock.now + .seconds(wait)
            while ContinuousClock.now < until, soak.isGoingOn {
                recovery.look()
                try soak.lookAfter()
                soak.sleep(0.05)
            }
            guard soak.isGoingOn else { break }
            let victim = names[Int.random(in: 0..<names.count, using: &random)]
            try recovery.begin()
            soak.killNow(victim)
            kills += 1
            try soak.start(victim)
        }
        soak.outcome.measured.append(("kills survived", "\(kills)"))
        if kills == 0 { soak.outcome.problems.append("nobody was killed: the scenario tested nothing") }
        soak.outcome.measured += recovery.summary
    }

    /// A process is stopped past its session and goes on later: by then its partitions are another's.
    package static func zombie(_ soak: Soak) throws {
        try soak.start("a")
        try soak.start("b")
        soak.sleep(8)
        var stops = 0
        while soak.isGoingOn, let victim = soak.members[stops % 2 == 0 ? "a" : "b"] {
            victim.signal(SIGSTOP)
            soak.sleep(12)
            victim.signal(SIGCONT)
            stops += 1
            soak.sleep(8)
            try soak.lookAfter()
        }
        let logs = soak.members.values.map { (try? String(contentsOfFile: $0.log, encoding: .utf8)) ?? "" }
        let lost = logs.reduce(0) { $0 + $1.components(separatedBy: ": lost: ").count - 1 }
        soak.outcome.measured.append(("stops of 12 s (session 6 s)", "\(stops)"))
        soak.outcome.measured.append(("times a member found its partitions lost", "\(lost)"))
        if lost == 0 { soak.outcome.problems.append("no member was ever taken for dead: the scenario tested nothing") }
    }

    /// One worker, four in two processes, and back, while events arrive.
    package static func scale(_ soak: Soak) throws {
        let third = soak.settings.seconds / 5
        try soak.start("a", settings: ["workers=1"])
        soak.sleep(third)
        soak.stop("a")
        try soak.start("a", settings: ["workers=2"])
        soak.sleep(third)
        try soak.start("b", settings: ["workers=2"])
        soak.sleep(third)
        soak.stop("b")
        soak.sleep(third)
        soak.stop("a")
        try soak.start("a", settings: ["workers=1"])
        soak.outcome.measured.append(("workers", "1, 2, 4 in two processes, 2, 1"))
    }

    /// kill -9 of one of three brokers, one frozen for 30 s, a rolling restart of all.
    package static func brokers(_ soak: Soak, script: String) throws {
        try soak.start("a")
        try soak.start("b")
        soak.sleep(6)
        func node(_ words: String...) throws {
            // Its output is a file, since the broker that it starts keeps it open.
            let child = try ChildProcess(
                [script] + words, environment: ProcessInfo.processInfo.environment,
                log: "\(soak.application.folder)/broker.log")
            guard child.wait(seconds: 120) == .exited(0) else {
                throw ImpactError(.failed, code: "broker", "broker \(words.joined(separator: " ")): \(child.tail)")
            }
            try soak.lookAfter()
        }
        try node("kill", "2")
        soak.sleep(8)
        try node("restart", "2")
        soak.sleep(8)
        try node("pause", "3")
        soak.sleep(30)
        try node("resume", "3")
        soak.sleep(8)
        for number in ["1", "2", "3"] {
            try node("restart", number)
            soak.sleep(5)
        }
        soak.outcome.measured.append(("brokers", "one killed, one frozen 30 s, all restarted in turn"))
    }

    /// PostgreSQL crashes and comes back, again and again.
    package static func postgres(_ soak: Soak, server: TestPostgres) throws {
        try soak.start("a")
        var crashes = 0
        while soak.isGoingOn {
            soak.sleep(6)
            guard soak.isGoingOn else { break }
            guard server.crash() else { throw ImpactError(.failed, code: "postgres", "the server did not stop") }
            crashes += 1
            soak.sleep(3)
            guard server.start() else { throw ImpactError(.failed, code: "postgres", "the server did not start") }
        }
        soak.outcome.measured.append(("crashes of PostgreSQL", "\(crashes)"))
    }
}

/// How long after a kill everything that had arrived before it was committed.
final class RecoveryClock {
    private let soak: Soak
    private var pending: [(start: ContinuousClock.Instant, ends: [TopicPartition: Int64])] = []
    private var seconds: [Double] = []

    init(_ soak: Soak) { self.soak = soak }

    func begin() throws { pending.append((.now, try soak.stream.ends())) }

    func look() {
        guard !pending.isEmpty,
            let committed = try? soak.admin.committedOffsets(ofGroup: soak.application.name, stable: false)
        else { return }
        pending.removeAll { entry in
            guard entry.ends.allSatisfy({ committed[$0.key] ?? 0 >= $0.value }) else { return false }
            seconds.append((ContinuousClock.now - entry.start) / .seconds(1))
            return true
        }
    }

    var summary: [(name: String, value: String)] {
        let sorted = seconds.sorted()
        func quantile(_ q: Double) -> String {
            guard !sorted.isEmpty else { return "–" }
            return String(format: "%.1f s", sorted[min(sorted.count - 1, Int(q * Double(sorted.count)))])
        }
        return [
            ("time to recover p50", quantile(0.5)), ("time to recover p99", quantile(0.99)),
            ("not recovered before the end", "\(pending.count)"),
        ]
    }
}
