import Base

/// The input record that was read last: what tells a topic from one made anew under its name, whose record there is another.
///
/// Retention may have removed it, and the compaction of the topic too; then nothing can be said.
package struct LastRecord: Equatable, Sendable {
    /// Nil of an earlier version's: the one before the position.
    package var offset: Int64?
    /// Milliseconds since 1970; −1 when the record has none.
    package var timestamp: Int64
    /// Of key and value; nil of an earlier version's.
    package var checksum: UInt32?

    package init(offset: Int64? = nil, timestamp: Int64, checksum: UInt32? = nil) {
        self.offset = offset
        self.timestamp = timestamp
        self.checksum = checksum
    }

    /// The record that is there now.
    init(_ found: RecordProbe.Found) {
        self.init(
            offset: found.offset, timestamp: found.timestamp,
            checksum: Self.bytes(found.key) { key in Self.bytes(found.value) { Self.checksum(key: key, value: $0) } })
    }

    /// Whether a record that was found in its place is another one, by all that is known of both.
    package func differs(from found: LastRecord) -> Bool {
        if timestamp != found.timestamp { return true }
        guard let checksum, let other = found.checksum else { return false }
        return checksum != other
    }

    /// Half of a 64-bit hash of both, the same in every release: it is stored. Null and empty differ.
    package static func checksum(key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?) -> UInt32 {
        let key = key.map { StableHash.hash($0) } ?? 1
        let value = value.map { StableHash.hash($0) } ?? 2
        // Folded first: which of the two is the key must count.
        return UInt32(truncatingIfNeeded: StableHash.finish(StableHash.fold(key, 0x9E37_79B9_7F4A_7C15), tail: value))
    }

    private static func bytes<R>(_ bytes: [UInt8]?, _ body: (UnsafeRawBufferPointer?) -> R) -> R {
        guard let bytes else { return body(nil) }
        return bytes.withUnsafeBytes { body($0) }
    }
}
