import Base
import Foundation
import Kafka
import Pipeline
import Settings
import Sinks
import TestSupport
import Testing

/// Topics that were deleted and made anew, while the application is stopped and while it runs: their offsets mean other records.
@Suite("Topics made anew", .serialized)
struct MadeAnewTests {
    private static let settings = ["group.instance.id=none"]

    @Test("A changelog that was deleted, and an input that was made anew, refuse the start")
    func topicsMadeAnew() throws {
        guard let broker = TestBroker.start() else { return }
        var seeds = SeededGenerator.announced()
        let run = try StateRun(broker, partitions: 1, settings: Self.settings)
        let harness = run.harness
        let (input, changelog) = (harness.configuration.inputTopics[0], harness.configuration.changelogTopic)
        let admin = try Admin(properties: ["bootstrap.servers": broker.bootstrap])
        defer { admin.close() }
        let trial = try StateRun.trial(200, users: 20, seed: seeds.next())
        try harness.produce(trial)
        try harness.run(until: 200)
        try harness.awaitEmpty(admin)
        func make(_ plan: TopicPlan) throws {
            try admin.delete(topics: [plan.name])
            for _ in 0..<100 {
                if try admin.create([plan])[plan.name] == .created { return }
                Thread.sleep(forTimeInterval: 0.1)
            }
        }
        try make(.events(input, partitions: 1))
        // More than were read before: the offset is not beyond the end, but it is another topic's.
        try harness.produce(trial + trial)
        #expect(harness.refusal() == "state_offsets_disagree")

        let mark = StateTie.Mark(last: nil, users: 3, changelog: 0).text
        try admin.alterOffsets(
            ofGroup: harness.configuration.applicationID,
            to: [TopicPartition(input, 0): CommittedOffset(100, metadata: mark)])
        try make(.changelog(changelog, partitions: 1))
        #expect(harness.refusal() == "state_offsets_disagree")
    }

    @Test(
        "An input made anew whose records have the times of the old one's is told by their content, markers at the end or not",
        arguments: [false, true])
    func madeAnewWithTheSameTimes(isTransactional: Bool) throws {
        guard let broker = TestBroker.start() else { return }
        var seeds = SeededGenerator.announced()
        let run = try StateRun(broker, partitions: 1, settings: Self.settings)
        let harness = run.harness
        let input = harness.configuration.inputTopics[0]
        let admin = try Admin(properties: ["bootstrap.servers": broker.bootstrap])
        defer { admin.close() }
        func produce(_ trial: [(key: [UInt8]?, value: [UInt8]?)]) throws {
            let producer = try OutputProducer(
                properties: ["bootstrap.servers": broker.bootstrap],
                options: ProducerOptions(transactionalID: isTransactional ? TestBroker.unique("it-writer") : nil))
            defer { producer.close() }
            producer.start()
            let topic = try producer.topic(input)
            producer.begin()
            for message in trial {
                try withOptionalBytes(message.key) { key in
                    try withOptionalBytes(message.value) { value in
                        try producer.produce(topic, key: key, value: value, timestamp: 1_795_255_200_000)
                    }
                }
            }
            guard case .committed = producer.commit() else { throw ImpactError(.failed, code: "test", "no commit") }
        }
        let trial = try StateRun.trial(100, users: 10, seed: seeds.next())
        try produce(trial)
        let place = TopicPartition(input, 0)
        let group = harness.configuration.applicationID
        // Behind the marker, when there is one.
        try harness.run(until: 100) {
            try admin.committed(ofGroup: group, partitions: [place])[place]?.offset == (isTransactional ? 101 : 100)
        }
        #expect(harness.refusal() == nil)
        let before = try run.changelog()
        try harness.awaitEmpty(admin)
        // A start that read nothing knows the record still.
        let committed = try admin.committed(ofGroup: group, partitions: [place])[place]
        let mark = try #require(committed.flatMap { StateTie.Mark($0.metadata) })
        #expect(mark.last?.offset == 99)
        #expect(mark.last?.timestamp == 1_795_255_200_000)
        #expect(committed?.offset == (isTransactional ? 101 : 100))

        // The same records in a new topic are the same topic to all that read it; others are not.
        for (events, isSame) in [(trial, true), (Array(trial.reversed()), false)] {
            try admin.delete(topics: [input])
            for _ in 0..<100 {
                if try admin.create([.events(input, partitions: 1)])[input] == .created { break }
                Thread.sleep(forTimeInterval: 0.1)
            }
            try produce(events + events)
            // With the topic the broker drops the group's offsets for it, at once or a moment later.
            try admin.alterOffsets(ofGroup: group, to: [place: try #require(committed)])
            if isSame {
                let committedAdmin = try Admin(properties: ["bootstrap.servers": broker.bootstrap], readCommitted: true)
                defer { committedAdmin.close() }
                func judge() throws -> [StateTie.Disagreement?] {
                    try StartCheck.findings(
                        harness.configuration, partitions: 1, admin: admin, committedAdmin: committedAdmin,
                        isStopped: { false }
                    ).map { StateTie.judge($0, isExactlyOnce: true) }
                }
                for _ in 0..<100 {
                    if try judge() == [nil] { break }
                    Thread.sleep(forTimeInterval: 0.1)
                    try admin.alterOffsets(ofGroup: group, to: [place: try #require(committed)])
                }
                #expect(try judge() == [nil])
            } else {
                #expect(harness.refusal() == "state_offsets_disagree")
            }
        }
        #expect(try run.changelog() == before)
    }

    @Test("An input deleted and made anew while it is read: what the new one holds is not taken for the old one's")
    func madeAnewWhileRunning() throws {
        guard let broker = TestBroker.start() else { return }
        var seeds = SeededGenerator.announced()
        let run = try StateRun(broker, partitions: 1, settings: Self.settings)
        let harness = run.harness
        let input = harness.configuration.inputTopics[0]
        let admin = try Admin(properties: ["bootstrap.servers": broker.bootstrap])
        defer { admin.close() }
        let trial = try StateRun.trial(300, users: 20, seed: seeds.next())
        try harness.produce(Array(trial[..<200]))
        try harness.run(until: 200)
        let before = try run.changelog()
        let published = try harness.scores.count
        try harness.awaitEmpty(admin)

        let application = try Application(configuration: harness.configuration, isStopped: { false })
        application.start()
        try admin.delete(topics: [input])
        for _ in 0..<100 {
            if try admin.create([.events(input, partitions: 1)])[input] == .created { break }
            Thread.sleep(forTimeInterval: 0.1)
        }
        try harness.produce(Array(trial[200...]))
        let deadline = ContinuousClock.now + .seconds(60)
        while !application.isStopping, ContinuousClock.now < deadline { Thread.sleep(forTimeInterval: 0.05) }
        #expect(application.isStopping)
        application.stop()
        let error = #expect(throws: ImpactError.self) { try application.wait() }
        #expect(["input_made_anew", "input_gone"].contains(error?.code))
        #expect(try run.changelog() == before)
        #expect(try harness.scores.count == published)
        try harness.awaitEmpty(admin)
        #expect(harness.refusal() == "state_offsets_disagree")
    }
}
