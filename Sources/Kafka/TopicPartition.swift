import CRdkafka

/// A partition of a topic.
public struct TopicPartition: Sendable, Hashable, Comparable, CustomStringConvertible {
    public var topic: String
    public var partition: Int32

    public init(_ topic: String, _ partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    public static func < (a: Self, b: Self) -> Bool { (a.topic, a.partition) < (b.topic, b.partition) }

    public var description: String { "\(topic) [\(partition)]" }
}

/// Where to start reading or what to commit: an offset, or a place that the broker knows.
public enum StartOffset: Sendable, Hashable, CustomStringConvertible {
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

    public var description: String {
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
public struct Watermarks: Sendable, Equatable {
    public var low: Int64
    public var high: Int64

    public init(low: Int64, high: Int64) {
        self.low = low
        self.high = high
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

    deinit { rd_kafka_topic_partition_list_destroy(pointer) }

    package func append(_ partition: TopicPartition, offset: Int64 = Int64(RD_KAFKA_OFFSET_INVALID)) {
        rd_kafka_topic_partition_list_add(pointer, partition.topic, partition.partition).pointee.offset = offset
    }

    /// The list as the library sees it, which may not be ours.
    package static func elements(
        of list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
    ) -> [(partition: TopicPartition, offset: Int64, error: rd_kafka_resp_err_t)] {
        guard let list else { return [] }
        return (0..<Int(list.pointee.cnt)).map { i in
            let element = list.pointee.elems[i]
            return (
                TopicPartition(String(cString: element.topic), element.partition), element.offset, element.err
            )
        }
    }

    package var elements: [(partition: TopicPartition, offset: Int64, error: rd_kafka_resp_err_t)] {
        Self.elements(of: pointer)
    }
}
