/// How far the store of one partition goes: all that its changelog says before ``offset`` is in the store.
///
/// Single users may be newer than that, never newer than what Kafka has committed. Replaying the changelog from the
/// offset is always right, since each of its records is the whole of a user.
package struct Checkpoint: Sendable, Equatable {
    /// The changelog topic.
    package var topic: String
    /// The next offset of the changelog to replay.
    package var offset: Int64
    /// The changelog's first offset at that time. Compaction does not move it; deleting records does.
    package var start: Int64
    /// When the changelog's end was asked for, milliseconds since 1970.
    package var time: Int64
    /// The layout of the records (`FeaturePlan.fingerprint`).
    package var fingerprint: UInt64

    package init(topic: String, offset: Int64, start: Int64, time: Int64, fingerprint: UInt64) {
        self.topic = topic
        self.offset = offset
        self.start = start
        self.time = time
        self.fingerprint = fingerprint
    }

    /// A line of text, so that `ldb` shows it: version, offset, start, time, fingerprint, topic.
    package var text: String {
        "1 \(offset) \(start) \(time) \(String(fingerprint, radix: 16)) \(topic)"
    }

    package init?(text: String) {
        let words = text.split(separator: " ")
        guard words.count == 6, words[0] == "1", let offset = Int64(words[1]), let start = Int64(words[2]),
            let time = Int64(words[3]), let fingerprint = UInt64(words[4], radix: 16)
        else { return nil }
        self.init(topic: String(words[5]), offset: offset, start: start, time: time, fingerprint: fingerprint)
    }
}
