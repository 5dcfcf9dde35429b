/// What a replay met, of one partition or of all.
public struct ReplayCounters: Sendable, Equatable, Codable {
    /// Records read, those of the warm-up among them.
    public var messages = 0
    public var warmUpMessages = 0
    /// Valid events applied; duplicates are not.
    public var events = 0
    public var scores = 0
    public var duplicates = 0
    /// Events older than the longest window of the features.
    public var late = 0
    public var treat = 0
    public var suppress = 0
    public var uncertain = 0
    /// Invalid records by the dead letter's code.
    public var rejected: [String: Int] = [:]
    /// Events whose time lies before that of an earlier event of the partition.
    public var eventTimeBackwards = 0
    /// The farthest such step back, milliseconds.
    public var farthestBack: Int64 = 0
    /// Records whose timestamp lies before that of an earlier record of the partition.
    public var recordTimeBackwards = 0
    /// First and last event time; nil without events.
    public var firstTime: Int64?
    public var lastTime: Int64?

    public init() {}

    public var rejectedCount: Int { rejected.values.reduce(0, +) }

    public mutating func add(_ other: ReplayCounters) {
        messages += other.messages
        warmUpMessages += other.warmUpMessages
        events += other.events
        scores += other.scores
        duplicates += other.duplicates
        late += other.late
        treat += other.treat
        suppress += other.suppress
        uncertain += other.uncertain
        rejected.merge(other.rejected, uniquingKeysWith: +)
        eventTimeBackwards += other.eventTimeBackwards
        farthestBack = max(farthestBack, other.farthestBack)
        recordTimeBackwards += other.recordTimeBackwards
        firstTime = [firstTime, other.firstTime].compactMap { $0 }.min()
        lastTime = [lastTime, other.lastTime].compactMap { $0 }.max()
    }
}
