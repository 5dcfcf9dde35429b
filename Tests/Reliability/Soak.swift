import Base
import Foundation
import Kafka
import Synchronization
import Terminal

/// A long run: events arrive at a rate, processes work, something disturbs them, and at the end all is compared with an
/// undisturbed run over the same input.
package final class Soak {
    package struct Settings: Sendable {
        package var rate = 20_000.0
        package var seconds = 60.0
        package var partitions = 6
        package var users = 20_000
        package var seed: UInt64 = 1
        /// `key=value` for every process.
        package var settings: [String] = []
        package var logStore = TestApplication.StoreChoice.none

        package init() {}
    }

    package struct Outcome: Sendable {
        package var problems: [String] = []
        package var messages = 0
        package var scores = 0
        package var deadLetters = 0
        package var users = 0
        package var rows = 0
        /// Seconds from the end of the writing until everything was committed.
        package var drained = 0.0
        /// What the scenario measured, in the order of printing.
        package var measured: [(name: String, value: String)] = []
    }

    package let site: TestSite
    package let stream: TestStream
    package let application: TestApplication
    package let admin: Admin
    package let settings: Settings
    /// The processes by instance name.
    package private(set) var members: [String: ChildProcess] = [:]
    private var memberSettings: [String: [String]] = [:]
    package var outcome = Outcome()
    private let deadline: ContinuousClock.Instant
    /// After so many nothing is shown any more: a configuration that is refused, say.
    private static let mostProblems = 50

    package init(_ site: TestSite, name: String, _ settings: Settings) throws {
        self.site = site
        self.settings = settings
        stream = try TestStream(
            site, topic: "\(name)-events", partitions: settings.partitions, seed: settings.seed, users: settings.users)
        application = try TestApplication(
            "\(name)-app", stream: stream, logStore: settings.logStore,
            settings: [
                "kafka.consumer.session.timeout.ms=6000", "kafka.consumer.heartbeat.interval.ms=1000",
                "shutdown.timeout.ms=30000",
            ] + settings.settings)
        admin = try site.admin()
        deadline = .now + .seconds(settings.seconds)
    }

    /// Whether events still arrive.
    package var isGoingOn: Bool { ContinuousClock.now < deadline }

    /// Sleeps, but not past the end of the writing.
    package func sleep(_ seconds: Double) {
        let left = max(0, (deadline - .now) / .seconds(1))
        usleep(UInt32(min(seconds, left) * 1e6))
    }

    /// Starts a process under this name.
    package func start(_ instance: String, settings: [String]? = nil) throws {
        if let settings { memberSettings[instance] = settings }
        members[instance] = try application.launch(
            instance: instance, settings: memberSettings[instance] ?? [], logged: "soak")
    }

    /// Asks a process to leave and waits for it.
    package func stop(_ instance: String) {
        guard let member = members.removeValue(forKey: instance) else { return }
        member.says("pipeline: running")
        member.signal(SIGTERM)
        let ending = member.wait(seconds: 60)
        if ending != .exited(0) {
            outcome.problems.append(
                "\(instance) ended with \(ending.map { "\($0)" } ?? "nothing after 60 s"): \(member.tail)")
        }
    }

    package func killNow(_ instance: String) {
        members[instance]?.signal(SIGKILL)
        _ = members[instance]?.wait(seconds: 10)
    }

    /// Processes that have ended although nobody killed them are a finding; they are started again.
    package func lookAfter() throws {
        for (instance, member) in members {
            guard let ending = member.poll(), ending != .killed(signal: SIGKILL) else { continue }
            outcome.problems.append("\(instance) ended by itself with \(ending): \(member.tail)")
            guard outcome.problems.count < Self.mostProblems else {
                throw ImpactError(
                    .failed, code: "does_not_run", outcome.problems.suffix(3).joined(separator: "\n"))
            }
            try start(instance)
        }
    }

    /// Runs the whole: `disturb` is called once, while events arrive, and should return when ``isGoingOn`` is false.
    package func run(_ disturb: (Soak) throws -> Void) throws -> Outcome {
        defer { admin.close() }
        let writer = DispatchGroup()
        writer.enter()
        let (stream, rate) = (stream, settings.rate)
        let box = FailureBox()
        Thread.detachNewThread {
            do { try stream.write(perSecond: rate) } catch { box.value.withLock { $0 = error } }
            writer.leave()
        }
        defer {
            stream.stopWriting()
            writer.wait()
        }
        try disturb(self)
        while isGoingOn {
            try lookAfter()
            sleep(0.5)
        }
        stream.stopWriting()
        writer.wait()
        if let error = box.value.withLock({ $0 }) { throw error }
        try drain()
        try compare()
        return outcome
    }

    private func drain() throws {
        let ends = try stream.ends()
        let start = ContinuousClock.now
        while !application.isDone(ends, admin: admin) {
            try lookAfter()
            guard ContinuousClock.now - start < .seconds(300) else {
                let tails = members.values.map(\.tail).joined(separator: "\n--\n")
                throw ImpactError(.failed, code: "stuck", "not done 300 s after the last event:\n\(tails)")
            }
            usleep(50_000)
        }
        outcome.drained = (ContinuousClock.now - start) / .seconds(1)
        let left = members
        for instance in members.keys.sorted() { stop(instance) }
        countSpilled(left.values.map(\.tail))
    }

    /// With a bound on the state's memory: whether it was ever reached, as the processes say when they leave.
    private func countSpilled(_ tails: [String]) {
        guard settings.settings.contains(where: { $0.hasPrefix("state.memory.bytes=") }) else { return }
        let spilled = tails.compactMap { tail in tail.matches(of: /(\d+) users spilled/).last.flatMap { Int($0.1) } }
        outcome.measured.append(
            ("users spilled by those who stopped last", HumanNumber.grouped(spilled.reduce(0, +))))
        if spilled.isEmpty { outcome.problems.append("nobody's memory was full: the bound tested nothing") }
    }

    private func compare() throws {
        let reference = try TestApplication("\(application.name)-reference", stream: stream)
        let child = try reference.launch()
        let endings = try KillPointRun.finish([child], reference, stream.ends())
        if endings != [.exited(0)] { outcome.problems.append("the undisturbed run ended with \(endings)") }
        let snapshot = try Snapshot(of: application)
        outcome.problems += try snapshot.problems(against: Snapshot(of: reference))
        outcome.messages = stream.written
        outcome.scores = snapshot.scoreCount
        outcome.deadLetters = snapshot.deadLetterCount
        outcome.users = snapshot.userCount
        outcome.rows = snapshot.rowCount
        if snapshot.scoreCount == 0 { outcome.problems.append("nothing was published") }
        if outcome.problems.isEmpty {
            application.delete()
            reference.delete()
            stream.delete()
        }
    }
}

private final class FailureBox: Sendable {
    let value = Mutex<(any Error)?>(nil)
}
