import Base
import Consumer
import Foundation
import Kafka

/// Reads what is committed in partitions of a changelog, up to the ends that they have when reading begins. For tools;
/// the pipeline restores with `StateRestorer`.
package final class ChangelogReader {
    private let reader: BoundedReader
    private let admin: Admin
    package let topic: String
    /// Records read so far.
    package private(set) var count = 0

    package init(properties: KafkaProperties, topic: String, prefetchBytes: Int = 64 << 20) throws(ImpactError) {
        self.topic = topic
        var options = ConsumerOptions()
        options.fetchWaitMilliseconds = 10
        options.prefetchBytes = prefetchBytes
        options.clientID = "changelog-reader"
        reader = try BoundedReader(
            topic: topic, properties: properties, options: options, component: "changelog-reader")
        // Up to the last stable offset: what an open transaction holds back is nobody's state yet.
        admin = try Admin(properties: properties, readCommitted: true, component: "changelog-reader")
    }

    package func close() {
        reader.close()
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
        var ranges: [Int32: Range<Int64>] = [:]
        for (partition, offset) in from {
            let marks = try watermarks(partition)
            let start = max(offset ?? marks.low, marks.low)
            ranges[partition] = start..<max(start, marks.high)
        }
        try reader.begin(ranges)
        var hasMore = !reader.isDone
        while hasMore {
            hasMore = try reader.step { message in
                count += 1
                guard let user = message.keyBuffer else { return }
                try body(message.partition, message.offset, user, message.payloadBuffer)
            }
        }
    }
}
