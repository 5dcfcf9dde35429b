/// What a replay met, of one partition or of all.
package struct ReplayCounters: Sendable, Equatable, Codable {
    package var stream = StreamCounts()
    package var scores = 0
    /// Events older than the longest window of the features.
    package var late = 0
    package var treat = 0
    package var suppress = 0
    package var uncertain = 0
    /// The farthest step back in event time, milliseconds.
    package var farthestBack: Int64 = 0
    /// Records whose timestamp lies before that of an earlier record of the partition.
    package var recordTimeBackwards = 0

    package init() {}

    var isPlausible: Bool {
        stream.isPlausible
            && PlausibleCount.holds(scores, late, treat, suppress, uncertain, recordTimeBackwards)
            && farthestBack >= 0 && PlausibleCount.holds(time: farthestBack)
    }

    package mutating func add(_ other: ReplayCounters) {
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
