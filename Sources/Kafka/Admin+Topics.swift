import Base
import CRdkafka
import Foundation

extension Admin {
    /// What became of a topic that should be created.
    package enum Creation: Sendable, Equatable {
        case created
        /// It was there; nothing was changed. ``describe(_:)`` tells whether it fits.
        case existed
    }

    /// Creates topics; one that exists is left as it is.
    ///
    /// - Throws: `kafka_unreachable`, or the broker's reason naming the topic.
    @discardableResult
    package func create(_ plans: [TopicPlan]) throws(ImpactError) -> [String: Creation] {
        if plans.isEmpty { return [:] }
        let work = "creating \(plans.map(\.name).joined(separator: ", "))"
        var reason = [CChar](repeating: 0, count: 512)
        var topics: [OpaquePointer?] = []
        defer { for topic in topics { rd_kafka_NewTopic_destroy(topic) } }
        for plan in plans {
            guard
                let topic = rd_kafka_NewTopic_new(
                    plan.name, Int32(plan.partitions), Int32(plan.replicationFactor), &reason, reason.count)
            else {
                let bytes = reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
                throw ImpactError(
                    .badConfiguration, code: "kafka_topic",
                    "topic \(plan.name): \(String(decoding: bytes, as: UTF8.self))")
            }
            for (key, value) in plan.settings.sorted(by: { $0.key < $1.key }) {
                rd_kafka_NewTopic_set_config(topic, key, value)
            }
            topics.append(topic)
        }
        let results = try request(RD_KAFKA_ADMIN_OP_CREATETOPICS, doing: work) { client, options, queue in
            rd_kafka_CreateTopics(client, &topics, topics.count, options, queue)
        } read: { event in
            var count = 0
            let list = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count)
            return Self.topicResults(list, count)
        }
        var creations: [String: Creation] = [:]
        for (name, error) in results {
            switch error?.code {
            case nil: creations[name] = .created
            case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS: creations[name] = .existed
            default: if let error { throw failure(error, doing: "creating topic \(name)") }
            }
        }
        try awaitLeaders(of: plans.filter { creations[$0.name] == .created })
        return creations
    }

    /// Waits until brokers tell of new topics what the controller knows: before, a consumer hears of an unknown topic.
    private func awaitLeaders(of plans: [TopicPlan]) throws(ImpactError) {
        let deadline = DispatchTime.now() + .milliseconds(timeoutMilliseconds)
        var missing = Set(plans.map(\.name))
        while !missing.isEmpty {
            let work = "waiting for \(missing.sorted().joined(separator: ", "))"
            missing.subtract(try topics(work: work).filter(\.hasLeaders).map(\.name))
            if missing.isEmpty { return }
            if DispatchTime.now() >= deadline {
                throw ImpactError(
                    .failed, code: "kafka_topic",
                    "\(work): created, but not all partitions have a leader after \(timeoutMilliseconds) ms. "
                        + "Are all brokers running?")
            }
            usleep(20_000)
        }
    }

    /// Adds partitions to a topic, up to so many in all. Those that are there keep their records and their numbers.
    package func grow(topic: String, to partitions: Int) throws(ImpactError) {
        let work = "adding partitions to topic \(topic)"
        var reason = [CChar](repeating: 0, count: 512)
        guard let request = rd_kafka_NewPartitions_new(topic, partitions, &reason, reason.count) else {
            let bytes = reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            throw ImpactError(
                .badConfiguration, code: "kafka_topic", "\(work): \(String(decoding: bytes, as: UTF8.self))")
        }
        defer { rd_kafka_NewPartitions_destroy(request) }
        var list: [OpaquePointer?] = [request]
        let results = try self.request(RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, doing: work) { client, options, queue in
            rd_kafka_CreatePartitions(client, &list, 1, options, queue)
        } read: { event in
            var count = 0
            let topics = rd_kafka_CreatePartitions_result_topics(
                rd_kafka_event_CreatePartitions_result(event), &count)
            return Self.topicResults(topics, count)
        }
        for (_, error) in results { if let error { throw failure(error, doing: work) } }
        let deadline = DispatchTime.now() + .milliseconds(timeoutMilliseconds)
        while DispatchTime.now() < deadline {
            if let description = try describe(topic), description.partitions >= partitions, description.hasLeaders {
                return
            }
            usleep(50_000)
        }
        throw ImpactError(
            .failed, code: "kafka_topic", "\(work): added, but not all have a leader after \(timeoutMilliseconds) ms")
    }

    /// Deletes topics; one that is not there is passed over.
    package func delete(topics names: [String]) throws(ImpactError) {
        if names.isEmpty { return }
        var topics: [OpaquePointer?] = names.map { rd_kafka_DeleteTopic_new($0) }
        defer { for topic in topics { rd_kafka_DeleteTopic_destroy(topic) } }
        let results = try request(RD_KAFKA_ADMIN_OP_DELETETOPICS, doing: "deleting \(names)") {
            client, options, queue in
            rd_kafka_DeleteTopics(client, &topics, topics.count, options, queue)
        } read: { event in
            var count = 0
            let list = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count)
            return Self.topicResults(list, count)
        }
        for (name, error) in results {
            guard let error, error.code != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART else { continue }
            throw failure(error, doing: "deleting topic \(name)")
        }
    }

    private static func topicResults(
        _ list: UnsafeMutablePointer<OpaquePointer?>?, _ count: Int
    ) -> [(String, KafkaError?)] {
        guard let list else { return [] }
        return (0..<count).map { i in
            let code = rd_kafka_topic_result_error(list[i])
            let text = rd_kafka_topic_result_error_string(list[i]).map { String(cString: $0) }
            return (
                String(cString: rd_kafka_topic_result_name(list[i])),
                code == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : KafkaError(code, text)
            )
        }
    }

    /// The topic, or nil when the cluster has none of this name. Never creates it.
    package func describe(_ topic: String) throws(ImpactError) -> TopicDescription? {
        try topics(work: "looking for topic \(topic)").first { $0.name == topic }
    }

    /// All topics that the client may see, by name.
    package func topics() throws(ImpactError) -> [TopicDescription] { try topics(work: "listing topics") }

    private func topics(work: String) throws(ImpactError) -> [TopicDescription] {
        var found: UnsafePointer<rd_kafka_metadata>?
        do {
            try KafkaError.check(rd_kafka_metadata(handle.pointer, 1, nil, &found, timeout), doing: work)
        } catch { throw failure(error, doing: work) }
        guard let found else { return [] }
        defer { rd_kafka_metadata_destroy(found) }
        return (0..<Int(found.pointee.topic_cnt)).compactMap { i in
            let topic = found.pointee.topics[i]
            if topic.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART { return nil }
            let replicas = topic.partition_cnt > 0 ? Int(topic.partitions[0].replica_cnt) : 0
            return TopicDescription(
                name: String(cString: topic.topic), partitions: Int(topic.partition_cnt),
                replicationFactor: replicas,
                hasLeaders: topic.partition_cnt > 0
                    && (0..<Int(topic.partition_cnt)).allSatisfy { topic.partitions[$0].leader >= 0 })
        }.sorted { $0.name < $1.name }
    }

    /// A topic's effective settings, defaults included: `cleanup.policy`, `max.message.bytes`, ….
    package func settings(of topic: String) throws(ImpactError) -> [String: String] {
        try settings(of: topic) { _ in true }
    }

    /// The settings that the topic itself has, without the broker's and the defaults: what makes another one like it.
    package func ownSettings(of topic: String) throws(ImpactError) -> [String: String] {
        try settings(of: topic) { rd_kafka_ConfigEntry_source($0) == RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG }
    }

    private func settings(
        of topic: String, where isWanted: (OpaquePointer) -> Bool
    ) throws(ImpactError) -> [String: String] {
        let work = "reading the settings of topic \(topic)"
        var resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic)
        defer { rd_kafka_ConfigResource_destroy(resource) }
        let answer: Result<[String: String], KafkaError> = try request(
            RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, doing: work
        ) { client, options, queue in
            rd_kafka_DescribeConfigs(client, &resource, 1, options, queue)
        } read: { event in
            var count = 0
            let result = rd_kafka_event_DescribeConfigs_result(event)
            guard let resources = rd_kafka_DescribeConfigs_result_resources(result, &count), count == 1 else {
                return .failure(KafkaError(RD_KAFKA_RESP_ERR__BAD_MSG, "the broker answered about \(count) topics"))
            }
            let code = rd_kafka_ConfigResource_error(resources[0])
            if code != RD_KAFKA_RESP_ERR_NO_ERROR {
                let text = rd_kafka_ConfigResource_error_string(resources[0]).map { String(cString: $0) }
                return .failure(KafkaError(code, text))
            }
            var settings: [String: String] = [:]
            let entries = rd_kafka_ConfigResource_configs(resources[0], &count)
            for i in 0..<count {
                guard let entry = entries?[i], isWanted(entry), let value = rd_kafka_ConfigEntry_value(entry) else {
                    continue
                }
                settings[String(cString: rd_kafka_ConfigEntry_name(entry))] = String(cString: value)
            }
            return .success(settings)
        }
        switch answer {
        case .success(let settings): return settings
        case .failure(let error): throw failure(error, doing: work)
        }
    }
}
