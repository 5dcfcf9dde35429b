import Base
import Consumer
import Engine
import Events
import Foundation
import Kafka
import Sinks

/// Another topic, with the partitions of the input. An idempotent producer; a try after a kill goes on behind the last
/// score that is there.
package struct TopicTarget: ReplayTarget {
    private let topic: String
    private let properties: KafkaProperties
    private let producerProperties: KafkaProperties
    private let inputPartitions: Int
    package let forwarded: ForwardedHeaders
    package var name: String { "topic:\(topic)" }

    /// - Parameters:
    ///   - properties, producerProperties: of a consumer and of a producer.
    ///   - inputPartitions: how many the input has.
    ///   - forwarded: the headers that go from an event to its score, as in the stream.
    package init(
        topic: String, properties: KafkaProperties, producerProperties: KafkaProperties, inputPartitions: Int,
        forwarded: ForwardedHeaders = ForwardedHeaders([])
    ) {
        self.forwarded = forwarded
        self.topic = topic
        self.properties = properties
        self.producerProperties = producerProperties
        self.inputPartitions = inputPartitions
    }

    package func prepare(partitions: [Int32], isResumed: Bool) throws {
        let admin = try Admin(properties: properties)
        defer { admin.close() }
        guard let description = try admin.describe(topic) else {
            try admin.create([.scores(topic, partitions: inputPartitions)])
            return
        }
        guard description.partitions == inputPartitions else {
            throw ImpactError(
                .badConfiguration, code: "topic_misfit",
                "\(topic) has \(description.partitions) partitions, the input has \(inputPartitions): scores go to the "
                    + "partition of their event, so both need as many")
        }
        guard !isResumed else { return }
        for (partition, marks) in try admin.watermarks(ofTopic: topic).enumerated() where marks.high > 0 {
            throw ImpactError(
                .badInput, code: "output_not_empty",
                "\(TopicPartition(topic, Int32(partition))) has been written to already: give --out a topic of its own")
        }
    }

    package func sink(for span: PartitionSpan, resumingAt length: Int?) throws -> any ReplaySink {
        try TopicSink(
            TopicPartition(topic, span.partition), producerProperties, after: try lastSource(span.partition))
    }

    package func complete(_ partitions: [Int32]) {}

    private func marks(_ place: TopicPartition) throws -> Watermarks {
        let admin = try Admin(properties: properties)
        defer { admin.close() }
        let deadline = ContinuousClock.now + .seconds(10)
        while true {
            do throws(ImpactError) { return try admin.watermarks(of: place) } catch {
                // For a moment after a topic was made its leader may not know that it is one.
                guard error.code == "kafka_not_leader_for_partition", ContinuousClock.now < deadline else {
                    throw error
                }
                usleep(100_000)
            }
        }
    }

    /// The source offset of the last score in a partition; nil of an empty one.
    private func lastSource(_ partition: Int32) throws -> Int64? {
        let marks = try marks(TopicPartition(topic, partition))
        guard marks.high > marks.low else { return nil }
        let source = try TopicSource(topic: topic, properties: properties, component: "replay-output")
        defer { source.close() }
        try source.begin(
            PartitionSpan(partition: partition, first: marks.high - 1, from: marks.high - 1, end: marks.high))
        let reader = ScoreReader()
        var last: Int64?
        while try source.read(max: 1, { last = try reader.read($0.value).sourceOffset }) {}
        return last
    }
}

private final class TopicSink: ReplaySink {
    private let place: TopicPartition
    private let producer: OutputProducer
    private let topic: OutputTopic
    /// Scores of events up to here are in the topic.
    private var after: Int64?
    private let reader = ScoreReader()

    init(_ place: TopicPartition, _ properties: KafkaProperties, after: Int64?) throws {
        self.place = place
        self.after = after
        producer = try OutputProducer(properties: properties, options: ProducerOptions(), component: "replay-output")
        topic = try producer.topic(place.topic)
    }

    deinit { producer.close() }

    func write(_ records: UnsafeBufferPointer<OutputRecord>, _ bytes: UnsafeRawBufferPointer) throws {
        try write(records, bytes, headers: [:])
    }

    func write(
        _ records: UnsafeBufferPointer<OutputRecord>, _ bytes: UnsafeRawBufferPointer, headers: [Int32: [RecordHeader]]
    ) throws {
        var rest = records
        while let after, let first = rest.first {
            guard try reader.read(first.value(in: bytes)).sourceOffset <= after else {
                self.after = nil
                break
            }
            rest = UnsafeBufferPointer(rebasing: rest.dropFirst())
        }
        guard !rest.isEmpty else { return }
        do throws(KafkaError) {
            guard !headers.isEmpty else {
                return try producer.produceBatch(topic, partition: place.partition, rest, bytes: bytes)
            }
            for record in rest {
                try producer.produce(
                    topic, partition: place.partition, key: record.key(in: bytes),
                    value: record.valueCount < 0 ? nil : record.value(in: bytes),
                    headers: headers[record.tag] ?? [], timestamp: record.timestamp)
            }
        } catch {
            throw error.impactError(doing: "writing to \(place)")
        }
    }

    func settle() throws -> Int {
        do { try producer.flush() } catch { throw error.impactError(doing: "writing to \(place)") }
        return 0
    }

    func finish() throws { _ = try settle() }
}
