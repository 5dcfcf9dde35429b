import CRdkafka

/// Where a record goes by its key.
package enum KeyPartition {
    /// The partition that the Java clients and our producers choose (murmur2).
    package static func murmur2(_ key: [UInt8], of partitions: Int) -> Int32 {
        key.withUnsafeBytes { key in
            // The topic is not looked at; an empty key is hashed like any other.
            rd_kafka_msg_partitioner_murmur2(nil, key.baseAddress, key.count, Int32(max(1, partitions)), nil, nil)
        }
    }
}
