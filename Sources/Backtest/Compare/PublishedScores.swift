import Base
import Consumer
import Events
import Kafka

/// The published scores of one partition, in order, one at a time; committed ones only.
package protocol PublishedScores: AnyObject {
    /// Begins at the first score of the partition.
    func begin(partition: Int32) throws
    /// The bytes of the score at hand, good until ``advance()``; nil behind the last one.
    func peek() throws -> UnsafeRawBufferPointer?
    func advance()
    /// Records without a value met in this partition so far: what erasure writes for a user. They are not scores.
    var tombstones: Int { get }
    func close()
}

/// From a topic whose partitions are those of the input.
package final class TopicScores: PublishedScores {
    private let topic: String
    private let ends: [Watermarks]
    private let source: TopicSource
    private let bytes = ByteBuffer(capacity: 1 << 20)
    private var values: [Range<Int>] = []
    private var next = 0
    private var isAtEnd = true
    package private(set) var tombstones = 0

    /// - Parameter ends: first and next offsets of the topic's partitions, captured at the start.
    package init(topic: String, ends: [Watermarks], properties: KafkaProperties, component: String) throws {
        self.topic = topic
        self.ends = ends
        source = try TopicSource(topic: topic, properties: properties, component: component)
    }

    package func begin(partition: Int32) throws {
        values.removeAll(keepingCapacity: true)
        next = 0
        tombstones = 0
        let marks = ends[Int(partition)]
        isAtEnd = marks.high <= marks.low
        try source.begin(PartitionSpan(partition: partition, first: marks.low, from: marks.low, end: marks.high))
    }

    package func peek() throws -> UnsafeRawBufferPointer? {
        while next == values.count {
            if isAtEnd { return nil }
            values.removeAll(keepingCapacity: true)
            bytes.removeAll()
            next = 0
            isAtEnd = try !source.read(max: 1_024) { record in
                guard let value = record.value else {
                    tombstones += 1
                    return
                }
                let start = bytes.count
                bytes.append(value)
                values.append(start..<bytes.count)
            }
        }
        return bytes.bytes(values[next])
    }

    package func advance() { next += 1 }

    package func close() { source.close() }
}
