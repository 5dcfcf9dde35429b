/// The keys of the store.
///
/// ```
/// 0 "format"               the format's name
/// 0 "deletions"            since when files may hold what was deleted, milliseconds since 1970 as text
/// 0 partition (4, BE)      the partition's checkpoint
/// 1 partition (4, BE) id   a user's record
/// ```
/// Big-endian, so that a partition's users lie together.
package enum StoreKey {
    static let recordPrefixBytes = 5
    package static let format: [UInt8] = [0] + Array("format".utf8)
    static let deletions: [UInt8] = [0] + Array("deletions".utf8)
    package static let formatName = "impactiq state 1"

    package static func checkpoint(_ partition: Int32) -> [UInt8] { [0] + bigEndian(partition) }
    package static func recordPrefix(_ partition: Int32) -> [UInt8] { [1] + bigEndian(partition) }

    /// The first key behind the partition's records.
    static func recordsEnd(_ partition: Int32) -> [UInt8] { recordPrefix(partition + 1) }

    /// The partition of a checkpoint's key; nil for another key.
    static func checkpointPartition(_ key: UnsafeRawBufferPointer) -> Int32? {
        guard key.count == 5, key[0] == 0 else { return nil }
        return Int32(bitPattern: key[1...].reduce(0) { $0 << 8 | UInt32($1) })
    }

    private static func bigEndian(_ partition: Int32) -> [UInt8] {
        let bits = UInt32(bitPattern: partition)
        return [UInt8(bits >> 24), UInt8(bits >> 16 & 255), UInt8(bits >> 8 & 255), UInt8(bits & 255)]
    }
}
