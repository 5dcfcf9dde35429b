import Kafka

/// How far a shard's input partitions were read: those of one number, one a topic in the order of `input.topics`.
///
/// Next offsets, not last ones, as Kafka counts them. Offsets live behind a pointer, since one changes with every event.
final class ReadPositions {
    let partitions: [TopicPartition]
    private let next: UnsafeMutablePointer<Int64>
    private let committed: UnsafeMutablePointer<Int64>
    /// Timestamp of the record before `next`; what tells a topic from one made anew under its name.
    private let times: UnsafeMutablePointer<Int64>
    private static let unknown: Int64 = -1

    init(_ partitions: [TopicPartition]) {
        self.partitions = partitions
        next = .allocate(capacity: partitions.count)
        next.initialize(repeating: Self.unknown, count: partitions.count)
        committed = .allocate(capacity: partitions.count)
        committed.initialize(repeating: Self.unknown, count: partitions.count)
        times = .allocate(capacity: partitions.count)
        times.initialize(repeating: Self.unknown, count: partitions.count)
    }

    deinit {
        next.deallocate()
        committed.deallocate()
        times.deallocate()
    }

    /// Takes over what the group has committed.
    func begin(at offsets: [TopicPartition: Int64]) {
        for (topic, partition) in partitions.enumerated() {
            next[topic] = offsets[partition] ?? Self.unknown
            committed[topic] = next[topic]
            times[topic] = Self.unknown
        }
    }

    /// The record before this offset was taken.
    ///
    /// - Parameter timestamp: the record's, milliseconds since 1970.
    @inline(__always)
    func advance(_ topic: Int, to offset: Int64, timestamp: Int64) {
        precondition(topic >= 0 && topic < partitions.count, "a record of a topic that was not asked for")
        next[topic] = offset
        times[topic] = timestamp
    }

    func accept() { committed.update(from: next, count: partitions.count) }
    func undo() {
        next.update(from: committed, count: partitions.count)
        times.update(repeating: Self.unknown, count: partitions.count)
    }

    /// Whether anything was taken since the last commit.
    var isDirty: Bool { partitions.indices.contains { next[$0] != committed[$0] } }

    /// Whether the group's committed offsets are those of the last commit.
    func stands(at offsets: [TopicPartition: Int64]) -> Bool {
        partitions.indices.allSatisfy { committed[$0] == offsets[partitions[$0]] ?? Self.unknown }
    }

    /// What was taken since the last commit.
    var changed: [TopicPartition: Int64] { offsets { next[$0] != committed[$0] } }

    /// All that is known.
    var known: [TopicPartition: Int64] { offsets { _ in true } }

    /// All that is known, with what tells the topics from others of their names.
    var tied: [TopicPartition: StateTie.Position] {
        var tied: [TopicPartition: StateTie.Position] = [:]
        for topic in partitions.indices where next[topic] != Self.unknown {
            tied[partitions[topic]] = StateTie.Position(
                next[topic], timestamp: times[topic] == Self.unknown ? nil : times[topic])
        }
        return tied
    }

    /// The timestamp of the record before the next offset; nil when none was read yet.
    func timestamp(of partition: TopicPartition) -> Int64? {
        partitions.firstIndex(of: partition).flatMap { times[$0] == Self.unknown ? nil : times[$0] }
    }

    private func offsets(_ isWanted: (Int) -> Bool) -> [TopicPartition: Int64] {
        var offsets: [TopicPartition: Int64] = [:]
        for topic in partitions.indices where next[topic] != Self.unknown && isWanted(topic) {
            offsets[partitions[topic]] = next[topic]
        }
        return offsets
    }
}
