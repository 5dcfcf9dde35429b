import Base
import Commands
import Events
import Foundation
import Kafka
import Pipeline
import Reliability
import Settings
import Sinks
import TestSupport
import Testing

/// What users see when they use the product in other ways than its makers thought of.
@Suite("Odd use", .serialized)
struct OddUseTests {
    @Test("Lag is what can be read: behind an open transaction nothing can, right after a start as well as later")
    func lagBehindTransaction() throws {
        guard let broker = TestBroker.start() else { return }
        var seeds = SeededGenerator.announced()
        let harness = try StateRun(broker, partitions: 1, settings: ["group.instance.id=none"]).harness
        let trial = try StateRun.trial(150, users: 10, seed: seeds.next())
        try harness.produce(Array(trial[..<100]))
        var options = ProducerOptions(transactionalID: TestBroker.unique("it-writer"))
        options.transactionTimeoutMilliseconds = 600_000
        let writer = try OutputProducer(properties: ["bootstrap.servers": broker.bootstrap], options: options)
        defer { writer.close() }
        writer.start()
        let topic = try writer.topic(harness.configuration.inputTopics[0])
        writer.begin()
        for message in trial[100...] {
            try withOptionalBytes(message.key) { key in
                try withOptionalBytes(message.value) { value in
                    try writer.produce(topic, key: key, value: value, timestamp: 1_795_255_200_000)
                }
            }
        }
        try writer.flush()

        /// Every lag that a life shows until it has taken so many messages and says that none is left.
        func lags(untilTaken count: Int) throws -> Set<Double> {
            let application = try Application(configuration: harness.configuration, isStopped: { false })
            let metrics = application.context.metrics
            application.start()
            let deadline = ContinuousClock.now + .seconds(120)
            var seen: Set<Double> = []
            while ContinuousClock.now < deadline, !application.isStopping {
                let isAll = metrics.messages.value >= count
                let lag = metrics.lag.total
                if let lag { seen.insert(lag) }
                if isAll, lag == 0 { break }
                Thread.sleep(forTimeInterval: 0.002)
            }
            application.stop()
            try application.wait()
            #expect(metrics.messages.value == count)
            return seen
        }
        let first = try lags(untilTaken: 100)
        #expect(first.contains(0) && first.allSatisfy { $0 <= 100 }, "\(first.sorted())")
        #expect(try lags(untilTaken: 0) == [0])
        guard case .committed = writer.commit() else { throw ImpactError(.failed, code: "test", "no commit") }
        // The transaction's marker may count until the end is reached.
        let last = try lags(untilTaken: 50)
        #expect(last.contains(0) && last.allSatisfy { $0 <= 51 }, "\(last.sorted())")
        let admin = try Admin(properties: ["bootstrap.servers": broker.bootstrap])
        defer { admin.close() }
        let place = TopicPartition(harness.configuration.inputTopics[0], 0)
        let group = harness.configuration.applicationID
        #expect(try admin.committed(ofGroup: group, partitions: [place])[place]?.offset == 151)
        #expect(try admin.watermarks(of: place).high == 151)
    }

    @Test("state get shows each part of a split user, and says that the parts count apart")
    func partsOfAUser() throws {
        guard let broker = TestBroker.start() else { return }
        let application = try CommandRun(broker)
        try application.run(["topics", "create", "--partitions", "3"])
        let producer = try OutputProducer(
            properties: application.site.properties, options: ProducerOptions())
        defer { producer.close() }
        let topic = try producer.topic(application.input)
        let user = Array("split".utf8)
        let others = (0..<Int32(3)).filter { $0 != KeyPartition.murmur2(user, of: 3) }
        let now = Int64(Date().timeIntervalSince1970 * 1_000)
        for (i, partition) in others.enumerated() {
            for _ in 0...i {
                let event = StateRun.event("split", "page_view", time: now)
                try user.withUnsafeBytes { key in
                    try (event.value ?? []).withUnsafeBytes { value in
                        try producer.produce(topic, partition: partition, key: key, value: value, timestamp: now)
                    }
                }
            }
        }
        try producer.flush()
        #expect(try application.pipeline(until: { try application.hasReadAll() }).status == 0)
        let lines = try application.run(["state", "get", "split", "--json"]).text.split(separator: "\n")
        let objects = try lines.map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        #expect(objects.map { $0["partition"] as? Int } == others.map { Int($0) })
        #expect(objects.map { $0["events"] as? Int } == [1, 2])
        #expect(objects.allSatisfy { $0["partitions"] as? [Int] == others.map { Int($0) } })
        let text = try application.run(["state", "get", "split"]).text
        #expect(
            text.hasSuffix(
                "\nnote: the user's events are in 2 partitions, which count apart: some producers place keys in another way than "
                    + "others, or the topic has got partitions ('impactiq state placement' counts such users)\n"))
        // The quick look stops where it finds the user, and finds one who is not where murmur2 says.
        #expect(try application.run(["state", "get", "split", "--first"]).text.contains("events are in 2 partitions"))
        #expect(
            !(try application.run(["state", "get", "split", "--partition", "\(others[0])"]).text.contains("note:")))
    }

    @Test("A second application over a topic that has grown refuses; run --split-users begins, once and for all")
    func splitUsers() throws {
        guard let broker = TestBroker.start() else { return }
        let application = try CommandRun(broker)
        let events = { (seed: Int) in
            try application.run([
                "generate", "--events", "300", "--users", "60", "--seed", "\(seed)", "--to",
                "topic:\(application.input)",
            ])
        }
        try application.run(["topics", "create", "--partitions", "2"])
        _ = try events(1)
        #expect(try application.pipeline(until: { try application.hasReadAll() }).status == 0)
        try application.run(["topics", "grow", "--partitions", "3", "--yes"])
        _ = try events(2)
        // Its own state has moved: it goes on.
        #expect(try application.pipeline(until: { try application.hasReadAll() }).status == 0)

        let second = "\(application.name)-second"
        let other = ["application.id=\(second)", "output.topic=\(second)-scores", "dead.letter.topic=\(second)-dead"]
        defer {
            try? application.admin.delete(topics: [
                "\(second)-scores", "\(second)-dead", "\(second)-state-changelog",
            ])
        }
        try application.run(["topics", "create"], set: other)
        let refused = try application.pipeline(set: other) { false }
        #expect(refused.status == 1 && refused.endedByItself)
        #expect(refused.log.contains("\(application.input) had 2 partitions when its first records were written"))
        #expect(refused.log.contains("say 'impactiq run --split-users' once"))
        let begun = try application.pipeline(["--split-users"], set: other) { try application.hasReadAll(second) }
        #expect(begun.status == 0 && !begun.endedByItself, "\(begun.log)")
        #expect(begun.log.contains("had 2 partitions when its first records were written"))
        #expect(begun.log.contains("stopped: 600 messages"), "\(begun.log)")
        #expect(try !application.records("\(second)-scores").isEmpty)
        _ = try events(3)
        let again = try application.pipeline(set: other) { try application.hasReadAll(second) }
        // After a reset the history lies ahead again.
        try application.run(["reset", "--yes"])
        let anew = try application.pipeline { false }
        #expect(anew.status == 1 && anew.endedByItself, "\(anew.log)")
        #expect(anew.log.contains("say 'impactiq run --split-users' once"))
        #expect(again.status == 0 && again.log.contains("stopped: 300 messages"), "\(again.log)")
    }

    @Test("After a reset each rejected record is a letter again, is told as one, and goes back once")
    func lettersAfterReset() throws {
        guard let broker = TestBroker.start() else { return }
        let application = try CommandRun(broker)
        try application.run(["topics", "create", "--partitions", "2"])
        try application.run([
            "generate", "--events", "300", "--users", "20", "--invalid", "0.1", "--to", "topic:\(application.input)",
        ])
        #expect(try application.pipeline(until: { try application.hasReadAll() }).status == 0)
        let letters = try application.records(application.deadLetters)
        try #require(letters.count > 5)
        let before = try application.records(application.input)
        try application.run(["reset", "--yes"])
        #expect(try application.pipeline(until: { try application.hasReadAll() }).status == 0)
        #expect(try application.records(application.deadLetters).count == 2 * letters.count)

        let sent = try application.run(["dead-letter", "replay", "--yes"])
        #expect(
            sent.text.contains(
                "\(letters.count) are letters of the same records, rejected again after a reset: each record goes back once\n"
            ),
            "\(sent.text)")
        let after = try application.records(application.input)
        #expect(after.count == before.count + letters.count)
        // What came is what was rejected, once each.
        func values(_ records: [(partition: Int32, record: DeadLetterEnvelope)]) -> [String] {
            records.map { String(decoding: $0.record.value ?? [], as: UTF8.self) }.sorted()
        }
        var more = values(after)
        for value in values(before) { more.remove(at: try #require(more.firstIndex(of: value))) }
        #expect(more == values(letters))
        try application.run(["dead-letter", "replay", "--yes"])
        #expect(try application.records(application.input).count == after.count)
    }

    @Test(
        "A log store that cannot be opened stops nothing and is told by the exit status; required, it ends the process",
        arguments: ["not a database", "no folder"])
    func logStore(_ trouble: String) throws {
        guard let broker = TestBroker.start() else { return }
        let application = try CommandRun(broker)
        try application.run(["topics", "create", "--partitions", "1"])
        try application.run(["generate", "--events", "200", "--users", "20", "--to", "topic:\(application.input)"])
        var path = application.folder.file("missing/scores.db")
        if trouble == "not a database" {
            path = try application.folder.write(String(repeating: "This is a letter.\n", count: 500), "scores.db")
        }
        let store = "log.store=sqlite:\(path)"
        let wanted: Int32 = trouble == "not a database" ? 65 : 78
        let free = try application.pipeline(set: [store]) { try application.hasReadAll() }
        #expect(free.status == wanted && !free.endedByItself, "\(free.log)")
        #expect(free.log.contains("stopped: 200 messages"), "\(free.log)")
        #expect(free.log.contains(path))
        let scores = try application.records(application.output).count
        #expect(scores > 0)

        let bound = try application.pipeline(set: [store, "log.store.required=true"]) { false }
        #expect(bound.status == wanted && bound.endedByItself, "\(bound.log)")
        #expect(bound.log.contains("the log store is required (log.store.required) and has failed: stopping"))
        #expect(try application.records(application.output).count == scores)
        if trouble == "not a database" {
            #expect(try String(contentsOfFile: path, encoding: .utf8).hasPrefix("This is a letter."))
        }
    }

    @Test("An output that cannot be written is refused in plain words, before anything is read")
    func outputs() throws {
        let folder = try TemporaryFolder("outputs")
        let site = try TestSite(bootstrap: "127.0.0.1:1", folder: folder.path)
        let events = folder.file("events.jsonl")
        let features = "\(SharedMaterial.repository.path)/examples/demo/features.json"
        func run(_ words: [String]) throws -> Spawn.Result {
            try Spawn.run([site.program] + words, environment: site.environment())
        }
        #expect(try run(["generate", "--events", "50", "--to", events]).status == 0)
        let commands = [
            ["rows", "--input", events, "--features", features, "--out"],
            ["replay", "--input", events, "--model", site.model, "--out"],
            ["generate", "--events", "50", "--to"],
        ]
        for words in commands {
            let missing = try run(words + ["/nonexist/x.jsonl"])
            #expect(missing.status == 1)
            #expect(
                missing.errors
                    == "impactiq: cannot write /nonexist/x.jsonl: there is no folder /nonexist; make it, or name another place\n"
            )
            let system = try run(words + ["/proc/x.jsonl"])
            #expect(system.status == 1)
            #expect(
                system.errors.hasPrefix("impactiq: cannot write /proc/x.jsonl: /proc takes no new files"),
                "\(system.errors)")
            #expect(system.errors.hasSuffix("; name another place\n"))
            let inFile = try run(words + ["\(events)/x.jsonl"])
            #expect(
                inFile.errors
                    == "impactiq: cannot write \(events)/x.jsonl: \(events) is not a folder; make it, or name another place\n"
            )
            let itself = try run(words + [folder.path])
            #expect(itself.errors == "impactiq: cannot write \(folder.path): it is a folder; name a file\n")
        }
    }
}
