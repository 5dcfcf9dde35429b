import CRdkafka
import Consumer
import Diagnostics
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
/// Each record goes through one `rd_kafka_producev`: `rd_kafka_produce_batch` stamps all records with the present time
/// and takes no headers, but a score carries its source record's time. Measured (2.0.2, 186-byte values, transactional,
/// whole process, median of interleaved rounds) the difference is within the noise: see docs/performance.md.
public final class OutputProducer {
    public let options: ProducerOptions
    private let properties: KafkaProperties
    private let component: String
    private(set) var handle: KafkaHandle
    private var machine = TransactionStateMachine()
    private var topicNames: [String] = []
    /// The library's topic objects by ``OutputTopic/index``; made anew with the producer.
    private var topics: UnsafeMutablePointer<OpaquePointer?>
    private static let maxTopics = 64
    private let isInterrupted = Atomic<Bool>(false)
    private var deliveryFailures = 0
    private var lastDeliveryFailure: KafkaError?
    private var refusedAsTooLarge: Set<Int> = []

    /// - Parameters:
    ///   - properties: the user's; see ``ProducerOptions/properties(_:)`` for what is added.
    /// - Throws: `kafka_property`, `kafka_client`, `missing_bootstrap`. A broker that is away is no error.
    public init(
        properties: KafkaProperties, options: ProducerOptions, component: String = "producer"
    ) throws(ImpactError) {
        self.options = options
        self.properties = options.properties(properties)
        self.component = component
        topics = .allocate(capacity: Self.maxTopics)
        topics.initialize(repeating: nil, count: Self.maxTopics)
        do {
            handle = try KafkaHandle(.producer, properties: self.properties, component: component)
        } catch {
            topics.deallocate()
            throw error
        }
        listen()
    }

    deinit {
        close()
        topics.deallocate()
    }

    public var isTransactional: Bool { options.transactionalID != nil }

    /// Records that were given up by the library since the producer was made.
    public private(set) var failedRecords = 0

    /// Registers a topic to write to.
    public func topic(_ name: String) throws(ImpactError) -> OutputTopic {
        if let index = topicNames.firstIndex(of: name) { return OutputTopic(index: index) }
        guard topicNames.count < Self.maxTopics, let pointer = rd_kafka_topic_new(handle.pointer, name, nil) else {
            throw ImpactError(.badConfiguration, code: "kafka_topic", "\(name) is no name for a topic")
        }
        topics[topicNames.count] = pointer
        topicNames.append(name)
        return OutputTopic(index: topicNames.count - 1)
    }

    /// Makes waits for the broker give up soon, with ``TransactionOutcome/interrupted``. From any thread.
    public func interrupt() { isInterrupted.store(true, ordering: .relaxed) }

    /// Destroys the producer; what was not committed or flushed is gone. Ends within the timeout.
    public func close(timeoutMilliseconds: Int = 5_000) {
        handle.context.onDeliveryFailure = nil
        releaseTopics()
        handle.close(timeoutMilliseconds: timeoutMilliseconds)
    }

    private func releaseTopics() {
        for i in 0 ..< topicNames.count {
            if let topic = topics[i] { rd_kafka_topic_destroy(topic) }
            topics[i] = nil
        }
    }

    private func listen() {
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

// MARK: - Records

extension OutputProducer {
    /// Hands records to the library, which copies them. Waits while its buffer is full.
    ///
    /// - Parameter bytes: what the records' ranges mean.
    /// - Throws: why a record was not taken; the transaction lacks it, so ``recover(from:)`` is next.
    public func produceBatch(
        _ topic: OutputTopic, partition: Int32, _ records: UnsafeBufferPointer<OutputRecord>,
        bytes: UnsafeRawBufferPointer
    ) throws(KafkaError) {
        let client = handle.pointer
        guard let target = topics[topic.index] else { throw KafkaError(RD_KAFKA_RESP_ERR__DESTROY) }
        for record in records {
            let key = Self.range(record.keyStart, record.keyCount, in: bytes)
            let value = Self.range(record.valueStart, record.valueCount, in: bytes)
            let time = record.timestamp == 0 ? 1 : record.timestamp
            while true {
                let code = crdkafka_produce(
                    client, target, partition, time, key, max(0, Int(record.keyCount)), value,
                    max(0, Int(record.valueCount)))
                if code == RD_KAFKA_RESP_ERR_NO_ERROR { break }
                try makeRoom(after: code, topic, partition)
            }
        }
        handle.poll()
    }

    /// Hands over one record, with headers. Partition −1 places it by its key as the Java clients do (murmur2).
    public func produce(
        _ topic: OutputTopic, partition: Int32 = -1, key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?,
        headers: [RecordHeader] = [], timestamp: Int64
    ) throws(KafkaError) {
        try produce(topic, partition, key, value, Self.list(headers), timestamp)
    }

    /// Hands over a consumed record as it is, byte for byte, with further headers behind its own.
    public func produce(
        _ topic: OutputTopic, partition: Int32, copyOf message: borrowing Message, adding headers: [RecordHeader]
    ) throws(KafkaError) {
        let list = message.headerList.map { rd_kafka_headers_copy($0) } ?? rd_kafka_headers_new(headers.count)
        Self.append(headers, to: list)
        try produce(topic, partition, message.rawKey, message.rawPayload, list, message.timestamp)
    }

    /// Takes over the list.
    private func produce(
        _ topic: OutputTopic, _ partition: Int32, _ key: UnsafeRawBufferPointer?, _ value: UnsafeRawBufferPointer?,
        _ headers: OpaquePointer?, _ timestamp: Int64
    ) throws(KafkaError) {
        let keyStart = key.map { $0.baseAddress ?? Self.nothing }
        let valueStart = value.map { $0.baseAddress ?? Self.nothing }
        do throws(KafkaError) {
            guard let target = topics[topic.index] else { throw KafkaError(RD_KAFKA_RESP_ERR__DESTROY) }
            while true {
                let code = crdkafka_produce_with_headers(
                    handle.pointer, target, partition, timestamp == 0 ? 1 : timestamp, keyStart, key?.count ?? 0,
                    valueStart, value?.count ?? 0, headers)
                if code == RD_KAFKA_RESP_ERR_NO_ERROR { return }
                try makeRoom(after: code, topic, partition)
            }
        } catch {
            rd_kafka_headers_destroy(headers)
            throw error
        }
    }

    private static func list(_ headers: [RecordHeader]) -> OpaquePointer? {
        let list = rd_kafka_headers_new(headers.count)
        append(headers, to: list)
        return list
    }

    private static func append(_ headers: [RecordHeader], to list: OpaquePointer?) {
        for header in headers {
            header.nameBytes.withUnsafeBytes { name in
                let nameStart = name.assumingMemoryBound(to: CChar.self).baseAddress
                guard let value = header.value else {
                    rd_kafka_header_add(list, nameStart, name.count, nil, 0)
                    return
                }
                _ = value.withUnsafeBytes {
                    // A null pointer would make the value null; an empty array may have no address.
                    rd_kafka_header_add(list, nameStart, name.count, $0.baseAddress ?? Self.nothing, $0.count)
                }
            }
        }
    }

    /// The address of an empty text: not null, never read.
    private static var nothing: UnsafeRawPointer { UnsafeRawPointer(bitPattern: 1).unsafelyUnwrapped }

    @inline(__always)
    private static func range(_ start: Int, _ count: Int32, in bytes: UnsafeRawBufferPointer) -> UnsafeRawPointer? {
        if count < 0 { return nil }
        precondition(start >= 0 && start + Int(count) <= bytes.count, "a record's range is outside its buffer")
        return bytes.baseAddress.map { $0 + start } ?? nothing
    }

    /// A full buffer is back-pressure: serves deliveries for a moment. Anything else is thrown.
    private func makeRoom(
        after code: rd_kafka_resp_err_t, _ topic: OutputTopic, _ partition: Int32
    ) throws(KafkaError) {
        if code == RD_KAFKA_RESP_ERR__QUEUE_FULL {
            if isInterrupted.load(ordering: .relaxed) {
                throw KafkaError(RD_KAFKA_RESP_ERR__INTR, "interrupted while the producer's buffer was full")
            }
            handle.poll(timeoutMilliseconds: 10)
            return
        }
        if code == RD_KAFKA_RESP_ERR__FATAL, let fatal = handle.fatalError { throw fatal }
        throw lastDeliveryFailure
            ?? KafkaError(
                code, "writing to \(topicNames[topic.index]) [\(partition)]: \(String(cString: rd_kafka_err2str(code)))",
                requiresAbort: true)
    }

    /// Waits until every record handed over is acknowledged.
    ///
    /// - Throws: the last record's failure when any was given up since the last flush; a timeout is retriable.
    public func flush(timeoutMilliseconds: Int = 60_000) throws(KafkaError) {
        let deadline = DispatchTime.now() + .milliseconds(timeoutMilliseconds)
        while true {
            let code = rd_kafka_flush(handle.pointer, 200)
            if code == RD_KAFKA_RESP_ERR_NO_ERROR { break }
            if isInterrupted.load(ordering: .relaxed) {
                throw KafkaError(RD_KAFKA_RESP_ERR__INTR, "interrupted while records were not acknowledged")
            }
            if DispatchTime.now() >= deadline {
                throw KafkaError(
                    RD_KAFKA_RESP_ERR__TIMED_OUT,
                    "\(rd_kafka_outq_len(handle.pointer)) records are not acknowledged after \(timeoutMilliseconds) ms",
                    isRetriable: true)
            }
        }
        if deliveryFailures == 0 { return }
        deliveryFailures = 0
        let failure = lastDeliveryFailure ?? KafkaError(RD_KAFKA_RESP_ERR__FAIL)
        lastDeliveryFailure = nil
        throw failure
    }
}

// MARK: - Transactions

extension OutputProducer {
    /// Makes the producer ready: takes over the identity, which fences an earlier holder and ends its open transaction.
    /// Waits for the broker as long as it takes, or until interrupted. Does nothing for an idempotent producer.
    @discardableResult
    public func start() -> TransactionOutcome { isTransactional ? run(.start) : .ready }

    /// Begins a transaction; a no-op for an idempotent producer.
    @discardableResult
    public func begin() -> TransactionOutcome { isTransactional ? run(.begin) : .ready }

    /// Commits records and offsets together, and waits for it.
    ///
    /// An idempotent producer flushes, and the caller commits the offsets with the consumer after `.committed`.
    /// - Parameters:
    ///   - offsets: each partition's last processed offset + 1.
    ///   - group: as of now; see ``EventConsumer/groupMetadata()``.
    public func commit(
        offsets: [TopicPartition: Int64], group: borrowing GroupMetadata
    ) -> TransactionOutcome {
        if !isTransactional { return flushed() }
        if let failure = settle() { return recover(from: failure) }
        let list = TopicPartitionList(offsets)
        return run(.commit) { [handle] in
            if offsets.isEmpty { return nil }
            return KafkaError(
                consuming: rd_kafka_send_offsets_to_transaction(handle.pointer, list.pointer, group.pointer, -1),
                doing: "adding the offsets to the transaction")
        }
    }

    /// Commits records that belong to no consumed input (a generator, a tool).
    public func commit() -> TransactionOutcome {
        if !isTransactional { return flushed() }
        if let failure = settle() { return recover(from: failure) }
        return run(.commit)
    }

    /// Drops the records of the transaction.
    @discardableResult
    public func abort() -> TransactionOutcome {
        if !isTransactional { return flushed() }
        // 2.0.2 ends a transaction that the broker has not heard of yet, which is a fatal error: let it be heard of.
        rd_kafka_flush(handle.pointer, 1_000)
        return run(.abort)
    }

    /// Waits until all records of the transaction are acknowledged; returns why one was not.
    ///
    /// `rd_kafka_commit_transaction` does the same, but does not notice a failed record before the others' timeout.
    private func settle() -> KafkaError? {
        while rd_kafka_flush(handle.pointer, 100) != RD_KAFKA_RESP_ERR_NO_ERROR && deliveryFailures == 0 {
            if let fatal = handle.fatalError { return fatal }
            if isInterrupted.load(ordering: .relaxed) {
                return KafkaError(RD_KAFKA_RESP_ERR__INTR, "interrupted while records were not acknowledged")
            }
        }
        if deliveryFailures == 0 { return nil }
        var failure = lastDeliveryFailure ?? KafkaError(RD_KAFKA_RESP_ERR__FAIL)
        failure.requiresAbort = true
        return failure
    }

    /// After a failed produce: brings the producer back to ready, and says what became of the transaction.
    public func recover(from error: KafkaError) -> TransactionOutcome {
        if error.code == RD_KAFKA_RESP_ERR__INTR { return .interrupted }
        return isTransactional ? run(.failed(.produce, error)) : .aborted(error)
    }

    private func flushed() -> TransactionOutcome {
        while true {
            do {
                try flush()
                return .committed
            } catch {
                if error.code == RD_KAFKA_RESP_ERR__INTR { return .interrupted }
                if !error.isRetriable { return .aborted(error) }
                Log.warning(component, "\(error)")
            }
        }
    }

    /// Drives the machine until it says how the step ended.
    private func run(
        _ event: TransactionStateMachine.Event, sendOffsets: () -> KafkaError? = { nil }
    ) -> TransactionOutcome {
        var action = machine.handle(event)
        var pause: UInt32 = 50_000
        while true {
            let isInterrupted = isInterrupted.load(ordering: .relaxed)
            switch action {
            case .retry where isInterrupted, .recreate where isInterrupted:
                return .interrupted
            case .finish(let outcome):
                if case .committed = outcome {} else { lastDeliveryFailure = nil }
                deliveryFailures = 0
                return outcome
            case .call(let call):
                action = machine.handle(result(of: call, sendOffsets))
            case .retry(let call):
                usleep(pause)
                pause = min(pause * 2, 1_000_000)
                action = machine.handle(result(of: call, sendOffsets))
            case .recreate:
                recreate()
                action = machine.handle(.recreated)
            }
        }
    }

    private func result(
        of call: TransactionStateMachine.Call, _ sendOffsets: () -> KafkaError?
    ) -> TransactionStateMachine.Event {
        let client = handle.pointer
        let error: KafkaError? =
            switch call {
            case .initialise:
                // In slices, so that an interruption is seen; librdkafka goes on with the same attempt.
                KafkaError(consuming: rd_kafka_init_transactions(client, 5_000), doing: "initialising transactions")
            case .begin: KafkaError(consuming: rd_kafka_begin_transaction(client), doing: "beginning a transaction")
            case .produce: nil
            case .sendOffsets: sendOffsets()
            case .commit:
                KafkaError(consuming: rd_kafka_commit_transaction(client, -1), doing: "committing the transaction")
            case .abort:
                KafkaError(consuming: rd_kafka_abort_transaction(client, -1), doing: "aborting the transaction")
            }
        guard var error else { return .succeeded(call) }
        if let cause = lastDeliveryFailure, error.requiresAbort {
            error.message += " (\(cause))"
        }
        Log.debug(component, "\(call): \(error)")
        return .failed(call, handle.fatalError ?? error)
    }

    private func recreate() {
        Log.warning(component, "the producer cannot go on and is made anew")
        handle.context.onDeliveryFailure = nil
        releaseTopics()
        handle.close()
        while true {
            do {
                handle = try KafkaHandle(.producer, properties: properties, component: component)
                break
            } catch {
                // The same properties worked before: only a lack of memory or threads is left as a reason.
                Log.error(component, "\(error.message)")
                usleep(1_000_000)
            }
        }
        for (i, name) in topicNames.enumerated() { topics[i] = rd_kafka_topic_new(handle.pointer, name, nil) }
        listen()
    }
}
