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
    private func forge(
        _ run: StateRun, _ records: [(partition: Int32, user: String, value: [UInt8]?)], positions: String? = nil
    ) throws {
        let producer = try OutputProducer(
            properties: ["bootstrap.servers": run.harness.broker.bootstrap], options: ProducerOptions())
        defer { producer.close() }
        let topic = try producer.topic(run.harness.configuration.changelogTopic)
        for record in records {
            try Array(record.user.utf8).withUnsafeBytes { key in
                try withOptionalBytes(record.value) { value in
                    try producer.produce(
                        topic, partition: record.partition, key: key, value: value,
                        headers: positions.map { [RecordHeader(StateTie.header, text: $0)] } ?? [], timestamp: 77)
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
        if store == "rocksdb" { #expect(try run.verify().reduce(0) { $0 + $1.unreadable } == 1) }
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

    /// Starts the application without anything to read, until `isDone`.
    private func runIdle(_ run: StateRun, until isDone: (PipelineMetrics) -> Bool) throws -> PipelineMetrics {
        let idle = try Application(configuration: run.harness.configuration, isStopped: { false })
        idle.start()
        let deadline = ContinuousClock.now + .seconds(60)
        while !isDone(idle.context.metrics), !idle.isStopping, ContinuousClock.now < deadline {
            Thread.sleep(forTimeInterval: 0.02)
        }
        idle.stop()
        try idle.wait()
        return idle.context.metrics
    }

    @Test(
        "A header that names what cannot be is set aside with its record, once; all others go on",
        arguments: ["rocksdb", "none"], ["beyond the end", "another record"])
    func forgedPosition(store: String, kind: String) throws {
        guard let broker = TestBroker.start() else { return }
        let run = try StateRun(broker, partitions: 1, settings: ["state.store=\(store)", "group.instance.id=none"])
        let topic = run.harness.configuration.inputTopics[0]
        let first = Self.events(["a", "b", "c"], 4, from: Self.time)
        let second = Self.events(["a", "b", "c"], 3, from: Self.time + 100_000)
        try run.harness.produce(first)
        try run.harness.run(until: first.count)
        let state = try run.changelog()
        let value = try #require(state[Array("b".utf8)])
        // What can be read, of features that fit: only the header gives it away. Some events are unread, so that an offset may
        // lie within the topic and be another record's.
        if kind == "another record" { try run.harness.produce(second) }
        try forge(
            run, [(0, "a", value), (0, "b", value)],
            positions: kind == "another record" ? "\(topic)=\(first.count + 3)@5" : "\(topic)=999999999@5")
        let metrics = try runIdle(run) { $0.unreadable.value >= 2 }
        #expect(metrics.unreadable.value == 2)
        let dead = try run.harness.deadLetters
        #expect(dead.map(\.key) == [Array("a".utf8), Array("b".utf8)])
        #expect(dead.first?.value == value)
        #expect(dead.first?.header("impactiq.error.code") == "unreadable_state")
        #expect(dead.first?.header("impactiq.error.message")?.contains("its header says") == true)

        if kind != "another record" { try run.harness.produce(second) }
        let published = try run.harness.scores.count
        if published < (first.count + second.count) / 2 {
            _ = try runIdle(run) { _ in ((try? run.harness.scores.count) ?? 0) >= (first.count + second.count) / 2 }
        }
        let again = try runIdle(run) { $0.restoredUsers.value + $0.replayedRecords.value > 0 }
        #expect(again.unreadable.value == 0, "once is enough")
        #expect(try run.harness.deadLetters.count == 2)
        let fresh = try StateRun(broker, partitions: 1)
        try fresh.harness.produce(second)
        try fresh.harness.run(until: second.count)
        let whole = try StateRun(broker, partitions: 1)
        try whole.harness.produce(first + second)
        try whole.harness.run(until: first.count + second.count)
        #expect(try uplifts(run, of: "c") == uplifts(whole, of: "c"))
        for user in ["a", "b"] {
            #expect(try uplifts(run, of: user).count == 7)
            #expect(try uplifts(run, of: user).suffix(3) == uplifts(fresh, of: user)[...])
        }
    }

    @Test(
        "A forged header is refused with a limit of 0; an alignment lasts until the changelog has said how far it goes")
    func forgedAndStrict() throws {
        guard let broker = TestBroker.start() else { return }
        let settings = ["group.instance.id=none", "state.store=none"]
        let run = try StateRun(broker, partitions: 1, settings: settings + ["state.changelog.max.unreadable=0"])
        let harness = run.harness
        let topic = harness.configuration.inputTopics[0]
        let events = Self.events(["a", "b"], 2, from: Self.time)
        try harness.produce(events)
        try harness.run(until: events.count)
        let value = try #require(try run.changelog()[Array("a".utf8)])
        try forge(run, [(0, "a", value)], positions: "\(topic)=999@5")
        let error = #expect(throws: ImpactError.self) { _ = try runIdle(run) { _ in false } }
        #expect(error?.code == "state_changelog_unreadable")
        #expect(error?.message.contains("offset 999") == true)
        #expect(try harness.deadLetters.isEmpty)

        // Ahead of the offset, and not to be told from the truth: refused, until a person says how to go on.
        try harness.produce([(nil, [UInt8]("{".utf8)), (nil, [UInt8]("{".utf8))])
        let admin = try Admin(properties: ["bootstrap.servers": broker.bootstrap])
        defer { admin.close() }
        let place = TopicPartition(topic, 0)
        try forge(run, [(0, "a", value)], positions: "\(topic)=\(events.count + 1)")
        let refused = #expect(throws: ImpactError.self) { _ = try runIdle(run) { _ in false } }
        #expect(refused?.code == "state_offsets_disagree")
        let group = harness.configuration.applicationID
        func committed() throws -> CommittedOffset? {
            try admin.committed(ofGroup: group, partitions: [place])[place]
        }
        let offset = try #require(try committed()).offset
        let mark = StateTie.Mark(last: nil, users: 0, changelog: 0, isAligned: true).text
        try admin.alterOffsets(ofGroup: group, to: [place: CommittedOffset(offset, metadata: mark)])
        // Two dead letters are commits that write nothing to the changelog.
        for _ in 0..<2 { _ = try runIdle(run) { _ in ((try? committed()?.offset) ?? 0) >= offset + 2 } }
        #expect(try StateTie.Mark(#require(try committed()).metadata)?.isAligned == true)
        #expect(try harness.deadLetters.count == 2)
        try harness.produce(events)
        _ = try runIdle(run) { _ in ((try? committed()?.offset) ?? 0) >= offset + 2 + Int64(events.count) }
        #expect(try StateTie.Mark(#require(try committed()).metadata)?.isAligned == false)
        _ = try runIdle(run) { $0.replayedRecords.value > 0 }
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
