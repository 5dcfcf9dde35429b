import CRdkafka

/// Where a record goes by its key.
package enum KeyPartition: String, Sendable, CaseIterable {
    /// The Java clients, and this program.
    case murmur2
    /// librdkafka's own default (`consistent_random`), and with it the clients in C, Python, Go and .NET.
    case crc32
    case fnv1a

    /// librdkafka's name of it, for its property `partitioner`.
    package var property: String {
        switch self {
        case .murmur2: "murmur2_random"
        case .crc32: "consistent_random"
        case .fnv1a: "fnv1a_random"
        }
    }

    /// The partition of a key among so many.
    package func partition(of key: UnsafeRawBufferPointer, among partitions: Int) -> Int32 {
        let count = Int32(max(1, partitions))
        // The topic is not looked at; an empty key is hashed like any other.
        return switch self {
        case .murmur2: rd_kafka_msg_partitioner_murmur2(nil, key.baseAddress, key.count, count, nil, nil)
        case .crc32: rd_kafka_msg_partitioner_consistent(nil, key.baseAddress, key.count, count, nil, nil)
        case .fnv1a: rd_kafka_msg_partitioner_fnv1a(nil, key.baseAddress, key.count, count, nil, nil)
        }
    }

    /// The partition that the Java clients and our producers choose (murmur2).
    package static func murmur2(_ key: [UInt8], of partitions: Int) -> Int32 {
        key.withUnsafeBytes { KeyPartition.murmur2.partition(of: $0, among: partitions) }
    }
}
