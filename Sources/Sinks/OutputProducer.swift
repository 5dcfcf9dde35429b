import Base
import CRdkafka
import Consumer
import Foundation
import Kafka
import Synchronization

/// Writes records, in transactions with the consumed offsets or idempotent only. Belongs to one thread, except
/// ``interrupt()``.
///
/// ```swift
/// producer.start()                                   // waits for the broker
/// try producer.begin()
/// try producer.produceBatch(scores, partition: 3, records, bytes: arena)
/// switch producer.commit(offsets: next, group: try consumer.groupMetadata()) {
/// case .committed: state.commit()
/// case .aborted, .reinitialised: state.rollback(); try consumer.seekToCommitted()
/// case .fenced: // stop, rejoin
/// ```
/// A record that carries a time of its own goes through one `rd_kafka_producev`: `rd_kafka_produce_batch` stamps all
/// records with the present and takes no headers. Measured with 2.0.2 (186-byte values, transactional, five interleaved
/// rounds): 167–210 ns of the calling thread a record in batches of 1,000, 254–323 ns one by one, 245–289 ns by
/// `rd_kafka_produceva`, which however allocates an error whenever the buffer is full.
package final class OutputProducer {
    package let options: ProducerOptions
    let properties: KafkaProperties
    let component: String
    var handle: KafkaHandle
    var machine = TransactionStateMachine()
    var topicNames: [String] = []
    /// The library's topic objects by ``OutputTopic/index``; made anew with the producer.
    var topics: UnsafeMutablePointer<OpaquePointer?>
    private static let maxTopics = 64
    /// Scratch for ``produceBatchNow(_:partition:_:bytes:)``.
    let batch: UnsafeMutablePointer<rd_kafka_message_t>
    static let batchCapacity = 1024
    let isInterrupted = Atomic<Bool>(false)
    var deliveryFailures = 0
    var lastDeliveryFailure: KafkaError?
    var refusedAsTooLarge: Set<Int> = []

    /// - Parameters:
    ///   - properties: the user's; see ``ProducerOptions/properties(_:)`` for what is added.
    /// - Throws: `kafka_property`, `kafka_client`, `missing_bootstrap`. A broker that is away is no error.
    package init(
        properties: KafkaProperties, options: ProducerOptions, component: String = "producer"
    ) throws(ImpactError) {
        self.options = options
        self.properties = options.properties(properties)
        self.component = component
        topics = .allocate(capacity: Self.maxTopics)
        topics.initialize(repeating: nil, count: Self.maxTopics)
        batch = .allocate(capacity: Self.batchCapacity)
        batch.initialize(repeating: rd_kafka_message_t(), count: Self.batchCapacity)
        do {
            handle = try KafkaHandle(.producer, properties: self.properties, component: component)
        } catch {
            topics.deallocate()
            batch.deallocate()
            throw error
        }
        listen()
    }

    deinit {
        close()
        topics.deallocate()
        batch.deallocate()
    }

    package var isTransactional: Bool { options.transactionalID != nil }

    /// Records that were given up by the library since the producer was made.
    package internal(set) var failedRecords = 0

    /// Registers a topic to write to.
    package func topic(_ name: String) throws(ImpactError) -> OutputTopic {
        if let index = topicNames.firstIndex(of: name) { return OutputTopic(index: index) }
        guard topicNames.count < Self.maxTopics, let pointer = rd_kafka_topic_new(handle.pointer, name, nil) else {
            throw ImpactError(.badConfiguration, code: "kafka_topic", "\(name) is no name for a topic")
        }
        topics[topicNames.count] = pointer
        topicNames.append(name)
        return OutputTopic(index: topicNames.count - 1)
    }

    /// Makes waits for the broker give up soon, with ``TransactionOutcome/interrupted``. From any thread.
    package func interrupt() { isInterrupted.store(true, ordering: .relaxed) }

    /// Destroys the producer; what was not committed or flushed is gone. Ends within the timeout.
    package func close(timeoutMilliseconds: Int = 5_000) {
        handle.context.onDeliveryFailure = nil
        releaseTopics()
        handle.close(timeoutMilliseconds: timeoutMilliseconds)
    }

    func releaseTopics() {
        for i in 0..<topicNames.count {
            if let topic = topics[i] { rd_kafka_topic_destroy(topic) }
            topics[i] = nil
        }
    }

    func listen() {
        handle.context.onDeliveryFailure = { [unowned self] message in
            let topic = topicNames.indices.first { topics[$0] == message.pointee.rkt }
            let code = message.pointee.err
            // Records purged by an abort were meant to go.
            if code == RD_KAFKA_RESP_ERR__PURGE_QUEUE || code == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT { return }
            if code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, let topic { refusedAsTooLarge.insert(topic) }
            failedRecords += 1
            deliveryFailures += 1
            let name = topic.map { topicNames[$0] } ?? "?"
            lastDeliveryFailure = KafkaError(
                code, "writing to \(name) [\(message.pointee.partition)]: \(String(cString: rd_kafka_err2str(code)))")
        }
    }

    /// Whether the broker has refused a record of this topic as too large since the last question.
    func takeRefusedAsTooLarge(_ topic: OutputTopic) -> Bool { refusedAsTooLarge.remove(topic.index) != nil }
}
