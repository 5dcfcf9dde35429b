import Kafka

/// How far a shard's input partitions were read: those of one number, one a topic in the order of `input.topics`.
///
/// Next offsets, not last ones, as Kafka counts them. Offsets live behind a pointer, since one changes with every event.
///
/// A log may end with records that no reader gets: the markers of transactions, and what was aborted. Once a partition's
/// end was reached, the next offset stands behind them, so that the group's committed lag ends at 0.
package final class ReadPositions {
    package let partitions: [TopicPartition]
    private let next: UnsafeMutablePointer<Int64>
    private let committed: UnsafeMutablePointer<Int64>
    /// The last record taken, and that of the last commit.
    private let last: UnsafeMutablePointer<Last>
    private let committedLast: UnsafeMutablePointer<Last>
    /// Where the consumer reached the end, until it is settled: records before it may not be handled yet.
    private let reached: UnsafeMutablePointer<Int64>
    /// Where the partition's end was last; the reader stands there unless something came since.
    private let ends: UnsafeMutablePointer<Int64>
    private var hasReached = false
    private static let unknown: Int64 = -1

    package init(_ partitions: [TopicPartition]) {
        self.partitions = partitions
        next = .allocate(capacity: partitions.count)
        next.initialize(repeating: Self.unknown, count: partitions.count)
        committed = .allocate(capacity: partitions.count)
        committed.initialize(repeating: Self.unknown, count: partitions.count)
        last = .allocate(capacity: partitions.count)
        last.initialize(repeating: Last(), count: partitions.count)
        committedLast = .allocate(capacity: partitions.count)
        committedLast.initialize(repeating: Last(), count: partitions.count)
        reached = .allocate(capacity: partitions.count)
        reached.initialize(repeating: Self.unknown, count: partitions.count)
        ends = .allocate(capacity: partitions.count)
        ends.initialize(repeating: Self.unknown, count: partitions.count)
    }

    deinit {
        next.deallocate()
        committed.deallocate()
        last.deallocate()
        committedLast.deallocate()
        reached.deallocate()
        ends.deallocate()
    }

    /// Takes over what the group has committed.
    package func begin(at offsets: [TopicPartition: CommittedOffset]) {
        for (topic, partition) in partitions.enumerated() {
            next[topic] = offsets[partition]?.offset ?? Self.unknown
            committed[topic] = next[topic]
            last[topic] = Last(offsets[partition])
            committedLast[topic] = last[topic]
        }
        forgetEnds()
    }

    /// The record before this offset was passed over, without a look at it.
    package func pass(_ topic: Int, to offset: Int64) {
        precondition(topic >= 0 && topic < partitions.count, "a record of a topic that was not asked for")
        next[topic] = offset
    }

    /// The record before this offset was taken.
    ///
    /// - Parameters:
    ///   - timestamp: the record's, milliseconds since 1970; −1 when it has none.
    ///   - index: its place in the batch: at the batch's end ``sumUp(_:)`` looks at the last one of each topic.
    @inline(__always)
    package func advance(_ topic: Int, to offset: Int64, timestamp: Int64, index: Int) {
        precondition(topic >= 0 && topic < partitions.count, "a record of a topic that was not asked for")
        next[topic] = offset
        last[topic].offset = offset &- 1
        last[topic].timestamp = timestamp
        last[topic].index = index
    }

    /// The batch is handled.
    ///
    /// - Parameter checksum: of the record at an index of the batch.
    package func sumUp(_ checksum: (Int) -> UInt32) {
        for topic in partitions.indices where last[topic].index >= 0 {
            last[topic].checksum = Int64(checksum(last[topic].index))
            last[topic].index = -1
        }
    }

    /// The next offset of one topic's partition; −1 while it is not known.
    func next(of topic: Int) -> Int64 { next[topic] }

    package func accept() {
        committed.update(from: next, count: partitions.count)
        committedLast.update(from: last, count: partitions.count)
    }
    package func undo() {
        next.update(from: committed, count: partitions.count)
        last.update(from: committedLast, count: partitions.count)
        forgetEnds()
    }

    // MARK: Ends

    /// The consumer has delivered everything before this offset.
    package func reachedEnd(_ topic: Int, at offset: Int64) {
        reached[topic] = offset
        hasReached = true
    }

    /// Everything that the consumer delivered was handled: passes over what no reader gets.
    ///
    /// - Parameter isHandled: whether all of a partition's delivered records were; else its end waits.
    /// - Returns: whether a position moved.
    package func settleEnds(where isHandled: (TopicPartition) -> Bool = { _ in true }) -> Bool {
        guard hasReached else { return false }
        hasReached = false
        var isMoved = false
        for topic in partitions.indices where reached[topic] != Self.unknown {
            guard isHandled(partitions[topic]) else {
                hasReached = true
                continue
            }
            ends[topic] = reached[topic]
            reached[topic] = Self.unknown
            // An empty log has nothing to pass over.
            guard ends[topic] > max(0, next[topic]) else { continue }
            next[topic] = ends[topic]
            isMoved = true
        }
        return isMoved
    }

    private func forgetEnds() {
        reached.update(repeating: Self.unknown, count: partitions.count)
        ends.update(repeating: Self.unknown, count: partitions.count)
        hasReached = false
    }

    /// Messages that can be read and were not taken yet, or a little more while the end was not reached: then the marks count
    /// what no reader gets too. Nil when a partition's marks are not known.
    ///
    /// - Parameter marks: a partition's offsets; `high` may lie behind open transactions.
    package func lag(_ marks: (TopicPartition) -> Watermarks?) -> Int? {
        lags(marks).reduce(0 as Int?) { sum, lag in sum.flatMap { sum in lag.1.map { sum + $0 } } }
    }

    /// Partitions whose end was not reached yet: there a fetch's marks count what open transactions hold.
    package var withoutEnd: [TopicPartition] {
        partitions.indices.filter { ends[$0] == Self.unknown }.map { partitions[$0] }
    }

    /// The same of each topic's partition.
    package func lags(_ marks: (TopicPartition) -> Watermarks?) -> [(TopicPartition, Int?)] {
        partitions.indices.map { topic in
            if ends[topic] != Self.unknown, ends[topic] >= next[topic] { return (partitions[topic], 0) }
            guard let marks = marks(partitions[topic]) else { return (partitions[topic], nil) }
            let lag = marks.high - (next[topic] == Self.unknown ? marks.low : max(next[topic], marks.low))
            return (partitions[topic], Int(max(0, lag)))
        }
    }

    /// Whether anything was taken since the last commit.
    package var isDirty: Bool { partitions.indices.contains { next[$0] != committed[$0] } }

    /// Whether the group's committed offsets are those of the last commit.
    package func stands(at offsets: [TopicPartition: CommittedOffset]) -> Bool {
        partitions.indices.allSatisfy { committed[$0] == offsets[partitions[$0]]?.offset ?? Self.unknown }
    }

    /// What was taken since the last commit.
    package var changed: [TopicPartition: Int64] { offsets { next[$0] != committed[$0] } }

    /// All that is known.
    package var known: [TopicPartition: Int64] { offsets { _ in true } }

    /// All that is known, with what tells the topics from others of their names.
    var tied: [TopicPartition: StateTie.Position] {
        var tied: [TopicPartition: StateTie.Position] = [:]
        for topic in partitions.indices where next[topic] != Self.unknown {
            tied[partitions[topic]] = StateTie.Position(next[topic], last: last[topic].record)
        }
        return tied
    }

    /// The record that was read last, in this process or before it; nil when it is not known.
    package func last(of partition: TopicPartition) -> LastRecord? {
        partitions.firstIndex(of: partition).flatMap { last[$0].record }
    }

    /// A ``LastRecord`` that one store an event keeps up to date; −1 is unknown.
    private struct Last {
        var offset: Int64 = -1
        var timestamp: Int64 = -1
        var checksum: Int64 = -1
        /// Where in the batch the record is whose checksum is not computed yet.
        var index = -1

        init() {}

        init(_ committed: CommittedOffset?) {
            guard let committed, let record = StateTie.Mark(committed.metadata)?.last else { return }
            offset = record.offset ?? committed.offset - 1
            timestamp = record.timestamp
            checksum = record.checksum.map { Int64($0) } ?? -1
        }

        var record: LastRecord? {
            guard offset >= 0 else { return nil }
            return LastRecord(offset: offset, timestamp: timestamp, checksum: UInt32(exactly: checksum))
        }
    }

    private func offsets(_ isWanted: (Int) -> Bool) -> [TopicPartition: Int64] {
        var offsets: [TopicPartition: Int64] = [:]
        for topic in partitions.indices where next[topic] != Self.unknown && isWanted(topic) {
            offsets[partitions[topic]] = next[topic]
        }
        return offsets
    }
}
