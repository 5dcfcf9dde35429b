import CRdkafka
import Kafka

/// The records of one poll. Owns them: when the batch ends they go back to librdkafka, by way of ``BatchPool``.
///
/// ```swift
/// let batch = try consumer.poll(max: 1000, timeoutMilliseconds: 100)
/// for i in 0 ..< batch.count { use(batch[i].payloadBuffer) }
/// ```
/// One batch that were kept would make the client's destruction wait for ever; a `~Copyable` value cannot be kept by
/// accident. Its array is the consumer's, lent to one batch at a time.
public struct MessageBatch: ~Copyable {
    let storage: BatchStorage
    public let count: Int

    /// Takes over the first `count` messages of a storage that was lent.
    package init(_ storage: BatchStorage, count: Int) {
        self.storage = storage
        self.count = count
    }

    deinit { storage.pool.take(storage, count: count) }

    /// Hands the records over, each with its topic's index: `body` owns them from here on.
    consuming func disown(_ body: (UnsafeMutablePointer<rd_kafka_message_t>, Int) -> Void) {
        for i in 0..<count {
            guard let message = storage.messages[i] else { continue }
            storage.messages[i] = nil
            body(message, Int(storage.topics.index(of: message.pointee.rkt)))
        }
    }

    public var isEmpty: Bool { count == 0 }

    /// The record at `i`, in the order in which the library delivered them: by offset within a partition.
    public subscript(i: Int) -> Message {
        @_lifetime(borrow self)
        borrowing get {
            precondition(i >= 0 && i < count, "message index out of range")
            // The consumer leaves no empty place among the first `count`.
            let raw = storage.messages[i]!
            return Message(raw, topic: storage.topics.index(of: raw.pointee.rkt), owner: self)
        }
    }
}

/// Finds a topic's index by the pointer that a message holds, without its name's text.
///
/// A pointer cannot come to mean another topic: the table keeps a reference to each topic object.
public final class TopicTable {
    private let pointers: UnsafeMutablePointer<OpaquePointer?>
    private var handles: [OpaquePointer] = []
    private let count: Int

    init(topics: [String], handle: KafkaHandle) {
        count = topics.count
        pointers = .allocate(capacity: max(1, count))
        pointers.initialize(repeating: nil, count: max(1, count))
        for (i, topic) in topics.enumerated() {
            guard let pointer = rd_kafka_topic_new(handle.pointer, topic, nil) else { continue }
            handles.append(pointer)
            pointers[i] = pointer
        }
    }

    deinit {
        release()
        pointers.deallocate()
    }

    @inline(__always)
    func index(of topic: OpaquePointer?) -> Int32 {
        for i in 0..<count where pointers[i] == topic { return Int32(i) }
        return -1
    }

    /// Gives the references back; before the client is destroyed.
    func release() {
        for handle in handles { rd_kafka_topic_destroy(handle) }
        handles = []
        pointers.update(repeating: nil, count: max(1, count))
    }
}
