import Base
import Kafka

/// Records of the changelog whose header names positions that cannot be: forged, or damaged. Restoring sets them aside like
/// ``UnreadableRecords``.
///
/// Offsets and header are written by one transaction, so the header of a changelog's last record never names more than the
/// group has committed, and what tells a lie from a topic made anew or offsets set by hand is who stands against whom:
///
/// | committed offset | header | finding |
/// |---|---|---|
/// | ours (marked), within the topic, the record before it is the one that was read | ahead of it, beyond the topic's end, or with another time than the record there | disbelieved |
/// | beyond the end, or another record stands before it | any | the topic was made anew (``StateTie``) |
/// | gone, or set by another program | any | nothing vouches for it: ``StateTie`` as ever |
///
/// Only the records behind the last one that can be believed are meant: those before it are history, which a topic that was
/// made anew and a person's consent (`state align`) may have left behind.
package struct DisbelievedRecords: Equatable, Sendable {
    /// By changelog partition and offset: why.
    package private(set) var reasons: [Int32: [Int64: String]] = [:]

    package init() {}

    package var isEmpty: Bool { reasons.isEmpty }
    package var count: Int { reasons.values.reduce(0) { $0 + $1.count } }

    package subscript(partition: Int32) -> [Int64: String] { reasons[partition] ?? [:] }

    package mutating func add(_ partition: Int32, _ offset: Int64, _ reason: String) {
        reasons[partition, default: [:]][offset] = reason
    }

    /// Those that both looks found: a broker that fails over tells odd things for a moment.
    package func intersection(_ other: Self) -> Self {
        var both = Self()
        for (partition, found) in reasons {
            for (offset, reason) in found where other[partition][offset] != nil { both.add(partition, offset, reason) }
        }
        return both
    }
}

/// What is known of an input against which a header is held.
package struct PositionWitness {
    package var input: TopicPartition
    package var committed: CommittedOffset?
    /// The input's first and next offset.
    package var marks: Watermarks
    /// What is there now of the record that was read last before the committed offset; nil when nothing is.
    package var found: LastRecord?

    package init(
        input: TopicPartition, committed: CommittedOffset?, marks: Watermarks, found: LastRecord? = nil
    ) {
        self.input = input
        self.committed = committed
        self.marks = marks
        self.found = found
    }

    /// The committed offset when it is our own and the topic bears it out.
    private var vouched: (offset: Int64, isProven: Bool)? {
        guard let committed, committed.offset <= marks.high, let mark = StateTie.Mark(committed.metadata),
            !mark.isAligned
        else { return nil }
        guard let then = mark.last, let found else { return (committed.offset, false) }
        return then.differs(from: found) ? nil : (committed.offset, true)
    }

    /// Whether a position is worth a closer look: genuine ones are not ahead of an offset that is our own.
    package func mayContradict(_ position: StateTie.Position) -> Bool {
        vouched.map { position.offset > $0.offset } ?? false
    }

    /// Why a header that names this position cannot be believed; nil when it can.
    ///
    /// - Parameter found: the record that is there where the header names one; nil when it is not there.
    package func contradiction(_ position: StateTie.Position, found: LastRecord?) -> String? {
        guard let vouched, position.offset > vouched.offset else { return nil }
        if position.offset > marks.high {
            return "its header says that \(input) was read up to offset \(position.offset), and the topic ends at "
                + "\(marks.high); \(vouched.offset) is committed"
        }
        if vouched.isProven, let then = position.last, let found, then.differs(from: found) {
            return
                "its header says that \(input) was read up to offset \(position.offset), and the record before that is "
                + "another one; \(vouched.offset) is committed"
        }
        return nil
    }
}
