/// One record to be written: ranges in the caller's flat buffer, and the timestamp. 40 bytes, trivially copyable.
package struct OutputRecord: Sendable, BitwiseCopyable {
    /// Where key and value begin in the buffer.
    package var keyStart: Int
    package var valueStart: Int
    /// Their counts of bytes; −1 is Kafka's null.
    package var keyCount: Int32
    package var valueCount: Int32
    /// Milliseconds since 1970. 0 is sent as 1: librdkafka takes 0 for "now", and a score must not depend on the clock.
    package var timestamp: Int64
    /// The caller's number of the message that it came from; −1 when there is none.
    package var tag: Int32

    package init(key: Range<Int>?, value: Range<Int>?, timestamp: Int64, tag: Int = -1) {
        keyStart = key?.lowerBound ?? 0
        keyCount = key.map { Int32($0.count) } ?? -1
        valueStart = value?.lowerBound ?? 0
        valueCount = value.map { Int32($0.count) } ?? -1
        self.timestamp = timestamp
        self.tag = Int32(truncatingIfNeeded: tag)
    }
}
