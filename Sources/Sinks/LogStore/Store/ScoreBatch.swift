/// What one database transaction of a log store does: rows to add, users to erase after that, messages that were no
/// scores, and how far the output topic has then been read.
package final class ScoreBatch {
    /// How far a partition of the output topic moves.
    package struct Advance: Sendable, Equatable {
        package var partition: Int32
        /// The position that the database held when the reader last looked; nil when it held none.
        package var expected: Int64?
        /// The next offset to read once the batch is stored.
        package var next: Int64

        package init(partition: Int32, expected: Int64?, next: Int64) {
            self.partition = partition
            self.expected = expected
            self.next = next
        }
    }

    /// A message of the output topic that is not a score.
    package struct Rejection: Sendable, Equatable {
        package var partition: Int32
        package var offset: Int64
        /// The stable name of the fault, such as `invalid_json`.
        package var code: String
        package var message: String

        package init(partition: Int32, offset: Int64, code: String, message: String) {
            self.partition = partition
            self.offset = offset
            self.code = code
            self.message = message
        }
    }

    package let source: FollowedTopic
    package let rows: ScoreRows
    /// Users whose rows are deleted, in this batch and before it.
    package var erasures: Set<[UInt8]> = []
    package var rejections: [Rejection] = []
    /// One entry a partition, in the order of the partitions.
    package var advances: [Advance] = []

    package init(source: FollowedTopic, rows: ScoreRows) {
        self.source = source
        self.rows = rows
    }

    /// Convenience for an own arena.
    package convenience init(source: FollowedTopic, capacity: Int, byteLimit: Int = 16 << 20) {
        self.init(source: source, rows: ScoreRows(capacity: capacity, byteLimit: byteLimit))
    }

    package func removeAll() {
        rows.removeAll()
        erasures.removeAll(keepingCapacity: true)
        rejections.removeAll(keepingCapacity: true)
        advances.removeAll(keepingCapacity: true)
    }
}

/// The topic that a log store follows. Offsets mean nothing in another cluster, so its id belongs to the name.
package struct FollowedTopic: Sendable, Hashable {
    /// The cluster's id, as the brokers give it.
    package var cluster: String
    package var topic: String

    package init(cluster: String, topic: String) {
        self.cluster = cluster
        self.topic = topic
    }
}
