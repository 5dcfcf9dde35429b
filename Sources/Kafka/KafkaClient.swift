import CRdkafka

/// The Kafka client library of this process.
public enum KafkaClient {
    /// Such as `2.0.2`.
    public static var version: String { String(cString: rd_kafka_version_str()) }
}
