import Base
import Consumer
import Foundation
import Kafka
import Sinks
import TestSupport
import Testing

/// A topic of its own on the test broker, and short ways to fill and read it.
struct ConsumerFixture {
    let broker: TestBroker
    let properties: KafkaProperties
    let topic: String
    let partitions: Int

    /// Nil when there is no broker; it has said `skipped` then.
    init?(partitions: Int = 1, plan: ((String, Int) -> TopicPlan)? = nil, test: String = #function) throws {
        guard let broker = TestBroker.start(test: test) else { return nil }
        self.broker = broker
        self.partitions = partitions
        properties = ["bootstrap.servers": broker.bootstrap]
        topic = TestBroker.unique("t")
        let topicPlan = plan?(topic, partitions) ?? TopicPlan(topic, partitions: partitions)
        let admin = try Admin(properties: properties, timeoutMilliseconds: 30_000)
        try admin.create([topicPlan])
    }

    func partition(_ number: Int32) -> TopicPartition { TopicPartition(topic, number) }

    func producer(_ transactionalID: String? = nil) throws -> OutputProducer {
        try OutputProducer(
            properties: properties, options: ProducerOptions(transactionalID: transactionalID),
            component: transactionalID ?? "producer")
    }

    /// Writes `"\(prefix)\(i)"` as key and value, spread over the partitions in turn.
    func write(_ range: Range<Int>, prefix: String = "", with producer: OutputProducer) throws {
        let target = try producer.topic(topic)
        for i in range {
            let bytes = Array("\(prefix)\(i)".utf8)
            try bytes.withUnsafeBytes {
                try producer.produce(
                    target, partition: Int32(i % partitions), key: $0, value: $0,
                    timestamp: 1_700_000_000_000 + Int64(i))
            }
        }
    }

    /// Writes with an idempotent producer and waits until all are acknowledged.
    func fill(_ range: Range<Int>, prefix: String = "") throws {
        let producer = try producer()
        try write(range, prefix: prefix, with: producer)
        try producer.flush()
        producer.close()
    }

    func consumer(
        group: String? = nil, topic: String? = nil, _ change: (inout ConsumerOptions) -> Void = { _ in }
    ) throws -> EventConsumer {
        var options = ConsumerOptions(group: group)
        options.sessionTimeoutMilliseconds = 10_000
        change(&options)
        return try EventConsumer(
            properties: properties, topics: [topic ?? self.topic], options: options,
            component: group ?? "reader")
    }

    /// All values that a reader sees once no transaction is open, a partition, in order.
    func values(
        isolation: ConsumerOptions.Isolation = .readCommitted, topic: String? = nil
    ) throws -> [[String]] {
        try read(isolation: isolation, topic: topic) { message in
            message.payloadBuffer.map { String(decoding: $0, as: UTF8.self) } ?? "(null)"
        }
    }

    /// The same with any view of the records.
    func read<T>(
        isolation: ConsumerOptions.Isolation = .readCommitted, topic: String? = nil,
        _ view: (borrowing Message) -> T
    ) throws -> [[T]] {
        let topic = topic ?? self.topic
        let ends = try stableMarks(of: topic, properties: properties)
        let consumer = try consumer(topic: topic) { $0.isolation = isolation }
        defer { consumer.close() }
        var starts: [TopicPartition: StartOffset] = [:]
        for i in ends.indices where ends[i].high > ends[i].low { starts[TopicPartition(topic, Int32(i))] = .beginning }
        var found = ends.map { _ in [T]() }
        try consumer.assign(starts)
        let deadline = Date() + 60
        while Date() < deadline {
            let batch = try consumer.poll(max: 500, timeoutMilliseconds: 100)
            for i in 0..<batch.count { found[Int(batch[i].partition)].append(view(batch[i])) }
            let positions = consumer.positions(Array(starts.keys))
            if starts.keys.allSatisfy({ positions[$0] ?? 0 >= ends[Int($0.partition)].high }) { break }
        }
        return found
    }
}

/// A topic's offsets once the committed end is the log's end. EndTxn answers before its markers are written, so a reader
/// that asks at once may see less than what was committed; a transaction that hangs fails the test.
func stableMarks(of topic: String, properties: KafkaProperties) throws -> [Watermarks] {
    let committed = try Admin(properties: properties, readCommitted: true)
    let all = try Admin(properties: properties)
    defer {
        committed.close()
        all.close()
    }
    let deadline = ContinuousClock.now + .seconds(90)
    while true {
        let stable = try committed.watermarks(ofTopic: topic)
        let marks = try all.watermarks(ofTopic: topic)
        if stable == marks { return marks }
        try #require(ContinuousClock.now < deadline, "a transaction hangs on \(topic)")
        Thread.sleep(forTimeInterval: 0.05)
    }
}

/// Records what a consumer tells its handler, and does what a test wants.
final class RecordingHandler: AssignmentHandler {
    var assignedNow: Set<TopicPartition> = []
    var log: [String] = []
    var starts: [TopicPartition: StartOffset] = [:]
    var onAssigned: (([TopicPartition]) -> Void)?
    var onRevoked: (([TopicPartition]) -> Void)?
    var onLost: (([TopicPartition]) -> Void)?
    var ends: [TopicPartition: Int64] = [:]

    func startOffsets(of partitions: [TopicPartition]) -> [TopicPartition: StartOffset] { starts }
    func assigned(_ partitions: [TopicPartition]) {
        assignedNow = Set(partitions)
        log.append("assigned \(partitions.map(\.partition).sorted())")
        onAssigned?(partitions)
    }
    func revoked(_ partitions: [TopicPartition]) {
        assignedNow = []
        log.append("revoked \(partitions.map(\.partition).sorted())")
        onRevoked?(partitions)
    }
    func lost(_ partitions: [TopicPartition]) {
        assignedNow = []
        log.append("lost \(partitions.map(\.partition).sorted())")
        onLost?(partitions)
    }
    func reachedEnd(of partition: TopicPartition, at offset: Int64) { ends[partition] = offset }
}

/// Polls until the condition holds or the time is up; hands each batch to `body`.
func poll(
    _ consumer: EventConsumer, seconds: Double = 30, max: Int = 500, until done: () -> Bool,
    _ body: (borrowing MessageBatch) throws -> Void = { _ in }
) throws {
    let deadline = Date() + seconds
    while !done() && Date() < deadline {
        let batch = try consumer.poll(max: max, timeoutMilliseconds: 50)
        try body(batch)
    }
}
