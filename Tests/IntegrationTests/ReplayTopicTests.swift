import Backtest
import Base
import Commands
import Events
import Foundation
import Kafka
import Pipeline
import Settings
import Simulation
import Sinks
import TestSupport
import Testing

/// Replays of a topic through the command itself, against what the live pipeline published.
@Suite("Replay on a broker", .serialized)
struct ReplayTopicTests {
    private static let model = SharedMaterial.repository.appending(path: "examples/demo/demo.model").path

    /// A pipeline that has scored a simulated trial.
    private func pipeline(_ broker: TestBroker, events: Int, settings: [String] = []) throws -> PipelineHarness {
        var trial = TrialSettings()
        trial.seed = SeededGenerator.announced("trial").seed
        trial.users = 800
        trial.duplicates = 0.02
        trial.outOfOrder = 0.03
        trial.invalid = 0.01
        let harness = try PipelineHarness(broker, model: Self.model, settings: settings)
        try harness.produce(TrialMessages.make(events, trial).map { ($0.key, $0.value) })
        try harness.run(until: events)
        return harness
    }

    private func impactiq(_ command: String, _ harness: PipelineHarness, _ words: [String]) -> Int32 {
        let c = harness.configuration
        let settings = [
            "bootstrap.servers=\(harness.broker.bootstrap)", "input.topics=\(c.inputTopics[0])",
            "model.path=\(c.modelPath)", "score.events=\(c.scoreEvents.joined(separator: ","))",
        ]
        return CommandLineTool.run([command] + settings.flatMap { ["--set", $0] } + words)
    }

    @Test("The bytes are those that were published, whatever the batches and threads; a changed score is found")
    func identical() throws {
        guard let broker = TestBroker.start() else { return }
        let folder = try ScratchDirectory()
        let harness = try pipeline(broker, events: 12_000, settings: ["workers=2", "commit.interval.ms=50"])
        let published = try harness.scores
        #expect(published.count > 1_000)
        let expected = published.map(\.text).joined(separator: "\n") + "\n"
        let topic = harness.configuration.outputTopic
        func replay(_ words: String...) -> Int32 { impactiq("replay", harness, words) }

        for (i, batch, workers) in [(0, 1_024, 0), (1, 1, 3), (2, 37, 1), (3, 5_000, 2)] {
            let out = folder.file("scores-\(i).jsonl")
            #expect(
                replay(
                    "--out", out, "--against", topic, "--workers", "\(workers)", "--set", "batch.max.events=\(batch)")
                    == 0)
            #expect(try String(contentsOfFile: out, encoding: .utf8) == expected)
        }

        // Other places for the same scores.
        #expect(replay("--out", "sqlite:\(folder.file("scores.db"))") == 0)
        let store = SQLiteLogStore(path: folder.file("scores.db"))
        try store.open(stop: LogStoreStop())
        #expect(try store.rowCount(user: nil) == published.count)
        store.close()
        #expect(replay("--out", "sqlite:\(folder.file("scores.db"))") == 65, "it holds scores already")
        #expect(replay("--out", folder.file("scores.csv")) == 0)
        let csv = try String(contentsOfFile: folder.file("scores.csv"), encoding: .utf8)
        #expect(csv.split(separator: "\n").count == published.count + 1)
        let copy = TestBroker.unique("it-copy")
        #expect(replay("--out", "topic:\(copy)") == 0)
        let copied = try harness.read(copy)
        #expect(copied.map(\.text) == published.map(\.text))
        #expect(copied.map(\.key) == published.map(\.key) && copied.map(\.timestamp) == published.map(\.timestamp))
        #expect(replay("--against", copy) == 0)
        #expect(replay("--out", "topic:\(copy)") == 65, "it has been written to already")

        // From the middle of each partition, with the past as warm-up, and without it.
        let middle = (0..<4).map { p in "\(p):\((harness.inputCount(p) ?? 0) / 2)" }.joined(separator: ",")
        #expect(replay("--from", middle, "--warmup", "all", "--against", topic) == 0)
        #expect(replay("--from", middle, "--against", topic) == 1)

        // Published otherwise: one score changed, one missing, one twice.
        for change in Tampering.allCases {
            let tampered = try harness.tamper(published, change)
            #expect(replay("--against", tampered) == 1, "\(change)")
        }

        // Another model: a comparison, not a fault.
        let other = try folder.constantModel()
        let changes = folder.file("changes.jsonl")
        #expect(replay("--model", other, "--against", topic, "--changes", changes) == 0)
        let listed = try String(contentsOfFile: changes, encoding: .utf8).split(separator: "\n")
        #expect(!listed.isEmpty && listed.allSatisfy { $0.contains(#""to":"treat""#) })
    }

    @Test("A range that is not there is an error that says so")
    func badRanges() throws {
        guard let broker = TestBroker.start() else { return }
        let folder = try ScratchDirectory()
        let harness = try pipeline(broker, events: 500)
        func replay(_ words: String...) -> Int32 {
            impactiq("replay", harness, words + ["--out", folder.file(UUID().uuidString)])
        }
        #expect(replay("--from", "0:99999999") == 65)
        #expect(replay("--from", "9:0") == 65)
        #expect(replay("--from", "soon") == 64)
        #expect(replay("--from", "0:50", "--to", "0:20") == 64)
        #expect(replay("--set", "input.topics=nowhere-\(UUID().uuidString)") == 1)
        #expect(replay("--changes", "x") == 64)
        let narrow = TestBroker.unique("it-narrow")
        let admin = try Admin(properties: ["bootstrap.servers": broker.bootstrap])
        try admin.create([.scores(narrow, partitions: 1)])
        admin.close()
        #expect(replay("--against", narrow) == 78)
        // A model whose features no event has refuses every event.
        let needy = try folder.constantModel(
            features: #"{"features":[{"name":"shoe","aggregate":"last","field":"properties.shoe_size"}]}"#)
        #expect(replay("--model", needy) == 65)
        // Times: the whole range lies between the epoch and the year 2100.
        #expect(
            replay(
                "--from", "1970-01-01T00:00:00Z", "--to", "2100-01-01T00:00:00Z", "--against",
                harness.configuration.outputTopic) == 0)
    }

    @Test("evaluate --topic joins each assignment with its own score and with what really happened")
    func topicEvaluation() throws {
        guard let broker = TestBroker.start() else { return }
        let folder = try ScratchDirectory()
        var trial = TrialSettings()
        trial.seed = SeededGenerator.announced("trial").seed
        trial.users = 300
        let events = try TrialMessages.make(16_000, trial)
        let harness = try PipelineHarness(broker, model: Self.model, settings: ["score.events=treatment"])
        try harness.produce(events.map { ($0.key, $0.value) })
        try harness.run(until: events.count)
        let rowsFile = folder.file("trial.csv")
        let status = impactiq(
            "evaluate", harness,
            [
                "--topic", harness.configuration.outputTopic, "--outcome", "conversion", "--outcome-window", "1d",
                "--treated", "ad", "--replicates", "20", "--report", folder.file("report.html"), "--rows-out", rowsFile,
            ])
        #expect(status == 0)
        let html = try String(contentsOfFile: folder.file("report.html"), encoding: .utf8)
        #expect(html.contains(harness.configuration.outputTopic))

        // The truth of each assignment, and the score published for it, by its event's id.
        let truth = Dictionary(
            uniqueKeysWithValues: events.filter { $0.truth.kind == .treatment }.map {
                ($0.value ?? [], $0.truth.isConverted)
            })
        let input = try harness.input
        let scores = try harness.scores.map(ScoreText.init)
        let byPlace = Dictionary(
            uniqueKeysWithValues: scores.map { (Place($0.source.partition, $0.source.offset), $0.uplift) })
        let values = Dictionary(uniqueKeysWithValues: input.map { (Place($0.partition, $0.offset), $0.value ?? []) })
        var rows = 0, converted = 0
        for line in try String(contentsOfFile: rowsFile, encoding: .utf8).split(separator: "\n").dropFirst() {
            // partition,offset,user_id,time,experiment,arm,arm_propensity,uplift,std_error,since_event,conversion,censored
            let cells = line.split(separator: ",", omittingEmptySubsequences: false)
            let place = Place(Int32(cells[0]) ?? -1, Int64(cells[1]) ?? -1)
            #expect(Double(cells[7]) == byPlace[place])
            let happened = try #require(truth[values[place] ?? []] as Bool?)
            #expect((cells[10] == "1") == happened)
            rows += 1
            converted += happened ? 1 : 0
        }
        #expect(rows > 300 && converted > 10, "\(rows) rows, \(converted) converted")
    }

    private struct Place: Hashable {
        var partition: Int32
        var offset: Int64
        init(_ partition: Int32, _ offset: Int64) {
            self.partition = partition
            self.offset = offset
        }
    }
}

/// The simulated trial as messages, with the truth of each.
struct TrialMessages {
    var key: [UInt8]?
    var value: [UInt8]?
    var truth: GeneratedEvent

    static func make(_ count: Int, _ settings: TrialSettings) throws -> [TrialMessages] {
        var simulation = try TrialSimulation(settings)
        let buffer = ByteBuffer()
        var messages: [TrialMessages] = []
        for _ in 0..<count {
            buffer.removeAll()
            let event = simulation.next(into: buffer)
            messages.append(
                TrialMessages(
                    key: event.key.isEmpty ? nil : Array(buffer.bytes(event.key)),
                    value: Array(buffer.bytes(event.value)),
                    truth: event))
        }
        return messages
    }
}

/// What can be wrong with published scores.
enum Tampering: CaseIterable { case changed, missing, twice }

extension PipelineHarness {
    /// Records in a partition of the input.
    func inputCount(_ partition: Int) -> Int64? {
        guard let admin = try? Admin(properties: ["bootstrap.servers": broker.bootstrap]) else { return nil }
        defer { admin.close() }
        return try? admin.watermarks(of: TopicPartition(configuration.inputTopics[0], Int32(partition))).high
    }

    /// Publishes scores once more in a topic of their own, with one fault in the middle.
    func tamper(_ scores: [Record], _ fault: Tampering) throws -> String {
        let name = TestBroker.unique("it-tampered")
        let admin = try Admin(properties: ["bootstrap.servers": broker.bootstrap])
        try admin.create([.scores(name, partitions: partitions)])
        admin.close()
        let producer = try OutputProducer(
            properties: ["bootstrap.servers": broker.bootstrap], options: ProducerOptions())
        defer { producer.close() }
        let topic = try producer.topic(name)
        for (i, score) in scores.enumerated() {
            let isFaulty = i == scores.count / 2
            if isFaulty, fault == .missing { continue }
            var value = score.value ?? []
            if isFaulty, fault == .changed {
                // The last digit of the event's time: still a score.
                let digit = value.lastIndex { (48...57).contains($0) && $0 != 57 } ?? 0
                let text = String(decoding: value, as: UTF8.self)
                value = Array(text.replacing(#""std_error":0."#, with: #""std_error":1."#, maxReplacements: 1).utf8)
                if value == score.value ?? [] { value[digit] = 57 }
            }
            for _ in 0..<(isFaulty && fault == .twice ? 2 : 1) {
                try value.withUnsafeBytes { value in
                    try (score.key ?? []).withUnsafeBytes { key in
                        try producer.produce(
                            topic, partition: score.partition, key: key, value: value, timestamp: score.timestamp)
                    }
                }
            }
        }
        try producer.flush()
        return name
    }
}
