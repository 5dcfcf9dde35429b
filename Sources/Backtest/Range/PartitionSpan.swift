/// The part of a partition that a backtest reads.
///
/// ```
///   first ── warm-up: into the state, no output ──► from ── scored ──► end
/// ```
package struct PartitionSpan: Sendable, Equatable {
    package var partition: Int32
    /// Where reading begins.
    package var first: Int64
    /// The first offset whose events give output.
    package var from: Int64
    /// The offset before which reading ends.
    package var end: Int64

    package init(partition: Int32, first: Int64, from: Int64, end: Int64) {
        self.partition = partition
        self.first = first
        self.from = from
        self.end = end
    }

    /// Offsets to read: an upper bound of the records, since transaction markers take offsets too.
    package var length: Int { Int(clamping: max(0, end - first)) }
}

/// How much of the stream before the range fills the state.
package enum WarmUp: Sendable, Equatable {
    case none
    /// From the beginning of what the topic holds.
    case all
    /// Records no older than this many milliseconds before the range's first record.
    case milliseconds(Int64)
}
