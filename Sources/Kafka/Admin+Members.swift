import Base
import CRdkafka

/// A member of a consumer group, as the coordinator describes it.
package struct GroupMember: Sendable, Equatable {
    package var clientID: String
    package var assignment: [TopicPartition]
    package var host: String
    /// Set for a static member, which stays until its session ends although its process has left.
    package var instanceID: String?

    package init(clientID: String, assignment: [TopicPartition], host: String = "", instanceID: String? = nil) {
        self.clientID = clientID
        self.assignment = assignment
        self.host = host
        self.instanceID = instanceID
    }
}

extension Admin {
    /// The group's members with what they are assigned; none of a group that does not exist.
    package func members(ofGroup group: String) throws(ImpactError) -> [GroupMember] {
        let work = "asking for the members of group \(group)"
        return try untilCoordinated(doing: work) { () throws(ImpactError) in
            try askMembers(ofGroup: group, doing: work)
        }
    }

    private func askMembers(
        ofGroup group: String, doing work: String
    ) throws(ImpactError) -> Result<[GroupMember], KafkaError> {
        try request(RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, doing: work) { client, options, queue in
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
                let code = rd_kafka_error_code(error)
                if code == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND { return .success([]) }
                return .failure(KafkaError(code, rd_kafka_error_string(error).map { String(cString: $0) }))
            }
            let members = 0..<rd_kafka_ConsumerGroupDescription_member_count(description)
            return .success(
                members.compactMap { i in
                    rd_kafka_ConsumerGroupDescription_member(description, i).map { Self.member($0) }
                })
        }
    }

    private static func member(_ member: OpaquePointer) -> GroupMember {
        let assignment = rd_kafka_MemberAssignment_partitions(rd_kafka_MemberDescription_assignment(member))
        return GroupMember(
            clientID: rd_kafka_MemberDescription_client_id(member).map { String(cString: $0) } ?? "",
            assignment: TopicPartitionList.elements(of: UnsafeMutablePointer(mutating: assignment)).map(\.partition),
            host: rd_kafka_MemberDescription_host(member).map { String(cString: $0) } ?? "",
            instanceID: rd_kafka_MemberDescription_group_instance_id(member).map { String(cString: $0) })
    }
}
