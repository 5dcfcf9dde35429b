import CRdkafka
import Diagnostics

/// A member of a consumer group, as the coordinator describes it.
public struct GroupMember: Sendable, Equatable {
    public var clientID: String
    public var assignment: [TopicPartition]

    public init(clientID: String, assignment: [TopicPartition]) {
        self.clientID = clientID
        self.assignment = assignment
    }
}

extension Admin {
    /// The group's members with what they are assigned; none of a group that does not exist.
    public func members(ofGroup group: String) throws(ImpactError) -> [GroupMember] {
        let work = "asking for the members of group \(group)"
        let answer: Result<[GroupMember], KafkaError> = try request(
            RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, doing: work
        ) { client, options, queue in
            group.withCString { name in
                var names: [UnsafePointer<CChar>?] = [name]
                rd_kafka_DescribeConsumerGroups(client, &names, 1, options, queue)
            }
        } read: { event in
            var count = 0
            let groups = rd_kafka_DescribeConsumerGroups_result_groups(
                rd_kafka_event_DescribeConsumerGroups_result(event), &count)
            guard let groups, count == 1, let description = groups[0] else { return .success([]) }
            if let error = rd_kafka_ConsumerGroupDescription_error(description),
                rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR_NO_ERROR
            {
                return .failure(
                    KafkaError(
                        rd_kafka_error_code(error), rd_kafka_error_string(error).map { String(cString: $0) }))
            }
            return .success(
                (0..<rd_kafka_ConsumerGroupDescription_member_count(description)).map { i in
                    let member = rd_kafka_ConsumerGroupDescription_member(description, i)
                    let assignment = rd_kafka_MemberAssignment_partitions(
                        rd_kafka_MemberDescription_assignment(member))
                    return GroupMember(
                        clientID: rd_kafka_MemberDescription_client_id(member).map { String(cString: $0) } ?? "",
                        assignment: TopicPartitionList.elements(of: UnsafeMutablePointer(mutating: assignment))
                            .map(\.partition))
                })
        }
        switch answer {
        case .success(let members): return members
        case .failure(let error): throw failure(error, doing: work)
        }
    }
}
