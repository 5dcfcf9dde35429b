import CRdkafka
import Foundation

/// A partition of a topic.
package struct TopicPartition: Sendable, Hashable, Comparable, CustomStringConvertible {
    package var topic: String
    package var partition: Int32

    package init(_ topic: String, _ partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    package static func < (a: Self, b: Self) -> Bool { (a.topic, a.partition) < (b.topic, b.partition) }

    package var description: String { "\(topic) [\(partition)]" }
}

/// Where to start reading or what to commit: an offset, or a place that the broker knows.
package enum StartOffset: Sendable, Hashable, CustomStringConvertible {
    /// The first record that the log still holds.
    case beginning
    /// Behind the last record.
    case end
    /// What the group committed, else `auto.offset.reset`.
    case committed
    case offset(Int64)

    /// librdkafka's number.
    package var rawOffset: Int64 {
        switch self {
        case .beginning: Int64(RD_KAFKA_OFFSET_BEGINNING)
        case .end: Int64(RD_KAFKA_OFFSET_END)
        case .committed: Int64(RD_KAFKA_OFFSET_STORED)
        case .offset(let offset): offset
        }
    }

    package var description: String {
        switch self {
        case .beginning: "beginning"
        case .end: "end"
        case .committed: "committed offset"
        case .offset(let offset): "offset \(offset)"
        }
    }
}

/// First and next offset of a partition: its records have offsets in `low ..< high`, with holes where there are
/// transaction markers or compaction.
package struct Watermarks: Sendable, Equatable {
    package var low: Int64
    package var high: Int64

    package init(low: Int64, high: Int64) {
        self.low = low
        self.high = high
    }
}

/// What a group committed of a partition: the next offset to read, and a text that it may bear.
package struct CommittedOffset: Sendable, Equatable {
    package var offset: Int64
    /// At most 4,096 bytes, if the broker's setting is the default; empty when there is none.
    package var metadata: String

    package init(_ offset: Int64, metadata: String = "") {
        self.offset = offset
        self.metadata = metadata
    }
}

/// Owns an `rd_kafka_topic_partition_list_t`: one that is not destroyed makes `rd_kafka_destroy` hang.
package struct TopicPartitionList: ~Copyable {
    package let pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

    package init(capacity: Int = 8) { pointer = rd_kafka_topic_partition_list_new(Int32(capacity)) }

    /// Takes over a list that the library handed out.
    package init(consuming pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) { self.pointer = pointer }

    package init(_ partitions: some Sequence<TopicPartition>) {
        self.init()
        for partition in partitions { append(partition) }
    }

    package init(_ offsets: [TopicPartition: Int64]) {
        self.init(capacity: offsets.count)
        for (partition, offset) in offsets.sorted(by: { $0.key < $1.key }) { append(partition, offset: offset) }
    }

    package init(_ offsets: [TopicPartition: CommittedOffset]) {
        self.init(capacity: offsets.count)
        for (partition, committed) in offsets.sorted(by: { $0.key < $1.key }) {
            let element = rd_kafka_topic_partition_list_add(pointer, partition.topic, partition.partition)
            element?.pointee.offset = committed.offset
            if committed.metadata.isEmpty { continue }
            // The list frees it.
            element?.pointee.metadata = UnsafeMutableRawPointer(strdup(committed.metadata))
            element?.pointee.metadata_size = committed.metadata.utf8.count
        }
    }

    deinit { rd_kafka_topic_partition_list_destroy(pointer) }

    package func append(_ partition: TopicPartition, offset: Int64 = Int64(RD_KAFKA_OFFSET_INVALID)) {
        rd_kafka_topic_partition_list_add(pointer, partition.topic, partition.partition).pointee.offset = offset
    }

    /// An entry of a list.
    package struct Element {
        package let partition: TopicPartition
        package let offset: Int64
        package let error: rd_kafka_resp_err_t
        package let metadata: String

        init(_ element: rd_kafka_topic_partition_t) {
            partition = TopicPartition(String(cString: element.topic), element.partition)
            offset = element.offset
            error = element.err
            metadata =
                element.metadata.map {
                    String(decoding: UnsafeRawBufferPointer(start: $0, count: element.metadata_size), as: UTF8.self)
                } ?? ""
        }
    }

    /// The list as the library sees it, which may not be ours.
    package static func elements(of list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?) -> [Element] {
        guard let list else { return [] }
        return (0..<Int(list.pointee.cnt)).map { Element(list.pointee.elems[$0]) }
    }

    package var elements: [Element] { Self.elements(of: pointer) }
}
