/// How long a worker has waited for its group to hand out partitions, and when to say so, as a pure value.
///
/// A worker that was given nothing (more workers than partitions) does not wait.
package struct GroupWait: Sendable, Equatable {
    package typealias Instant = ContinuousClock.Instant

    package enum Report: Sendable, Equatable {
        case waiting(Duration)
        /// It was said that the worker waits; now it does not any more.
        case over(Duration)
    }

    /// An ordinary rebalance is over by then.
    package static let patience = Duration.seconds(5)
    package static let interval = Duration.seconds(10)

    private var since: Instant?
    private var due: Instant?
    private var wasSaid = false

    package init() {}

    /// Whether it waits.
    package var isWaiting: Bool { since != nil }

    /// - Parameter isAssigned: whether the group has said which partitions are this worker's, be it none.
    package mutating func update(isAssigned: Bool, now: Instant) -> Report? {
        guard !isAssigned else {
            defer { self = GroupWait() }
            guard wasSaid, let since else { return nil }
            return .over(now - since)
        }
        guard let since, let due else {
            since = now
            due = now + Self.patience
            return nil
        }
        guard now >= due else { return nil }
        self.due = now + Self.interval
        wasSaid = true
        return .waiting(now - since)
    }
}
