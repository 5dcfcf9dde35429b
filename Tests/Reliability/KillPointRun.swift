import Base
import Foundation
import Kafka
import TestSupport

/// Kills at the steps of the protocol, over one seeded stream, and compares each time with an undisturbed run.
///
/// ```
///   life 1   killed after a few batches: there is state to restore and a transaction left open
///   life 2   killed at the step (must be reached)
///   life 3   killed at the step again, at another of its visits
///   life 4   runs to the end and leaves cleanly ─► snapshot == the undisturbed run's
/// ```
package final class KillPointRun: Sendable {
    /// What became of one case.
    package struct Outcome: Sendable {
        package var point: KillPoint
        package var seed: UInt64
        package var logStore: String
        package var kills = 0
        package var seconds = 0.0
        package var problems: [String] = []
    }

    /// How a step is reached.
    private enum Reach { case oncePerLife, often, logStore }

    package let stream: TestStream
    package let reference: Snapshot
    private let prefix: String
    private let postgres: TestPostgres?
    private static let settings = [
        // A commit after every small batch: many transactions in a short stream, on a slow machine and on a fast one.
        "commit.interval.ms=0", "batch.max.events=40", "kafka.consumer.session.timeout.ms=6000",
        "kafka.consumer.heartbeat.interval.ms=500", "shutdown.timeout.ms=20000",
    ]
    /// Transactions that grow over several batches as long as there is lag, as they do by default.
    private static let growing = ["commit.interval.ms=1", "commit.interval.max.ms=30"]

    /// Writes the stream and runs it once without a disturbance.
    package init(
        _ site: TestSite, prefix: String, seed: UInt64, messages: Int = 1_200, partitions: Int = 3,
        postgres: TestPostgres? = nil
    ) throws {
        self.prefix = prefix
        self.postgres = postgres
        stream = try TestStream(site, topic: "\(prefix)-events", partitions: partitions, seed: seed, users: 120)
        try stream.write(messages)
        let application = try TestApplication(
            "\(prefix)-reference", stream: stream, logStore: .sqlite, settings: Self.settings)
        let ending = try Self.live(application, kill: nil, ends: stream.ends())
        guard ending == .exited(0) else {
            throw ImpactError(.failed, code: "reference_run", "the undisturbed run ended with \(ending)")
        }
        reference = try Snapshot(of: application)
        // A run that publishes nothing would equal any other.
        guard reference.scoreCount > messages / 10, reference.deadLetterCount > 0, reference.userCount > 10 else {
            throw ImpactError(.failed, code: "reference_run", "the undisturbed run published next to nothing")
        }
        application.delete()
    }

    package func delete() { stream.delete() }

    /// The log stores that a step is tested with.
    package func logStores(of point: KillPoint) -> [String] {
        Self.reach(point) == .logStore && postgres != nil ? ["sqlite", "postgresql"] : ["sqlite"]
    }

    private static func reach(_ point: KillPoint) -> Reach {
        // Without a default: whoever adds a step decides here how a test comes to it.
        switch point {
        case .afterStart, .afterCommittedOffsets, .afterAssigned, .afterRestoreBatch, .beforeResume, .afterResume,
            .beforeRevokeCommit, .afterRevokeCommit, .afterDrop, .beforeLeave, .afterLeave,
            .checkpointBegin, .checkpointBatch, .checkpointEnd:
            // Passes come with the clock, and once more on leaving.
            .oncePerLife
        case .afterBegin, .afterDeadLetter, .afterScores, .beforeChangelog, .afterChangelog, .beforeSendOffsets,
            .afterSendOffsets, .duringCommit, .afterCommit, .afterAccept:
            .often
        case .logStoreAfterRows, .logStoreBeforeCommit, .logStoreAfterCommit: .logStore
        }
    }

    /// Passes into the local copy in the midst of the work, too, for the steps that are theirs.
    private static func settings(of point: KillPoint) -> [String] {
        [.checkpointBegin, .checkpointBatch, .checkpointEnd].contains(point)
            ? ["state.checkpoint.interval.ms=100"] : []
    }

    /// Runs one case; its topics and files go away when all is well.
    package func run(_ point: KillPoint, logStore: String = "sqlite") -> Outcome {
        var outcome = Outcome(point: point, seed: stream.seed, logStore: logStore)
        let start = ContinuousClock.now
        do {
            let name = "\(prefix)-\(point.rawValue)-\(logStore)"
            let application = try TestApplication(
                name, stream: stream, logStore: try store(logStore, name),
                settings: Self.settings + Self.settings(of: point))
            try run(point, application, &outcome)
            if outcome.problems.isEmpty { application.delete() }
        } catch {
            outcome.problems.append("\(error)")
        }
        outcome.seconds = (ContinuousClock.now - start) / .seconds(1)
        return outcome
    }

    private func run(_ point: KillPoint, _ application: TestApplication, _ outcome: inout Outcome) throws {
        let ends = try stream.ends()
        var random = SeededGenerator(
            seed: stream.seed ^ UInt64(truncatingIfNeeded: KillPoint.allCases.firstIndex(of: point) ?? 0))
        let isOften = Self.reach(point) == .often
        let steps = [
            // Its third transaction at the earliest: two are committed, so there is state to restore.
            "\(KillPoint.afterChangelog.rawValue):\(Int.random(in: 3...6, using: &random))",
            "\(point.rawValue):\(isOften ? Int.random(in: 1...6, using: &random) : 1)",
            "\(point.rawValue):\(isOften ? Int.random(in: 1...6, using: &random) : 1)",
        ]
        for (life, step) in steps.enumerated() {
            let ending = try Self.live(
                application, kill: step, ends: ends, settings: life == 2 ? Self.growing : [])
            if ending == .killed(signal: SIGKILL) {
                outcome.kills += 1
            } else if ending != .exited(0) {
                outcome.problems.append("killed at \(step): ended with \(ending)")
            }
            // The third life may find all work done before it comes to a log store's step.
            if life == 1, ending != .killed(signal: SIGKILL) { outcome.problems.append("\(step) was not reached") }
        }
        let ending = try Self.live(application, kill: nil, ends: ends)
        if ending != .exited(0) { outcome.problems.append("the last life ended with \(ending)") }
        outcome.problems += try Snapshot(of: application).problems(against: reference)
    }

    /// A partition goes to another member in the middle of the work, and its owner dies at this step of handing it over.
    package func runRebalance(_ point: KillPoint) -> Outcome {
        var outcome = Outcome(point: point, seed: stream.seed, logStore: "none")
        let start = ContinuousClock.now
        do {
            let application = try TestApplication(
                "\(prefix)-\(point.rawValue)-moved", stream: stream,
                // Slow, and not taken for dead while it is stopped.
                settings: Self.settings + ["batch.max.events=10", "kafka.consumer.session.timeout.ms=90000"])
            try rebalance(point, application, &outcome)
            if outcome.problems.isEmpty { application.delete() }
        } catch {
            outcome.problems.append("\(error)")
        }
        outcome.seconds = (ContinuousClock.now - start) / .seconds(1)
        return outcome
    }

    private func rebalance(_ point: KillPoint, _ application: TestApplication, _ outcome: inout Outcome) throws {
        let ends = try stream.ends()
        let admin = try stream.site.admin()
        defer { admin.close() }
        let first = try application.launch(instance: "a", killPoint: point.rawValue)
        Self.wait { application.progress(admin: admin) >= 40 || !first.isRunning }
        // However slow the machine is, there is work left when the other one has joined.
        first.signal(SIGSTOP)
        let second = try application.launch(instance: "b")
        try Self.wait { try admin.members(ofGroup: application.name).count == 2 }
        first.signal(SIGCONT)
        guard first.wait(seconds: 60) == .killed(signal: SIGKILL) else {
            outcome.problems.append("\(point.rawValue) was not reached when another member joined")
            return
        }
        outcome.kills += 1
        if application.isDone(ends, admin: admin) { outcome.problems.append("nothing was left to do at the kill") }
        let again = try application.launch(instance: "a")
        for ending in try Self.finish([again, second], application, ends) where ending != .exited(0) {
            outcome.problems.append("a member ended with \(ending)")
        }
        outcome.problems += try Snapshot(of: application).problems(against: reference)
    }

    /// Waits for a condition, but not for ever: what was to come of it is judged afterwards.
    private static func wait(until isMet: () throws -> Bool) rethrows {
        let deadline = ContinuousClock.now + .seconds(60)
        while try !isMet(), ContinuousClock.now < deadline { usleep(5_000) }
    }

    /// One process from its start to its end, which it is asked for when all is done.
    private static func live(
        _ application: TestApplication, kill: String?, ends: [TopicPartition: Int64], settings: [String] = []
    ) throws -> ChildProcess.Ending {
        try finish([application.launch(killPoint: kill, settings: settings)], application, ends)[0]
    }

    /// Waits until the processes have done all, or have died, and asks those that live to leave.
    package static func finish(
        _ children: [ChildProcess], _ application: TestApplication, _ ends: [TopicPartition: Int64]
    ) throws -> [ChildProcess.Ending] {
        let patience = Duration.seconds(90)
        let admin = try application.stream.site.admin()
        defer { admin.close() }
        var deadline = ContinuousClock.now + patience
        let end = ends.values.reduce(0, +)
        var progress: Int64 = 0
        while children.contains(where: \.isRunning) {
            let committed = application.progress(admin: admin)
            if committed == end { break }
            if committed > progress { (progress, deadline) = (committed, .now + patience) }
            guard ContinuousClock.now < deadline else {
                let tails = children.map(\.tail).joined(separator: "\n--\n")
                throw ImpactError(
                    .failed, code: "stuck", "\(application.name) has committed nothing for \(patience):\n\(tails)")
            }
            usleep(20_000)
        }
        for child in children {
            // Before that line it has not yet taken the signal over, and would just die.
            child.says("pipeline: running")
            child.signal(SIGTERM)
        }
        return try children.map { child in
            if let ending = child.wait(seconds: 60) { return ending }
            throw ImpactError(.failed, code: "stuck", "\(application.name) does not leave:\n\(child.tail)")
        }
    }

    private func store(_ kind: String, _ name: String) throws -> TestApplication.StoreChoice {
        guard kind == "postgresql", let postgres else { return .sqlite }
        return .postgresql(url: try postgres.freshSchema(name))
    }
}
