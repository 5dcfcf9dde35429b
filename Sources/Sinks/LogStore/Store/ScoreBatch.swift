/// What one database transaction of a log store does: rows to add, users to erase after that, messages that were no
/// scores, and how far the output topic has then been read.
public final class ScoreBatch {
    /// How far a partition of the output topic moves.
    public struct Advance: Sendable, Equatable {
        public var partition: Int32
        /// The position that the database held when the reader last looked; nil when it held none.
        public var expected: Int64?
        /// The next offset to read once the batch is stored.
        public var next: Int64

        public init(partition: Int32, expected: Int64?, next: Int64) {
            self.partition = partition
            self.expected = expected
            self.next = next
        }
    }

    /// A message of the output topic that is no score.
    public struct Rejection: Sendable, Equatable {
        public var partition: Int32
        public var offset: Int64
        /// The stable name of the fault, such as `invalid_json`.
        public var code: String
        public var message: String

        public init(partition: Int32, offset: Int64, code: String, message: String) {
            self.partition = partition
            self.offset = offset
            self.code = code
            self.message = message
        }
    }

    public let source: FollowedTopic
    public let rows: ScoreRows
    /// Users whose rows are deleted, in this batch and before it.
    public var erasures: Set<[UInt8]> = []
    public var rejections: [Rejection] = []
    /// One entry a partition, in the order of the partitions.
    public var advances: [Advance] = []

    public init(source: FollowedTopic, rows: ScoreRows) {
        self.source = source
        self.rows = rows
    }

    /// Convenience for an own arena.
    public convenience init(source: FollowedTopic, capacity: Int, byteLimit: Int = 16 << 20) {
        self.init(source: source, rows: ScoreRows(capacity: capacity, byteLimit: byteLimit))
    }

    public func removeAll() {
        rows.removeAll()
        erasures.removeAll(keepingCapacity: true)
        rejections.removeAll(keepingCapacity: true)
        advances.removeAll(keepingCapacity: true)
    }
}

/// The topic that a log store follows. Offsets mean nothing in another cluster, so its id belongs to the name.
public struct FollowedTopic: Sendable, Hashable {
    /// The cluster's id, as the brokers give it.
    public var cluster: String
    public var topic: String

    public init(cluster: String, topic: String) {
        self.cluster = cluster
        self.topic = topic
    }
}
