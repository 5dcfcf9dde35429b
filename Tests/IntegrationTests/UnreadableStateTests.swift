import Base
import Foundation
import Kafka
import Pipeline
import Settings
import Sinks
import Synchronization
import TestSupport
import Testing

/// Records of the changelog that nobody can read, on a real broker: quarantined once, their users begin anew, all others go on.
@Suite("Unreadable state", .serialized)
struct UnreadableStateTests {
    private static let time: Int64 = 1_767_225_600_000
    private static let users = ["bad", "healed", "erased", "a", "b", "c"]

    private static func events(_ users: [String], _ count: Int, from start: Int64) -> [(key: [UInt8]?, value: [UInt8]?)]
    {
        (0..<count).flatMap { i in
            users.flatMap { user in
                [
                    StateRun.event(user, "page_view", time: start + Int64(i) * 1_000, ",\"channel\":\"c\(i % 5)\""),
                    StateRun.event(user, "ad_view", time: start + Int64(i) * 1_000 + 1),
                ]
            }
        }
    }

    private func uplifts(_ run: StateRun, of user: String) throws -> [Double] {
        try run.harness.scores.filter { $0.key == Array(user.utf8) }.map { try ScoreText($0).uplift }
    }

    /// Writes to the changelog, as whoever may write there can.
    private func forge(_ run: StateRun, _ records: [(partition: Int32, user: String, value: [UInt8]?)]) throws {
        let producer = try OutputProducer(
            properties: ["bootstrap.servers": run.harness.broker.bootstrap], options: ProducerOptions())
        defer { producer.close() }
        let topic = try producer.topic(run.harness.configuration.changelogTopic)
        for record in records {
            try Array(record.user.utf8).withUnsafeBytes { key in
                try withOptionalBytes(record.value) { value in
                    try producer.produce(topic, partition: record.partition, key: key, value: value, timestamp: 77)
                }
            }
        }
        try producer.flush()
    }

    @Test(
        "The user begins anew, the record goes to the dead letter once, the others go on; a later record heals",
        arguments: ["rocksdb", "none"])
    func quarantined(store: String) throws {
        guard let broker = TestBroker.start() else { return }
        let run = try StateRun(broker, settings: ["state.store=\(store)"])
        let first = Self.events(Self.users, 5, from: Self.time)
        let second = Self.events(Self.users, 3, from: Self.time + 100_000)
        try run.harness.produce(first)
        try run.harness.run(until: first.count)
        let state = try run.changelog()
        func partition(_ user: String) -> Int32 { KeyPartition.murmur2(Array(user.utf8), of: run.harness.partitions) }
        let garbage: [UInt8] = [1, 0, 200, 7, 0xDE, 0xAD]
        try forge(
            run,
            [
                (partition("bad"), "bad", garbage), (partition("healed"), "healed", garbage),
                (partition("healed"), "healed", state[Array("healed".utf8)]), (partition("erased"), "erased", []),
                (partition("erased"), "erased", nil),
            ])
        // A restart with nothing to read quarantines all the same.
        let idle = try Application(configuration: run.harness.configuration, isStopped: { false })
        idle.start()
        let deadline = ContinuousClock.now + .seconds(60)
        while idle.context.metrics.unreadable.value < 1, ContinuousClock.now < deadline {
            Thread.sleep(forTimeInterval: 0.02)
        }
        idle.stop()
        try idle.wait()
        #expect(idle.context.metrics.unreadable.value == 1)
        #expect(idle.context.metrics.deadLetters.value(of: "unreadable_state") == 1)

        let dead = try run.harness.deadLetters
        #expect(dead.map(\.key) == [Array("bad".utf8)])
        #expect(dead.first?.value == garbage)
        #expect(dead.first?.timestamp == 77)
        #expect(dead.first?.header("impactiq.error.code") == "unreadable_state")
        #expect(dead.first?.header("impactiq.error.topic") == run.harness.configuration.changelogTopic)
        #expect(dead.first?.header("impactiq.error.partition") == "\(partition("bad"))")
        let forged = try run.harness.read(run.harness.configuration.changelogTopic).first {
            $0.value == garbage && $0.key == Array("bad".utf8)
        }
        #expect(dead.first?.header("impactiq.error.offset") == forged.map { "\($0.offset)" })
        #expect(try run.changelog()[Array("bad".utf8)] == nil, "a tombstone makes the quarantine final")

        try run.harness.produce(second)
        let metrics = try run.harness.run(until: second.count)
        #expect(metrics.unreadable.value == 0, "once is enough")
        #expect(try run.harness.deadLetters.count == 1)

        let whole = try StateRun(broker)
        try whole.harness.produce(first + second)
        try whole.harness.run(until: first.count + second.count)
        let fresh = try StateRun(broker)
        try fresh.harness.produce(second)
        try fresh.harness.run(until: second.count)
        for user in ["healed", "a", "b", "c"] { #expect(try uplifts(run, of: user) == uplifts(whole, of: user)) }
        let anew = try uplifts(fresh, of: "bad")
        #expect(try uplifts(whole, of: "bad").suffix(3) != anew[...], "the features must tell who begins anew")
        for user in ["bad", "erased"] { #expect(try uplifts(run, of: user).suffix(3) == anew[...]) }
        #expect(try run.verify().allSatisfy { $0.differing == 0 })
    }

    @Test("A limit of 0 refuses, changes nothing, and names the place; a record that is healed is not a reason")
    func strict() throws {
        guard let broker = TestBroker.start() else { return }
        let run = try StateRun(broker, partitions: 1, settings: ["state.changelog.max.unreadable=0"])
        let events = Self.events(["a", "b"], 2, from: Self.time)
        try run.harness.produce(events)
        try run.harness.run(until: events.count)
        let good = try #require(try run.changelog()[Array("a".utf8)])
        try forge(run, [(0, "a", [1, 2, 3]), (0, "a", good)])
        try run.harness.produce(events)
        try run.harness.run(until: events.count)
        try forge(run, [(0, "a", [1, 2, 3])])
        let before = try run.harness.read(run.harness.configuration.changelogTopic).count
        let application = try Application(configuration: run.harness.configuration, isStopped: { false })
        application.start()
        let error = #expect(throws: ImpactError.self) { try application.wait() }
        #expect(error?.code == "state_changelog_unreadable")
        #expect(error?.message.contains("\(run.harness.configuration.changelogTopic) [0]") == true)
        #expect(try run.harness.read(run.harness.configuration.changelogTopic).count == before)
        #expect(try run.harness.deadLetters.isEmpty)
    }

    @Test("One record of other features among ours does not stop a start; only such records do")
    func otherFeatures() throws {
        guard let broker = TestBroker.start() else { return }
        let run = try StateRun(broker, partitions: 1)
        let events = Self.events(["a", "b"], 2, from: Self.time)
        try run.harness.produce(events)
        try run.harness.run(until: events.count)
        var foreign = try #require(try run.changelog()[Array("a".utf8)])
        // The fingerprint.
        foreign[8] ^= 1
        try forge(run, [(0, "a", foreign)])
        try run.harness.produce(events)
        let metrics = try run.harness.run(until: events.count)
        #expect(metrics.unreadable.value == 1)
        try forge(run, (0..<200).map { (0, "x\($0)", foreign) })
        let error = #expect(throws: ImpactError.self) {
            let application = try Application(configuration: run.harness.configuration, isStopped: { false })
            application.start()
            try application.wait()
        }
        #expect(error?.code == "state_of_other_features")
    }
}
