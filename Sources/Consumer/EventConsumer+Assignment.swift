import Base
import CRdkafka
import Kafka

extension EventConsumer {
    /// The library's rebalance callback, on the polling thread.
    func rebalance(
        _ code: rd_kafka_resp_err_t, _ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
    ) {
        let partitions = TopicPartitionList.elements(of: list).map(\.partition)
        switch code {
        case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
            perform(assignment.handle(.assign(partitions)))
        case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
            let isLost = rd_kafka_assignment_lost(handle.pointer) != 0
            perform(assignment.handle(isLost ? .lost(partitions) : .revoke(partitions)))
        default:
            Log.warning(
                handle.component, "the rebalance failed: \(String(cString: rd_kafka_err2str(code)))")
            perform(assignment.handle(.lost(partitions)))
        }
    }

    func perform(_ actions: [AssignmentStateMachine.Action]) {
        for action in actions {
            switch action {
            case .assign(let partitions):
                Log.info(handle.component, "assigned: \(Self.list(partitions))")
                take(partitions, at: handler?.startOffsets(of: partitions) ?? [:])
                handler?.assigned(partitions)
            case .revoke(let partitions):
                Log.info(handle.component, "revoked: \(Self.list(partitions))")
                handler?.revoked(partitions)
            case .discard(let partitions):
                Log.warning(handle.component, "lost: \(Self.list(partitions))")
                handler?.lost(partitions)
            case .unassign:
                rd_kafka_assign(handle.pointer, nil)
            case .decline:
                // An empty list: none at all is the answer to a revocation.
                let nothing = TopicPartitionList(capacity: 0)
                rd_kafka_assign(handle.pointer, nothing.pointer)
            }
        }
    }

    /// Takes partitions without a group, each at its start offset. Replaces what was assigned before; nothing that was
    /// read of it arrives any more. The handler is not asked.
    package func assign(_ partitions: [TopicPartition: StartOffset]) throws(KafkaError) {
        let list = partitions.keys.sorted()
        // A consumer by hand owns what it says; the machine keeps the books of what is paused.
        _ = assignment.handle(.revoke([]))
        _ = assignment.handle(.assign(list))
        rd_kafka_assign(handle.pointer, nil)
        try takeChecked(list, at: partitions)
    }

    private func take(_ partitions: [TopicPartition], at offsets: [TopicPartition: StartOffset]) {
        do {
            try takeChecked(partitions, at: offsets)
        } catch {
            // Fails only when the client is fatally broken or closing: polls report that.
            Log.error(handle.component, "\(error)")
        }
    }

    private func takeChecked(
        _ partitions: [TopicPartition], at offsets: [TopicPartition: StartOffset]
    ) throws(KafkaError) {
        let list = TopicPartitionList(capacity: partitions.count)
        awaitStops()
        for partition in partitions {
            list.append(partition, offset: (offsets[partition] ?? .committed).rawOffset)
            // The forwarding must stand before the fetch begins, which otherwise forwards to the control queue.
            guard let queue = rd_kafka_queue_get_partition(handle.pointer, partition.topic, partition.partition)
            else { continue }
            rd_kafka_queue_forward(queue, recordQueue)
            rd_kafka_queue_destroy(queue)
        }
        try KafkaError.check(
            rd_kafka_assign(handle.pointer, list.pointer), doing: "assigning \(Self.list(partitions))")
    }

    /// Waits until the library's main thread has stopped what was unassigned before. Each stop ends the partition's
    /// forwarding; it must not end the one that is about to be set. Requests to that thread are served in their order, so
    /// the answer to any later one tells.
    private func awaitStops() {
        var current: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
        if rd_kafka_assignment(handle.pointer, &current) == RD_KAFKA_RESP_ERR_NO_ERROR, let current {
            rd_kafka_topic_partition_list_destroy(current)
        }
    }

    /// Stops delivery of these partitions, of those that are owned and run. What was fetched ahead is fetched again later.
    package func pause(_ partitions: some Sequence<TopicPartition>) throws(KafkaError) {
        let changed = assignment.pause(partitions)
        if changed.isEmpty { return }
        let list = TopicPartitionList(changed)
        try KafkaError.check(
            rd_kafka_pause_partitions(handle.pointer, list.pointer), doing: "pausing \(Self.list(changed))")
    }

    /// Goes on where ``pause(_:)`` stopped, or where a seek in between has put the partition.
    package func resume(_ partitions: some Sequence<TopicPartition>) throws(KafkaError) {
        let changed = assignment.resume(partitions)
        if changed.isEmpty { return }
        let list = TopicPartitionList(changed)
        try KafkaError.check(
            rd_kafka_resume_partitions(handle.pointer, list.pointer), doing: "resuming \(Self.list(changed))")
    }

    static func list(_ partitions: [TopicPartition]) -> String {
        if partitions.isEmpty { return "nothing" }
        return Dictionary(grouping: partitions, by: \.topic).sorted { $0.key < $1.key }.map { topic, members in
            "\(topic) [\(members.map { "\($0.partition)" }.joined(separator: " "))]"
        }.joined(separator: ", ")
    }
}
