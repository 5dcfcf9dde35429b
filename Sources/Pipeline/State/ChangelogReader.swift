import Base
import Consumer
import Foundation
import Kafka

/// Reads what is committed in partitions of a changelog, up to the ends that they have when reading begins. For tools;
/// the pipeline restores with `StateRestorer`.
package final class ChangelogReader: AssignmentHandler {
    private let consumer: EventConsumer
    private let admin: Admin
    package let topic: String
    private var reached: [Int32: Int64] = [:]
    /// Records read so far.
    package private(set) var count = 0

    package init(properties: KafkaProperties, topic: String, prefetchBytes: Int = 64 << 20) throws(ImpactError) {
        self.topic = topic
        var options = ConsumerOptions()
        options.reportsPartitionEnd = true
        options.fetchWaitMilliseconds = 10
        options.prefetchBytes = prefetchBytes
        options.clientID = "changelog-reader"
        consumer = try EventConsumer(
            properties: properties, topics: [topic], options: options, component: "changelog-reader")
        // Up to the last stable offset: what an open transaction holds back is nobody's state yet.
        admin = try Admin(properties: properties, readCommitted: true, component: "changelog-reader")
        consumer.handler = self
    }

    package func close() {
        consumer.close()
        admin.close()
    }

    /// Partitions of the topic.
    package func partitions() throws(ImpactError) -> Int {
        guard let description = try admin.describe(topic) else { throw Admin.missing(topic) }
        return description.partitions
    }

    package func watermarks(_ partition: Int32) throws(ImpactError) -> Watermarks {
        try admin.watermarks(of: TopicPartition(topic, partition))
    }

    /// Calls `body` with every record: partition, offset, user, and the user's record or nil for a tombstone.
    ///
    /// - Parameter from: for each partition the offset to begin at; nil is the partition's beginning.
    /// - Throws: a lasting failure of the broker; what `body` throws.
    package func read(
        from: [Int32: Int64?], _ body: (Int32, Int64, UnsafeRawBufferPointer, UnsafeRawBufferPointer?) throws -> Void
    ) throws {
        var ends: [Int32: Int64] = [:]
        var places: [TopicPartition: StartOffset] = [:]
        reached = [:]
        for (partition, offset) in from {
            let marks = try watermarks(partition)
            let start = max(offset ?? marks.low, marks.low)
            if start >= marks.high { continue }
            ends[partition] = marks.high
            reached[partition] = start
            places[TopicPartition(topic, partition)] = .offset(start)
        }
        try consumer.assign(places)
        while ends.contains(where: { reached[$0.key] ?? 0 < $0.value }) {
            let batch = try consumer.poll(max: 8_192, timeoutMilliseconds: 200)
            for i in 0..<batch.count {
                let message = batch[i]
                if message.offset >= ends[message.partition] ?? 0 { continue }
                if let user = message.keyBuffer {
                    try body(message.partition, message.offset, user, message.payloadBuffer)
                }
                count += 1
            }
            // One entry a batch and partition is enough: records come in the order of their offsets.
            for i in 0..<batch.count where i == batch.count - 1 || batch[i].partition != batch[i + 1].partition {
                reached[batch[i].partition] = max(reached[batch[i].partition] ?? 0, batch[i].offset + 1)
            }
        }
        try consumer.assign([:])
    }

    package func assigned(_ partitions: [TopicPartition]) {}
    package func revoked(_ partitions: [TopicPartition]) {}
    package func lost(_ partitions: [TopicPartition]) {}
    package func reachedEnd(of partition: TopicPartition, at offset: Int64) {
        reached[partition.partition] = max(reached[partition.partition] ?? 0, offset)
    }
}
