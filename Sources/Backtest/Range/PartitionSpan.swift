/// The part of a partition that a backtest reads.
///
/// ```
///   first ── warm-up: into the state, no output ──► from ── scored ──► end
/// ```
public struct PartitionSpan: Sendable, Equatable {
    public var partition: Int32
    /// Where reading begins.
    public var first: Int64
    /// The first offset whose events give output.
    public var from: Int64
    /// The offset before which reading ends.
    public var end: Int64

    public init(partition: Int32, first: Int64, from: Int64, end: Int64) {
        self.partition = partition
        self.first = first
        self.from = from
        self.end = end
    }

    /// Offsets to read: an upper bound of the records, since transaction markers take offsets too.
    public var length: Int { Int(clamping: max(0, end - first)) }
}

/// How much of the stream before the range fills the state.
public enum WarmUp: Sendable, Equatable {
    case none
    /// From the beginning of what the topic holds.
    case all
    /// Records no older than this many milliseconds before the range's first record.
    case milliseconds(Int64)
}
