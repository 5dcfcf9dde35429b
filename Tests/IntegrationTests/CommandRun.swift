import Base
import Foundation
import Kafka
import Reliability
import Sinks
import TestSupport
import Testing

/// One application whose commands are run as a user runs them, by the program, on a real broker with topics of its own.
final class CommandRun {
    let site: TestSite
    let folder: TemporaryFolder
    let name: String
    let input: String, output: String, deadLetters: String, changelog: String
    let admin: Admin
    private let settings: [String]

    init(_ broker: TestBroker, settings: [String] = []) throws {
        name = TestBroker.unique("commands")
        folder = try TemporaryFolder("commands")
        site = try TestSite(bootstrap: broker.bootstrap, folder: folder.path)
        (input, output) = ("\(name)-events", "\(name)-scores")
        (deadLetters, changelog) = ("\(name)-dead", "\(name)-state-changelog")
        admin = try site.admin()
        self.settings =
            [
                "bootstrap.servers=\(broker.bootstrap)", "application.id=\(name)", "input.topics=\(input)",
                "output.topic=\(output)", "dead.letter.topic=\(deadLetters)", "model.path=\(site.model)",
                "state.dir=\(folder.file("state"))", "state.checkpoint.interval.ms=200", "group.instance.id=none",
            ] + settings
    }

    deinit {
        try? admin.delete(topics: [input, output, deadLetters, changelog])
        admin.close()
    }

    /// Runs a command to its end, and expects its status.
    @discardableResult
    func run(
        _ words: [String], set more: [String] = [], expecting status: Int32 = 0, _ comment: Comment? = nil
    ) throws -> Spawn.Result {
        let all = (settings + more).flatMap { ["--set", $0] }
        let result = try Spawn.run([site.program] + words + all, environment: site.environment())
        #expect(result.status == status, "\(words): \(result.errors) \(comment ?? "")")
        return result
    }

    /// Records of a topic that a reader of committed ones gets.
    func records(_ topic: String) throws -> [(partition: Int32, record: DeadLetterEnvelope)] {
        try TopicRecords(topic, site: site).records
    }

    /// Runs the pipeline until a condition holds, then stops it; or until it ends by itself, or for two minutes.
    func pipeline(
        _ words: [String] = [], set more: [String] = [], until isEnough: () throws -> Bool
    ) throws -> (status: Int32, log: String, endedByItself: Bool) {
        let all = (settings + more).flatMap { ["--set", $0] }
        let log = folder.file("run-\(UUID().uuidString).log")
        let process = try ChildProcess(
            [site.program, "run"] + words + all, environment: site.environment(), log: log)
        let deadline = ContinuousClock.now + .seconds(120)
        while process.isRunning, ContinuousClock.now < deadline, try !isEnough() { usleep(50_000) }
        let endedByItself = !process.isRunning
        process.signal(SIGTERM)
        let ending = process.wait(seconds: 120)
        guard case .exited(let status)? = ending else {
            throw ImpactError(.failed, code: "test", "\(ending.map { "\($0)" } ?? "still running"): \(process.tail)")
        }
        return (status, try String(contentsOfFile: log, encoding: .utf8), endedByItself)
    }

    /// Whether a group has committed all that there is to read of the input.
    func hasReadAll(_ group: String? = nil) throws -> Bool {
        let reader = try site.admin(readCommitted: true)
        defer { reader.close() }
        let marks = try reader.watermarks(ofTopic: input)
        let places = marks.indices.map { TopicPartition(input, Int32($0)) }
        let committed = try admin.committed(ofGroup: group ?? name, partitions: places, stable: false)
        return zip(places, marks).allSatisfy { $1.high == $1.low || committed[$0]?.offset ?? 0 >= $1.high }
    }
}
