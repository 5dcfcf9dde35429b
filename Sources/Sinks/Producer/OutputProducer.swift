import Base
import CRdkafka
import Consumer
import Engine
import Foundation
import Kafka

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
///
/// ``ProducerClient`` hands the records over, ``TransactionStateMachine`` says what is next, and this does it.
package final class OutputProducer {
    package let options: ProducerOptions
    private let component: String
    private let client: ProducerClient
    private var machine = TransactionStateMachine()

    /// - Parameters:
    ///   - properties: the user's; see ``ProducerOptions/properties(_:)`` for what is added.
    /// - Throws: `kafka_property`, `kafka_client`, `missing_bootstrap`. A broker that is away is not an error.
    package init(
        properties: KafkaProperties, options: ProducerOptions, component: String = "producer"
    ) throws(ImpactError) {
        self.options = options
        self.component = component
        client = try ProducerClient(properties: options.properties(properties), component: component)
    }

    package var isTransactional: Bool { options.transactionalID != nil }

    /// Records that were given up by the library since the producer was made.
    package var failedRecords: Int { client.failures.total }

    /// What librdkafka said last of itself.
    package var statistics: ClientStatistics? { client.handle.statistics }

    /// Registers a topic to write to.
    package func topic(_ name: String) throws(ImpactError) -> OutputTopic { try client.topic(name) }

    /// Makes waits for the broker give up soon, with ``TransactionOutcome/interrupted``. From any thread.
    package func interrupt() { client.interrupt() }

    /// Destroys the producer; what was not committed or flushed is gone. Ends within the timeout.
    package func close(timeoutMilliseconds: Int = 5_000) { client.close(timeoutMilliseconds: timeoutMilliseconds) }

    /// Whether the broker has refused a record of this topic as too large since the last question.
    func takeRefusedAsTooLarge(_ topic: OutputTopic) -> Bool { client.failures.takeRefusedAsTooLarge(topic.index) }

    // MARK: Records

    /// Hands records to the library, which copies them. Waits while its buffer is full.
    ///
    /// - Parameter bytes: what the records' ranges mean.
    /// - Throws: why a record was not taken; the transaction lacks it, so ``recover(from:)`` is next.
    package func produceBatch(
        _ topic: OutputTopic, partition: Int32, _ records: UnsafeBufferPointer<OutputRecord>,
        bytes: UnsafeRawBufferPointer
    ) throws(KafkaError) { try client.produceBatch(topic, partition: partition, records, bytes: bytes) }

    /// Hands records to the library like ``produceBatch(_:partition:_:bytes:)``, stamped with the present whatever they
    /// say: a third cheaper, for records whose time nobody reads (the changelog).
    package func produceBatchNow(
        _ topic: OutputTopic, partition: Int32, _ records: UnsafeBufferPointer<OutputRecord>,
        bytes: UnsafeRawBufferPointer
    ) throws(KafkaError) { try client.produceBatchNow(topic, partition: partition, records, bytes: bytes) }

    /// The same, each record with the headers of its message that go on.
    ///
    /// - Parameter batch: the messages that the records' tags number.
    package func produceBatch(
        _ topic: OutputTopic, partition: Int32, _ records: UnsafeBufferPointer<OutputRecord>,
        bytes: UnsafeRawBufferPointer, forwarding headers: ForwardedHeaders, of batch: borrowing MessageBatch
    ) throws(KafkaError) {
        try client.produceBatch(topic, partition: partition, records, bytes: bytes, forwarding: headers, of: batch)
    }

    /// ``produceBatchNow(_:partition:_:bytes:)`` with headers on the last record.
    package func produceBatchNow(
        _ topic: OutputTopic, partition: Int32, _ records: UnsafeBufferPointer<OutputRecord>,
        bytes: UnsafeRawBufferPointer, lastHeaders: [RecordHeader]
    ) throws(KafkaError) {
        try client.produceBatchNow(
            topic, partition: partition, records, bytes: bytes, lastHeaders: lastHeaders)
    }

    /// Hands over one record, with headers. Partition −1 places it by its key as the Java clients do (murmur2).
    package func produce(
        _ topic: OutputTopic, partition: Int32 = -1, key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?,
        headers: [RecordHeader] = [], timestamp: Int64
    ) throws(KafkaError) {
        try client.produce(
            topic, partition: partition, key: key, value: value, headers: headers, timestamp: timestamp)
    }

    /// Hands over a consumed record as it is, byte for byte, with further headers behind its own.
    package func produce(
        _ topic: OutputTopic, partition: Int32, copyOf message: borrowing Message, adding headers: [RecordHeader]
    ) throws(KafkaError) { try client.produce(topic, partition: partition, copyOf: message, adding: headers) }

    /// Waits until every record handed over is acknowledged.
    ///
    /// - Throws: the last record's failure when any was given up since the last flush; a timeout is retriable.
    package func flush(timeoutMilliseconds: Int = 60_000) throws(KafkaError) {
        try client.flush(timeoutMilliseconds: timeoutMilliseconds)
    }

    // MARK: Transactions

    /// Makes the producer ready: takes over the identity, which fences an earlier holder and ends its open transaction.
    /// Waits for the broker as long as it takes, or until interrupted. Does nothing for an idempotent producer.
    @discardableResult
    package func start() -> TransactionOutcome { isTransactional ? run(.start) : .ready }

    /// Begins a transaction; a no-op for an idempotent producer.
    @discardableResult
    package func begin() -> TransactionOutcome { isTransactional ? run(.begin) : .ready }

    /// Commits records and offsets together, and waits for it.
    ///
    /// An idempotent producer flushes, and the caller commits the offsets with the consumer after `.committed`.
    /// - Parameters:
    ///   - offsets: each partition's last processed offset + 1.
    ///   - group: as of now; see ``EventConsumer/groupMetadata()``.
    package func commit(
        offsets: [TopicPartition: Int64], group: borrowing GroupMetadata
    ) -> TransactionOutcome {
        commit(marked: offsets.mapValues { CommittedOffset($0) }, group: group)
    }

    /// The same with the texts that the offsets bear.
    package func commit(
        marked offsets: [TopicPartition: CommittedOffset], group: borrowing GroupMetadata
    ) -> TransactionOutcome {
        if !isTransactional { return flushed() }
        let list = TopicPartitionList(offsets)
        return run(.commit) { [client] in
            if offsets.isEmpty { return nil }
            return KafkaError(
                consuming: rd_kafka_send_offsets_to_transaction(client.handle.pointer, list.pointer, group.pointer, -1),
                doing: "adding the offsets to the transaction")
        }
    }

    /// Commits records and the offsets of several groups together, and waits for it.
    package func commit(
        offsetsOfGroups groups: [String: [TopicPartition: CommittedOffset]]
    ) -> TransactionOutcome {
        if !isTransactional { return flushed() }
        return run(.commit) { [client] in
            // Adding a group's offsets a second time changes nothing, so a retry may begin with the first group.
            for (group, offsets) in groups {
                let list = TopicPartitionList(offsets)
                let metadata = GroupMetadata(group: group)
                if let error = KafkaError(
                    consuming: rd_kafka_send_offsets_to_transaction(
                        client.handle.pointer, list.pointer, metadata.pointer, -1),
                    doing: "adding the offsets of \(group) to the transaction")
                {
                    return error
                }
            }
            return nil
        }
    }

    /// Commits records that belong to no consumed input (a generator, a tool).
    package func commit() -> TransactionOutcome {
        if !isTransactional { return flushed() }
        return run(.commit)
    }

    /// Drops the records of the transaction.
    @discardableResult
    package func abort() -> TransactionOutcome {
        if !isTransactional { return flushed() }
        // 2.0.2 ends a transaction that the broker has not heard of yet, which is a fatal error: let it be heard of.
        rd_kafka_flush(client.handle.pointer, 1_000)
        return run(.abort)
    }

    /// After a failed produce: brings the producer back to ready, and says what became of the transaction.
    package func recover(from error: KafkaError) -> TransactionOutcome {
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
            let isInterrupted = client.isInterrupted
            switch action {
            case .retry where isInterrupted, .recreate where isInterrupted:
                return .interrupted
            case .finish(let outcome):
                client.failures.endStep(isCommitted: outcome == .committed)
                return outcome
            case .call(let call):
                action = machine.handle(result(of: call, sendOffsets))
            case .retry(let call):
                usleep(pause)
                pause = min(pause * 2, 1_000_000)
                action = machine.handle(result(of: call, sendOffsets))
            case .recreate:
                client.recreate()
                action = machine.handle(.recreated)
            }
        }
    }

    private func result(
        of call: TransactionStateMachine.Call, _ sendOffsets: () -> KafkaError?
    ) -> TransactionStateMachine.Event {
        let pointer = client.handle.pointer
        Self.reached(call)
        let error: KafkaError? =
            switch call {
            case .initialise:
                // In slices, so that an interruption is seen; librdkafka goes on with the same attempt.
                KafkaError(consuming: rd_kafka_init_transactions(pointer, 5_000), doing: "initialising transactions")
            case .begin: KafkaError(consuming: rd_kafka_begin_transaction(pointer), doing: "beginning a transaction")
            case .produce: nil
            case .sendOffsets: sendOffsets()
            case .commit:
                // After the offsets, whose two round trips the records use to arrive.
                client.settle()
                    ?? KafkaError(
                        consuming: rd_kafka_commit_transaction(pointer, -1), doing: "committing the transaction")
            case .abort:
                KafkaError(consuming: rd_kafka_abort_transaction(pointer, -1), doing: "aborting the transaction")
            }
        guard var error else {
            Self.reached(call, isDone: true)
            return .succeeded(call)
        }
        if let cause = client.failures.last, error.requiresAbort, error.message != cause.message {
            error.message += " (\(cause))"
        }
        Log.debug(component, "\(call): \(error)")
        return .failed(call, client.handle.fatalError ?? error)
    }

    /// Lets tests end the process here.
    private static func reached(_ call: TransactionStateMachine.Call, isDone: Bool = false) {
        switch (call, isDone) {
        case (.sendOffsets, false): KillPoint.beforeSendOffsets.reached()
        case (.sendOffsets, true): KillPoint.afterSendOffsets.reached()
        case (.commit, false): KillPoint.duringCommit.reached(within: 5)
        case (.commit, true): KillPoint.afterCommit.reached()
        default: break
        }
    }
}
