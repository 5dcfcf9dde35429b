import Base
import Consumer
import Foundation
import Kafka
import Pipeline
import Settings
import Synchronization
import TestSupport
import Testing

/// A static member whose place in the group is taken: it joins anew, and nothing is lost or doubled.
@Suite("Fenced member", .serialized)
struct FencedMemberTests {
    @Test("A member that another of its name fences stops at once, joins anew, and goes on from what was committed")
    func joinsAnew() throws {
        guard let broker = TestBroker.start() else { return }
        let messages = try StateRun.trial(4_000, users: 300, seed: 31)
        let whole = try StateRun(broker, settings: ["state.store=none"])
        try whole.harness.produce(messages)
        try whole.harness.run(until: 4_000)

        let name = TestBroker.unique("member")
        let run = try StateRun(
            broker,
            settings: [
                "group.instance.id=\(name)", "kafka.consumer.session.timeout.ms=10000",
                "kafka.consumer.heartbeat.interval.ms=300",
            ])
        let configuration = run.harness.configuration
        let application = try Application(configuration: configuration, isStopped: { false })
        application.start()
        try run.harness.produce(Array(messages[..<2_000]))
        wait(for: "the first part") { application.context.metrics.messages.value >= 2_000 }

        try takePlace(of: "\(name)-0", configuration)
        try run.harness.produce(Array(messages[2_000...]))
        let admin = try Admin(properties: configuration.kafkaProperties(client: "consumer"))
        defer { admin.close() }
        let ends = try admin.watermarks(ofTopic: configuration.inputTopics[0]).map(\.high)
        try wait(for: "the second part") {
            let committed = try admin.committedOffsets(ofGroup: configuration.applicationID, stable: false)
            return ends.indices.allSatisfy {
                committed[TopicPartition(configuration.inputTopics[0], Int32($0))] ?? 0 == ends[$0]
            }
        }
        application.stop()
        try application.wait()
        #expect(try run.scores() == whole.scores())
        #expect(try run.changelog() == whole.changelog())
    }

    /// Joins the group under the member's name, stays until it has partitions or is fenced in turn, and goes away.
    private func takePlace(of instance: String, _ configuration: Configuration) throws {
        var options = ConsumerOptions(group: configuration.applicationID)
        options.groupInstance = instance
        let rival = try EventConsumer(
            properties: configuration.kafkaProperties(client: "consumer"), topics: configuration.inputTopics,
            options: options, component: "rival")
        defer { rival.close() }
        try rival.subscribe()
        var wasAssigned = false
        wait(for: "the rival to take the place") {
            _ = try? rival.poll(max: 1, timeoutMilliseconds: 20)
            wasAssigned = wasAssigned || !rival.assignment.owned.isEmpty
            return wasAssigned || rival.isFenced
        }
    }

    private func wait(for what: String, seconds: Double = 90, until isTrue: () throws -> Bool) rethrows {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while try !isTrue() {
            guard ContinuousClock.now < deadline else {
                Issue.record("waited \(seconds) s in vain for \(what)")
                return
            }
            Thread.sleep(forTimeInterval: 0.02)
        }
    }
}
