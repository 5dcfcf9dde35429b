import CRdkafka

/// The Kafka client library of this process.
package enum KafkaClient {
    /// Such as `2.0.2`.
    package static var version: String { String(cString: rd_kafka_version_str()) }
}
