import Base
import Commands
import Consumer
import Events
import Foundation
import Kafka
import Pipeline
import Settings
import Sinks
import Synchronization
import TestSupport
import Testing

/// The pipeline on a real broker with topics of its own: produce, run, read back what was published.
final class PipelineHarness {
    /// A record read back.
    struct Record {
        var partition: Int32
        var offset: Int64
        var key: [UInt8]?
        var value: [UInt8]?
        var headers: [RecordHeader]
        var timestamp: Int64

        var text: String { String(decoding: value ?? [], as: UTF8.self) }

        func header(_ name: String) -> String? {
            headers.last { $0.name == name }?.value.map { String(decoding: $0, as: UTF8.self) }
        }
    }

    let broker: TestBroker
    let configuration: Configuration
    let folder: URL
    let partitions: Int

    init(_ broker: TestBroker, model: String, partitions: Int = 4, settings: [String] = []) throws {
        self.broker = broker
        self.partitions = partitions
        let name = TestBroker.unique("it")
        folder = FileManager.default.temporaryDirectory.appending(path: name)
        configuration = try Configuration(
            file: nil, environment: [:],
            overrides: [
                "bootstrap.servers=\(broker.bootstrap)", "application.id=\(name)", "input.topics=\(name)-events",
                "output.topic=\(name)-scores", "dead.letter.topic=\(name)-dead", "model.path=\(model)",
                "state.dir=\(folder.path)",
            ] + settings)
        let admin = try Admin(properties: properties, timeoutMilliseconds: 60_000)
        defer { admin.close() }
        try admin.create(configuration.inputTopics.map { .events($0, partitions: partitions) })
        try admin.create([
            .scores(configuration.outputTopic, partitions: partitions),
            .deadLetter(configuration.deadLetterTopic, partitions: partitions),
            .changelog(configuration.changelogTopic, partitions: partitions),
        ])
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    private var properties: KafkaProperties { ["bootstrap.servers": broker.bootstrap] }

    /// Writes messages to the input topic; a nil value is a tombstone.
    func produce(_ messages: [(key: [UInt8]?, value: [UInt8]?)]) throws {
        let producer = try OutputProducer(properties: properties, options: ProducerOptions())
        defer { producer.close() }
        let topic = try producer.topic(configuration.inputTopics[0])
        let now = Int64(Date().timeIntervalSince1970 * 1_000)
        for message in messages {
            try withOptionalBytes(message.key) { key in
                try withOptionalBytes(message.value) { value in
                    try producer.produce(topic, key: key, value: value, timestamp: now)
                }
            }
        }
        try producer.flush()
    }

    func produce(_ messages: [RealEvents.Message]) throws {
        try produce(messages.map { (Array($0.key.utf8), Array($0.value.utf8)) })
    }

    /// Writes events to one of several input topics, each with its partition and time.
    func produce(_ events: [MergedEvents.Event], topic: Int) throws {
        let producer = try OutputProducer(properties: properties, options: ProducerOptions())
        defer { producer.close() }
        let target = try producer.topic(configuration.inputTopics[topic])
        for event in events {
            try event.key.withUnsafeBytes { key in
                try event.value.withUnsafeBytes { value in
                    try producer.produce(
                        target, partition: event.partition, key: key, value: value, timestamp: event.time)
                }
            }
        }
        try producer.flush()
    }

    /// Runs the pipeline in this process until `count` messages were taken and everything is committed.
    ///
    /// - Parameter condition: what else is waited for before the stop, 30 s at the most.
    @discardableResult
    func run(
        until count: Int, deadline: Double = 120, and condition: () throws -> Bool = { true }
    ) throws -> PipelineMetrics {
        let application = try Application(configuration: configuration, isStopped: { false })
        application.start()
        let end = ContinuousClock.now + .seconds(deadline)
        while application.context.metrics.messages.value < count, !application.isStopping {
            guard ContinuousClock.now < end else { break }
            Thread.sleep(forTimeInterval: 0.02)
        }
        let patience = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < patience, !application.isStopping, (try? condition()) != true {
            Thread.sleep(forTimeInterval: 0.1)
        }
        application.stop()
        try application.wait()
        #expect(application.context.metrics.messages.value >= count)
        return application.context.metrics
    }

    /// The code of the error with which a start is refused; nil when it is not.
    func refusal() -> String? {
        do {
            let application = try Application(configuration: configuration, isStopped: { false })
            application.start()
            application.stop()
            try application.wait()
            return nil
        } catch { return (error as? ImpactError)?.code ?? "\(error)" }
    }

    /// Waits until nobody is left in the group.
    func awaitEmpty(_ admin: Admin) throws {
        let deadline = ContinuousClock.now + .seconds(30)
        while try !admin.members(ofGroup: configuration.applicationID).isEmpty, ContinuousClock.now < deadline {
            Thread.sleep(forTimeInterval: 0.1)
        }
    }

    /// Everything committed in a topic, by partition and offset. Waits until no transaction is open: a commit's markers
    /// are written after its answer.
    func read(_ topic: String) throws -> [Record] {
        let ends = try stableEnds(of: topic)
        guard !ends.isEmpty else { return [] }
        let reader = try BoundedReader(topic: topic, properties: properties, component: "harness")
        defer { reader.close() }
        try reader.begin(ends)
        var records: [Record] = []
        let deadline = ContinuousClock.now + .seconds(60)
        while !reader.isDone {
            try #require(ContinuousClock.now < deadline, "\(topic) was not read to its end")
            _ = try reader.step(max: 1_000, timeoutMilliseconds: 100) { message in
                records.append(
                    Record(
                        partition: message.partition, offset: message.offset, key: message.keyBuffer.map { Array($0) },
                        value: message.payloadBuffer.map { Array($0) }, headers: message.headers,
                        timestamp: message.timestamp))
            }
        }
        return records.sorted { ($0.partition, $0.offset) < ($1.partition, $1.offset) }
    }

    /// The offsets of all partitions that hold anything.
    private func stableEnds(of topic: String) throws -> [Int32: Range<Int64>] {
        let marks = try stableMarks(of: topic, properties: properties).enumerated().filter { $1.high > $1.low }
        return Dictionary(uniqueKeysWithValues: marks.map { (Int32($0), $1.low..<$1.high) })
    }

    var scores: [Record] { get throws { try read(configuration.outputTopic) } }
    var deadLetters: [Record] { get throws { try read(configuration.deadLetterTopic) } }
    var input: [Record] { get throws { try read(configuration.inputTopics[0]) } }
}

func withOptionalBytes<R>(_ bytes: [UInt8]?, _ body: (UnsafeRawBufferPointer?) throws -> R) rethrows -> R {
    guard let bytes else { return try body(nil) }
    return try bytes.withUnsafeBytes { try body($0) }
}

/// A score's JSON as numbers and texts.
struct ScoreText: Decodable {
    struct Source: Decodable {
        var topic: String
        var partition: Int32
        var offset: Int64
    }

    var user_id: String
    var uplift: Double
    var std_error: Double?
    var ci_lower: Double?
    var ci_upper: Double?
    var decision: String
    var source: Source

    init(_ record: PipelineHarness.Record) throws {
        self = try JSONDecoder().decode(ScoreText.self, from: Data(record.value ?? []))
    }
}
