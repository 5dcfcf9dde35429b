import Base
import CRdkafka

extension Admin {
    /// What a consumer group committed: the next offset to read, a partition. Partitions without a commit are left out.
    ///
    /// - Parameter stable: waits for open transactions on the offsets to end, as a consumer that takes over does (KIP-447).
    package func committedOffsets(
        ofGroup group: String, partitions: [TopicPartition]? = nil, stable: Bool = true
    ) throws(ImpactError) -> [TopicPartition: Int64] {
        try committed(ofGroup: group, partitions: partitions, stable: stable).mapValues(\.offset)
    }

    /// The same with the texts that the offsets bear.
    package func committed(
        ofGroup group: String, partitions: [TopicPartition]? = nil, stable: Bool = true
    ) throws(ImpactError) -> [TopicPartition: CommittedOffset] {
        let work = "reading the offsets of group \(group)"
        return try untilCoordinated(doing: work) { () throws(ImpactError) in
            try askOffsets(ofGroup: group, partitions: partitions, stable: stable, doing: work)
        }
    }

    private func askOffsets(
        ofGroup group: String, partitions: [TopicPartition]?, stable: Bool, doing work: String
    ) throws(ImpactError) -> Result<[TopicPartition: CommittedOffset], KafkaError> {
        // A null list asks for all.
        var query: OpaquePointer?
        if let partitions {
            let list = TopicPartitionList(partitions)
            query = rd_kafka_ListConsumerGroupOffsets_new(group, list.pointer)
        } else {
            query = rd_kafka_ListConsumerGroupOffsets_new(group, nil)
        }
        defer { rd_kafka_ListConsumerGroupOffsets_destroy(query) }
        return try request(
            RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, doing: work
        ) { client, options, queue in
            if let error = rd_kafka_AdminOptions_set_require_stable_offsets(options, stable ? 1 : 0) {
                rd_kafka_error_destroy(error)
            }
            rd_kafka_ListConsumerGroupOffsets(client, &query, 1, options, queue)
        } read: { event in
            var count = 0
            let result = rd_kafka_event_ListConsumerGroupOffsets_result(event)
            let groups = rd_kafka_ListConsumerGroupOffsets_result_groups(result, &count)
            return Self.groupOffsets(groups, count)
        }
    }

    /// Sets the committed offsets of a group that has no members; for `reset`.
    package func alterOffsets(ofGroup group: String, to offsets: [TopicPartition: Int64]) throws(ImpactError) {
        try alterOffsets(ofGroup: group, to: offsets.mapValues { CommittedOffset($0) })
    }

    /// The same with the texts that the offsets bear.
    package func alterOffsets(
        ofGroup group: String, to offsets: [TopicPartition: CommittedOffset]
    ) throws(ImpactError) {
        if offsets.isEmpty { return }
        let work = "setting the offsets of group \(group)"
        let list = TopicPartitionList(offsets)
        var change = rd_kafka_AlterConsumerGroupOffsets_new(group, list.pointer)
        defer { rd_kafka_AlterConsumerGroupOffsets_destroy(change) }
        let answer: Result<[TopicPartition: CommittedOffset], KafkaError> = try request(
            RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS, doing: work
        ) { client, options, queue in
            rd_kafka_AlterConsumerGroupOffsets(client, &change, 1, options, queue)
        } read: { event in
            var count = 0
            let result = rd_kafka_event_AlterConsumerGroupOffsets_result(event)
            let groups = rd_kafka_AlterConsumerGroupOffsets_result_groups(result, &count)
            return Self.groupOffsets(groups, count)
        }
        if case .failure(let error) = answer {
            throw error.code == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID || error.code == RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP
                ? error.impactError(doing: work, advice: "The group has members: stop every worker first")
                : failure(error, doing: work)
        }
    }

    /// Deletes a group without members, with its offsets; one that is not there is passed over.
    package func delete(group: String) throws(ImpactError) {
        var request = rd_kafka_DeleteGroup_new(group)
        defer { rd_kafka_DeleteGroup_destroy(request) }
        let work = "deleting group \(group)"
        let error: KafkaError? = try self.request(RD_KAFKA_ADMIN_OP_DELETEGROUPS, doing: work) {
            client, options, queue in
            rd_kafka_DeleteGroups(client, &request, 1, options, queue)
        } read: { event in
            var count = 0
            let results = rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(event), &count)
            guard let results, count == 1, let error = rd_kafka_group_result_error(results[0]) else { return nil }
            return KafkaError(
                rd_kafka_error_code(error), rd_kafka_error_string(error).map { String(cString: $0) })
        }
        guard let error, error.code != RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND else { return }
        throw error.code == RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP
            ? error.impactError(doing: work, advice: "The group has members: stop every worker first")
            : failure(error, doing: work)
    }

    private static func groupOffsets(
        _ groups: UnsafeMutablePointer<OpaquePointer?>?, _ count: Int
    ) -> Result<[TopicPartition: CommittedOffset], KafkaError> {
        guard let groups, count == 1 else {
            return .failure(KafkaError(RD_KAFKA_RESP_ERR__BAD_MSG, "the broker answered about \(count) groups"))
        }
        if let error = rd_kafka_group_result_error(groups[0]) {
            let text = rd_kafka_error_string(error).map { String(cString: $0) }
            return .failure(KafkaError(rd_kafka_error_code(error), text))
        }
        var offsets: [TopicPartition: CommittedOffset] = [:]
        let list = UnsafeMutablePointer(mutating: rd_kafka_group_result_partitions(groups[0]))
        for element in TopicPartitionList.elements(of: list) {
            if element.error != RD_KAFKA_RESP_ERR_NO_ERROR {
                return .failure(KafkaError(element.error, "\(element.partition)"))
            }
            guard element.offset >= 0 else { continue }
            offsets[element.partition] = CommittedOffset(element.offset, metadata: element.metadata)
        }
        return .success(offsets)
    }
}
