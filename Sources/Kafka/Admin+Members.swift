import CRdkafka
import Diagnostics

/// A member of a consumer group, as the coordinator knows it.
public struct GroupMember: Sendable, Equatable {
    public var clientID: String
    public var host: String
    /// Set for a static member, which stays until its session ends although its process has left.
    public var instanceID: String?
}

extension Admin {
    /// The members that a consumer group has now; none for a group that is not there.
    public func members(ofGroup group: String) throws(ImpactError) -> [GroupMember] {
        let work = "asking for the members of group \(group)"
        return try untilCoordinated(doing: work) { () throws(ImpactError) in
            try askMembers(ofGroup: group, doing: work)
        }
    }

    private func askMembers(
        ofGroup group: String, doing work: String
    ) throws(ImpactError) -> Result<[GroupMember], KafkaError> {
        var names: UnsafePointer<CChar>? = nil
        return try request(
            RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, doing: work
        ) { client, options, queue in
            group.withCString { name in
                names = name
                rd_kafka_DescribeConsumerGroups(client, &names, 1, options, queue)
            }
        } read: { event in
            var count = 0
            let result = rd_kafka_event_DescribeConsumerGroups_result(event)
            guard let groups = rd_kafka_DescribeConsumerGroups_result_groups(result, &count), count == 1 else {
                return .failure(KafkaError(RD_KAFKA_RESP_ERR__BAD_MSG, "the broker answered about \(count) groups"))
            }
            if let error = rd_kafka_ConsumerGroupDescription_error(groups[0]) {
                let code = rd_kafka_error_code(error)
                if code == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND { return .success([]) }
                return .failure(KafkaError(code, rd_kafka_error_string(error).map { String(cString: $0) }))
            }
            return .success(
                (0..<rd_kafka_ConsumerGroupDescription_member_count(groups[0])).compactMap { i in
                    guard let member = rd_kafka_ConsumerGroupDescription_member(groups[0], i) else { return nil }
                    return GroupMember(
                        clientID: rd_kafka_MemberDescription_client_id(member).map { String(cString: $0) } ?? "",
                        host: rd_kafka_MemberDescription_host(member).map { String(cString: $0) } ?? "",
                        instanceID: rd_kafka_MemberDescription_group_instance_id(member).map { String(cString: $0) })
                })
        }
    }
}
