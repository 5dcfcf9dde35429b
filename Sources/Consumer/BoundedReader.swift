import Base
import Kafka

/// Reads partitions of one topic, each from a first offset to an end that is known beforehand, and no further; without a
/// group, so that nothing is joined or committed. For all who read a topic to its end.
///
/// ```swift
/// try reader.begin([0: 0..<marks.high])
/// while try reader.step({ message in … }) {}
/// ```
/// Not for several threads at once.
package final class BoundedReader: AssignmentHandler {
    package let topic: String
    private let consumer: EventConsumer
    /// The end of each partition that is not read yet.
    private var ends: [Int32: Int64] = [:]
    private var next: [Int32: Int64] = [:]
    /// Ends that the consumer has reached, until the records before them, which may be in the same batch, are lent.
    private var reached: [Int32: Int64] = [:]

    /// - Parameter options: what the reader needs (the partitions' ends being told) is set here.
    package init(
        topic: String, properties: KafkaProperties, options: ConsumerOptions = ConsumerOptions(), component: String
    ) throws(ImpactError) {
        self.topic = topic
        var options = options
        // Behind the last record may stand transaction markers, which take offsets and are never delivered.
        options.reportsPartitionEnd = true
        consumer = try EventConsumer(properties: properties, topics: [topic], options: options, component: component)
        consumer.handler = self
    }

    package func close() { consumer.close() }

    /// Begins anew, with these offsets by partition; empty ranges are done already.
    package func begin(_ ranges: [Int32: Range<Int64>]) throws(KafkaError) {
        next = ranges.mapValues(\.lowerBound)
        reached = [:]
        ends = ranges.filter { !$0.value.isEmpty }.mapValues(\.upperBound)
        var places: [TopicPartition: StartOffset] = [:]
        for (partition, end) in ends {
            places[TopicPartition(topic, partition)] = .offset(next[partition] ?? end)
        }
        try consumer.assign(places)
    }

    /// The next offset to read of a partition: its range's end when it is done.
    package func position(_ partition: Int32) -> Int64 { next[partition] ?? 0 }

    /// Whether everything is read.
    package var isDone: Bool { ends.isEmpty }

    /// Reads some records and calls `body` with each, in order within a partition.
    ///
    /// - Parameter max: how many at most.
    /// - Returns: whether there is more to come; nothing may have come although there is.
    /// - Throws: a `KafkaError`; what `body` throws, after which that record counts as not read.
    package func step(
        max: Int = 8_192, timeoutMilliseconds: Int = 200, _ body: (borrowing Message) throws -> Void
    ) throws -> Bool {
        guard !ends.isEmpty else { return false }
        let batch = try consumer.poll(max: max, timeoutMilliseconds: timeoutMilliseconds)
        try lend(batch, body)
        for (partition, offset) in reached { advance(partition, to: offset) }
        reached = [:]
        return !ends.isEmpty
    }

    private func lend(_ batch: borrowing MessageBatch, _ body: (borrowing Message) throws -> Void) throws {
        // The books are kept for each run of one partition, not for each record.
        var current: Int32 = -1
        var end: Int64 = -1
        var at: Int64 = 0
        defer { advance(current, to: at) }
        for i in 0..<batch.count {
            let message = batch[i]
            if message.partition != current {
                advance(current, to: at)
                current = message.partition
                end = ends[current] ?? -1
                at = position(current)
            }
            guard end >= 0, message.offset >= at else { continue }
            if message.offset < end { try body(message) }
            at = message.offset + 1
        }
    }

    private func advance(_ partition: Int32, to offset: Int64) {
        guard let end = ends[partition], offset > position(partition) else { return }
        next[partition] = min(offset, end)
        if offset >= end { ends[partition] = nil }
    }

    // MARK: AssignmentHandler

    package func assigned(_ partitions: [TopicPartition]) {}
    package func revoked(_ partitions: [TopicPartition]) {}
    package func lost(_ partitions: [TopicPartition]) {}
    package func reachedEnd(of partition: TopicPartition, at offset: Int64) {
        reached[partition.partition] = offset
    }
}
