/// The event time by which rows close: how far the users of a partition have come.
///
/// The latest time of all, unless it is ahead of every other user's by more than the patience: then the latest time of the
/// others. So one device whose clock is days ahead does not end everybody's outcome windows; a second user who is there too
/// does. With one user alone there is nobody to compare with, and nothing closes before the end of the data.
struct RowsClock {
    private typealias Latest = (time: Int64, user: UInt64)

    /// The farthest user, and the farthest of all others.
    private var first: Latest?
    private var second: Latest?
    private let patience: Int64
    /// Milliseconds since 1970; never goes back. `Int64.min` before two users have come.
    private(set) var now = Int64.min

    init(patience: Int64) { self.patience = patience }

    /// - Returns: whether the clock went on.
    mutating func see(_ time: Int64, of user: UInt64) -> Bool {
        if let old = first, user != old.user {
            if time > old.time {
                (first, second) = ((time, user), old)
            } else if time > second?.time ?? .min {
                second = (time, user)
            }
        } else if time > first?.time ?? .min {
            first = (time, user)
        }
        guard let first, let second else { return false }
        let next = first.time - second.time <= patience ? first.time : second.time
        guard next > now else { return false }
        now = next
        return true
    }

    /// What stands at the end of the data: the only user's latest time when there was but one.
    mutating func finish() {
        if second == nil, let first { now = max(now, first.time) }
    }

    /// How far a single user is ahead of the clock, milliseconds; nil when none is.
    var lead: Int64? {
        guard let first, first.time > now else { return nil }
        return first.time - now
    }
}
