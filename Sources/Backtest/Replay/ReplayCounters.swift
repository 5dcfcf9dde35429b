/// What a replay met, of one partition or of all.
public struct ReplayCounters: Sendable, Equatable, Codable {
    public var stream = StreamCounts()
    public var scores = 0
    /// Events older than the longest window of the features.
    public var late = 0
    public var treat = 0
    public var suppress = 0
    public var uncertain = 0
    /// The farthest step back in event time, milliseconds.
    public var farthestBack: Int64 = 0
    /// Records whose timestamp lies before that of an earlier record of the partition.
    public var recordTimeBackwards = 0

    public init() {}

    public mutating func add(_ other: ReplayCounters) {
        stream.add(other.stream)
        scores += other.scores
        late += other.late
        treat += other.treat
        suppress += other.suppress
        uncertain += other.uncertain
        farthestBack = max(farthestBack, other.farthestBack)
        recordTimeBackwards += other.recordTimeBackwards
    }
}
