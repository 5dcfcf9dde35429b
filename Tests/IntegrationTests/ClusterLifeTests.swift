import Base
import Commands
import Foundation
import Kafka
import Pipeline
import Settings
import Sinks
import TestSupport
import Testing

/// What becomes of an application when somebody changes the cluster under it.
@Suite("Life on a cluster", .serialized)
struct ClusterLifeTests {
    private static let settings = ["group.instance.id=none"]

    @Test("Offsets set by another program, or gone, refuse the start; aligned, nothing is counted twice")
    func tie() throws {
        guard let broker = TestBroker.start() else { return }
        var seeds = SeededGenerator.announced()
        let run = try StateRun(broker, partitions: 2, settings: Self.settings)
        let harness = run.harness
        let group = harness.configuration.applicationID
        let admin = try Admin(properties: ["bootstrap.servers": broker.bootstrap])
        defer { admin.close() }
        try harness.produce(try StateRun.trial(400, users: 40, seed: seeds.next()))
        try harness.run(until: 400)
        let before = try run.changelog()
        let published = try harness.scores.count
        let places = (0..<2).map { TopicPartition(harness.configuration.inputTopics[0], Int32($0)) }
        let committed = try admin.committed(ofGroup: group, partitions: places)
        #expect(committed.values.allSatisfy { StateTie.Mark($0.metadata)?.last?.checksum != nil })
        try harness.awaitEmpty(admin)

        try admin.alterOffsets(ofGroup: group, to: Dictionary(uniqueKeysWithValues: places.map { ($0, Int64(0)) }))
        #expect(harness.refusal() == "state_offsets_disagree")
        try admin.delete(group: group)
        #expect(harness.refusal() == "state_offsets_disagree")
        // Refused, nothing was touched.
        #expect(try run.changelog() == before)

        let mark = StateTie.Mark(last: nil, users: 0, changelog: 0, isAligned: true).text
        try admin.alterOffsets(
            ofGroup: group, to: committed.mapValues { CommittedOffset($0.offset, metadata: mark) })
        #expect(harness.refusal() == nil)
        #expect(try run.changelog() == before)
        #expect(try harness.scores.count == published)
    }

    @Test(
        "Partitions added under a running process end it at once; state grown to them gives the scores of one without")
    func growth() throws {
        guard let broker = TestBroker.start() else { return }
        var seeds = SeededGenerator.announced()
        let seed = seeds.next()
        let trial = try StateRun.trial(900, users: 60, seed: seed)
        let plain = try StateRun(broker, partitions: 2, settings: Self.settings)
        let grown = try StateRun(broker, partitions: 2, settings: Self.settings)
        let admin = try Admin(properties: ["bootstrap.servers": broker.bootstrap])
        defer { admin.close() }
        for run in [plain, grown] {
            try run.harness.produce(Array(trial[..<450]))
            try run.harness.run(until: 450)
        }
        let harness = grown.harness
        try harness.awaitEmpty(admin)

        let application = try Application(configuration: harness.configuration, isStopped: { false })
        application.start()
        try admin.grow(topic: harness.configuration.inputTopics[0], to: 5)
        let deadline = ContinuousClock.now + .seconds(20)
        while !application.isStopping, ContinuousClock.now < deadline { Thread.sleep(forTimeInterval: 0.05) }
        #expect(application.isStopping)
        application.stop()
        #expect(throws: ImpactError.self) { try application.wait() }
        #expect(harness.refusal() == "topic_misfit")

        try harness.awaitEmpty(admin)
        let growth = try StateGrowth(
            harness.configuration, to: 5, partitioner: .murmur2, admin: admin, isStopped: { false }, progress: { _ in })
        #expect(growth.plan.astray == 0)
        #expect(growth.plan.moving > 0)
        try growth.carryOut { _ in }
        // Once more moves nobody.
        let again = try StateGrowth(
            harness.configuration, to: 5, partitioner: .murmur2, admin: admin, isStopped: { false }, progress: { _ in })
        #expect(again.plan.moving == 0)
        #expect(again.plan.users == growth.plan.users)
        try again.carryOut { _ in }

        // The state still says how far it goes: a group that is deleted now is found out, and aligned.
        let input = harness.configuration.inputTopics[0]
        let group = harness.configuration.applicationID
        let places = (0..<5).map { TopicPartition(input, Int32($0)) }
        let committed = try admin.committed(ofGroup: group, partitions: places)
        #expect(committed.count == 5)
        try admin.alterOffsets(ofGroup: group, to: [places[0]: CommittedOffset(0)])
        #expect(throws: ImpactError.self) {
            _ = try StateGrowth(
                harness.configuration, to: 7, partitioner: .murmur2, admin: admin, isStopped: { false },
                progress: { _ in })
        }
        try admin.delete(group: group)
        #expect(harness.refusal() == "state_offsets_disagree")
        let committedAdmin = try Admin(properties: ["bootstrap.servers": broker.bootstrap], readCommitted: true)
        defer { committedAdmin.close() }
        let findings = try StartCheck.findings(
            harness.configuration, partitions: 5, admin: admin, committedAdmin: committedAdmin, isStopped: { false })
        #expect(
            findings.filter(\.hasState).map(\.state) == findings.filter(\.hasState).map { committed[$0.input]?.offset })
        #expect(findings.filter(\.hasState).count >= 4)
        try admin.alterOffsets(ofGroup: group, to: committed)

        for run in [plain, grown] {
            try run.harness.produce(Array(trial[450...]))
            try run.harness.run(until: 450)
        }
        #expect(try byUser(plain) == byUser(grown))
        try joins(plain, grown)
        #expect(try plain.changelog().filter { $0.value.isEmpty }.isEmpty)
    }

    /// Whoever reads the grown topic from its beginning as one gets what was published, byte for byte, and the rows of the topic
    /// that never grew.
    private func joins(_ plain: StateRun, _ grown: StateRun) throws {
        let folder = try TemporaryFolder("joined")
        func settings(_ run: StateRun) -> [String] {
            let c = run.harness.configuration
            return [
                "bootstrap.servers=\(run.harness.broker.bootstrap)", "input.topics=\(c.inputTopics[0])",
                "model.path=\(c.modelPath)", "event.time.max.ahead.ms=2000000000000",
            ].flatMap { ["--set", $0] }
        }
        let against = ["replay"] + settings(grown) + ["--against", grown.harness.configuration.outputTopic]
        #expect(CommandLineTool.run(against + ["--join-users"]) == 0)
        #expect(CommandLineTool.run(against) != 0, "each partition by itself")
        #expect(CommandLineTool.run(against + ["--join-users", "--split-users"]) == 64)

        func rows(_ run: StateRun, _ words: [String], _ name: String) throws -> [String] {
            let file = folder.file(name)
            #expect(
                CommandLineTool.run(
                    ["rows"] + settings(run) + [
                        "--features", "\(SharedMaterial.repository.path)/examples/demo/features.json", "--out", file,
                    ] + words) == 0)
            // Without the place of the event.
            return try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n").map {
                $0.split(separator: ",", maxSplits: 2, omittingEmptySubsequences: false).last.map(String.init) ?? ""
            }.sorted()
        }
        let expected = try rows(plain, [], "plain.csv")
        #expect(expected.count > 50)
        #expect(try rows(grown, ["--join-users"], "joined.csv") == expected)
        #expect(try rows(grown, ["--split-users"], "split.csv") != expected)
    }

    /// Each user's scores in their order, without the place of the event.
    private func byUser(_ run: StateRun) throws -> [String: [String]] {
        // Records are sorted by partition; a user's are in at most two, the old one first only when its number is lower:
        // sorted by text, which begins with the time.
        try run.harness.scores.reduce(into: [String: [String]]()) { users, record in
            let text = record.text
            guard let source = text.range(of: ",\"source\"") else { return }
            users[String(decoding: record.key ?? [], as: UTF8.self), default: []].append(
                String(text[..<source.lowerBound]))
        }.mapValues { $0.sorted() }
    }

    @Test("A user is found and erased in every partition that knows them, whoever placed the events")
    func splitUser() throws {
        guard let broker = TestBroker.start() else { return }
        let run = try StateRun(broker, partitions: 3, settings: Self.settings)
        let configuration = run.harness.configuration
        let producer = try OutputProducer(
            properties: ["bootstrap.servers": broker.bootstrap], options: ProducerOptions())
        defer { producer.close() }
        let topic = try producer.topic(configuration.inputTopics[0])
        let user = Array("split".utf8)
        let own = KeyPartition.murmur2(user, of: 3)
        let others = (0..<Int32(3)).filter { $0 != own }
        for (i, partition) in others.enumerated() {
            let event = StateRun.event("split", "page_view", time: 1_795_255_200_000 + Int64(i))
            try user.withUnsafeBytes { key in
                try (event.value ?? []).withUnsafeBytes { value in
                    try producer.produce(
                        topic, partition: partition, key: key, value: value,
                        headers: [RecordHeader("other", text: "x")], timestamp: 1_795_255_200_000)
                }
            }
        }
        try producer.flush()
        try run.harness.run(until: 2)
        #expect(try UserLookup.find("split", configuration: configuration, all: true).map(\.partition) == others)
        #expect(try UserLookup.places(of: "split", configuration: configuration).map(\.partition) == others)
        #expect(try UserLookup.find("split", configuration: configuration, partition: own).isEmpty)
    }

    @Test("Trace headers go from an event to its score, others do not; order and bytes stay")
    func traceHeaders() throws {
        guard let broker = TestBroker.start() else { return }
        let run = try StateRun(broker, partitions: 1, settings: Self.settings)
        let producer = try OutputProducer(
            properties: ["bootstrap.servers": broker.bootstrap], options: ProducerOptions())
        defer { producer.close() }
        let topic = try producer.topic(run.harness.configuration.inputTopics[0])
        for i in 0..<6 {
            let event = StateRun.event("u", "ad_view", time: 1_795_255_200_000 + Int64(i))
            let headers =
                i % 2 == 0
                ? [
                    RecordHeader("traceparent", text: "00-\(i)"), RecordHeader("secret", text: "no"),
                    RecordHeader("X-Correlation-Id", text: "c\(i)"),
                ] : []
            try Array("u".utf8).withUnsafeBytes { key in
                try (event.value ?? []).withUnsafeBytes { value in
                    try producer.produce(
                        topic, partition: 0, key: key, value: value, headers: headers, timestamp: 1_795_255_200_000)
                }
            }
        }
        try producer.flush()
        try run.harness.run(until: 6)
        let scores = try run.harness.scores
        #expect(try scores.map { try ScoreText($0).source.offset } == Array(0..<6))
        #expect(scores.map { $0.header("traceparent") } == ["00-0", nil, "00-2", nil, "00-4", nil])
        #expect(scores.map { $0.header("X-Correlation-Id") } == ["c0", nil, "c2", nil, "c4", nil])
        #expect(scores.allSatisfy { $0.header("secret") == nil })

        // A replay into a topic publishes the same records, headers and all.
        let topicName = TestBroker.unique("it-replayed")
        let c = run.harness.configuration
        let settings = [
            "bootstrap.servers=\(broker.bootstrap)", "input.topics=\(c.inputTopics[0])", "model.path=\(c.modelPath)",
            "event.time.max.ahead.ms=2000000000000",
        ]
        #expect(
            CommandLineTool.run(
                ["replay"] + settings.flatMap { ["--set", $0] } + ["--out", "topic:\(topicName)"]) == 0)
        let replayed = try run.harness.read(topicName)
        #expect(replayed.map(\.text) == scores.map(\.text))
        #expect(replayed.map(\.headers) == scores.map(\.headers))
        #expect(replayed.map(\.key) == scores.map(\.key))
        #expect(replayed.map(\.timestamp) == scores.map(\.timestamp))
    }
}
