/// What any pass over a stream counts, of one partition or of all.
package struct StreamCounts: Sendable, Equatable, Codable {
    /// Records read, those of the warm-up among them.
    package var messages = 0
    package var warmUpMessages = 0
    /// Valid events applied; duplicates are not.
    package var events = 0
    package var duplicates = 0
    /// Invalid records by the dead letter's code.
    package var rejected: [String: Int] = [:]
    /// Values that no feature could use, by field; nil when there are none, and in checkpoints of earlier versions.
    package var unusable: [String: Int]?
    /// Events whose time lies before that of an earlier event of the partition.
    package var eventTimeBackwards = 0
    /// First and last event time; nil without events.
    package var firstTime: Int64?
    package var lastTime: Int64?

    /// The users met; nil in checkpoints of earlier versions.
    package var users: UserSample?

    package init() {}

    package var rejectedCount: Int { rejected.values.reduce(0, +) }

    var isPlausible: Bool {
        PlausibleCount.holds(messages, warmUpMessages, events, duplicates, eventTimeBackwards)
            && rejected.count < 1_000 && PlausibleCount.holds(rejected.values) && PlausibleCount.holds(time: firstTime)
            && PlausibleCount.holds(time: lastTime) && users?.isPlausible ?? true
    }

    package mutating func add(_ other: StreamCounts) {
        messages += other.messages
        warmUpMessages += other.warmUpMessages
        events += other.events
        duplicates += other.duplicates
        rejected.merge(other.rejected, uniquingKeysWith: +)
        if let others = other.unusable { unusable = (unusable ?? [:]).merging(others, uniquingKeysWith: +) }
        if let others = other.users {
            var all = users ?? UserSample()
            all.add(others)
            users = all
        }
        eventTimeBackwards += other.eventTimeBackwards
        firstTime = [firstTime, other.firstTime].compactMap { $0 }.min()
        lastTime = [lastTime, other.lastTime].compactMap { $0 }.max()
    }
}
