import Base
import CRdkafka
import Consumer
import Kafka

/// Asks the broker about the output topic through the reader's own client, with short time-outs.
struct TopicProbe {
    let consumer: EventConsumer
    /// For a client that sees what is not committed yet, too.
    let properties: KafkaProperties
    let topic: String
    private static let timeoutMilliseconds: Int32 = 2_000

    /// Number of partitions; nil when there is no such topic. Never creates it.
    func partitionCount() throws(KafkaError) -> Int32? {
        var found: UnsafePointer<rd_kafka_metadata>?
        let handle = rd_kafka_topic_new(consumer.handle.pointer, topic, nil)
        defer { if let handle { rd_kafka_topic_destroy(handle) } }
        try KafkaError.check(
            rd_kafka_metadata(consumer.handle.pointer, 0, handle, &found, Self.timeoutMilliseconds),
            doing: "looking for topic \(topic)")
        guard let found else { return nil }
        defer { rd_kafka_metadata_destroy(found) }
        guard found.pointee.topic_cnt == 1 else { return nil }
        let description = found.pointee.topics[0]
        switch description.err {
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART: return nil
        case RD_KAFKA_RESP_ERR_NO_ERROR: return description.partition_cnt > 0 ? description.partition_cnt : nil
        default:
            try KafkaError.check(description.err, doing: "looking for topic \(topic)")
            return nil
        }
    }

    /// The cluster's id, so that offsets are never taken for those of another cluster.
    func clusterID() throws(KafkaError) -> String {
        guard let id = rd_kafka_clusterid(consumer.handle.pointer, Self.timeoutMilliseconds) else {
            throw KafkaError(RD_KAFKA_RESP_ERR__TIMED_OUT, "asking for the cluster's id: no answer", isRetriable: true)
        }
        defer { rd_kafka_mem_free(consumer.handle.pointer, id) }
        return String(cString: id)
    }

    /// First and next offset; next is where committed records end.
    func watermarks(_ partition: Int32) throws(KafkaError) -> Watermarks {
        try consumer.watermarks(
            TopicPartition(topic, partition), timeoutMilliseconds: Int(Self.timeoutMilliseconds))
    }

    /// Where the log ends now, a partition, with what is not committed yet.
    func logEnds(_ partitions: Int32) throws(ImpactError) -> [Int32: Int64] {
        let admin = try Admin(
            properties: properties, timeoutMilliseconds: Int(Self.timeoutMilliseconds), component: "log-store")
        defer { admin.close() }
        var ends: [Int32: Int64] = [:]
        for partition in 0..<partitions { ends[partition] = try admin.watermarks(of: .init(topic, partition)).high }
        return ends
    }
}
