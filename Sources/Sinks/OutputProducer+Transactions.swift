import Base
import CRdkafka
import Consumer
import Foundation
import Kafka
import Synchronization

extension OutputProducer {
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
        return run(.commit) { [handle] in
            if offsets.isEmpty { return nil }
            return KafkaError(
                consuming: rd_kafka_send_offsets_to_transaction(handle.pointer, list.pointer, group.pointer, -1),
                doing: "adding the offsets to the transaction")
        }
    }

    /// Commits records and the offsets of several groups together, and waits for it.
    package func commit(
        offsetsOfGroups groups: [String: [TopicPartition: CommittedOffset]]
    ) -> TransactionOutcome {
        if !isTransactional { return flushed() }
        return run(.commit) { [handle] in
            // Adding a group's offsets a second time changes nothing, so a retry may begin with the first group.
            for (group, offsets) in groups {
                let list = TopicPartitionList(offsets)
                let metadata = GroupMetadata(group: group)
                if let error = KafkaError(
                    consuming: rd_kafka_send_offsets_to_transaction(handle.pointer, list.pointer, metadata.pointer, -1),
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
        Self.reached(call)
        let error: KafkaError? =
            switch call {
            case .initialise:
                // In slices, so that an interruption is seen; librdkafka goes on with the same attempt.
                KafkaError(consuming: rd_kafka_init_transactions(client, 5_000), doing: "initialising transactions")
            case .begin: KafkaError(consuming: rd_kafka_begin_transaction(client), doing: "beginning a transaction")
            case .produce: nil
            case .sendOffsets: sendOffsets()
            case .commit:
                // After the offsets, whose two round trips the records use to arrive.
                settle()
                    ?? KafkaError(
                        consuming: rd_kafka_commit_transaction(client, -1), doing: "committing the transaction")
            case .abort:
                KafkaError(consuming: rd_kafka_abort_transaction(client, -1), doing: "aborting the transaction")
            }
        guard var error else {
            Self.reached(call, isDone: true)
            return .succeeded(call)
        }
        if let cause = lastDeliveryFailure, error.requiresAbort, error.message != cause.message {
            error.message += " (\(cause))"
        }
        Log.debug(component, "\(call): \(error)")
        return .failed(call, handle.fatalError ?? error)
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
