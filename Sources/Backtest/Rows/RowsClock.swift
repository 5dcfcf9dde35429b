/// The event time by which rows close: how far the users of a partition have come.
///
/// What half of the users seen lately have reached, and from there on whoever follows in due time: within the patience, or
/// within ten times what usually lies between two users there, so that in a sparse stream, where everybody is far ahead of the
/// one before, the last users count too. The highest that this ever was. So devices whose clocks are days ahead end nobody's
/// outcome windows, be they many; after a pause of the whole stream enough users are there soon. It begins when it knows
/// enough users, so that a handful at the stream's beginning does not set it; with fewer nothing closes before the end of the
/// data. There a quarter of them, and two at least, are enough: nobody comes behind any more.
///
/// Of many users a sixteenth stand for all, by their hashes, so that hundreds whose clocks break at once are still few.
struct RowsClock {
    private typealias Latest = (time: Int64, user: UInt64)

    private let patience: Int64
    /// Milliseconds since 1970; never goes back. `Int64.min` before it begins.
    private(set) var now = Int64.min
    /// The latest times of users, in two generations: who is in neither was not seen lately.
    private var young: [UInt64: Int64] = [:]
    private var old: [UInt64: Int64] = [:]
    /// The same, in order.
    private var order: [Latest] = []
    /// Trailing zeros that the hashes of those users have who are looked at.
    private var zeros = 0
    private static let mostZeros = 4
    /// The latest time of those users, and of all.
    private var latest = Int64.min
    private var latestOfAll = Int64.min
    /// The place in the order that `now` came from.
    private var settled = 0
    private static let generation = 256
    /// Users that it must know before it begins.
    private let least: Int
    /// How many gaps below a place tell what is usual there, and how many times that a gap may be.
    private static let neighbours = 32
    private static let usualTimes: Int64 = 10

    init(patience: Int64, least: Int) {
        self.patience = patience
        self.least = least
    }

    /// - Returns: whether the clock went on.
    mutating func see(_ time: Int64, of user: UInt64) -> Bool {
        latestOfAll = max(latestOfAll, time)
        guard user.trailingZeroBitCount >= zeros else { return false }
        let known = young[user] ?? old[user]
        if known == nil || time > known ?? 0 {
            if let known { order.remove(at: place(known, user)) }
            order.insert((time, user), at: place(time, user))
        }
        young[user] = max(time, known ?? time)
        if young.count > Self.generation {
            (old, young) = (young, [:])
            if zeros < Self.mostZeros {
                zeros += 1
                let zeros = zeros
                old = old.filter { $0.key.trailingZeroBitCount >= zeros }
            }
            order = old.map { (time: $0.value, user: $0.key) }
            order.sort { ($0.time, $0.user) < ($1.time, $1.user) }
        }
        latest = max(latest, time)
        return latest > now && order.count >= least && settle(atEnd: false)
    }

    /// Where an entry stands in the order, or would.
    private func place(_ time: Int64, _ user: UInt64) -> Int {
        var low = 0
        var high = order.count
        while low < high {
            let middle = (low + high) / 2
            if (order[middle].time, order[middle].user) < (time, user) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private mutating func settle(atEnd: Bool) -> Bool {
        let count = order.count
        guard count > 0 else { return false }
        var place = atEnd ? count - max(min(2, count), (count + 3) / 4) : count / 2
        while place + 1 < count {
            guard isDue(order[place + 1].time - order[place].time, after: place) else { break }
            place += 1
        }
        settled = place
        guard order[place].time > now else { return false }
        now = order[place].time
        return true
    }

    private func isDue(_ gap: Int64, after place: Int) -> Bool {
        gap <= patience || gap / Self.usualTimes <= usualGap(below: place)
    }

    /// The median of the gaps between users up to a place.
    private func usualGap(below place: Int) -> Int64 {
        let first = max(1, place - Self.neighbours + 1)
        guard first <= place else { return 0 }
        let gaps = (first...place).map { order[$0].time - order[$0 - 1].time }.sorted()
        return gaps[gaps.count / 2]
    }

    /// What stands at the end of the data.
    mutating func finish() {
        _ = settle(atEnd: true)
        // Those that were not looked at too.
        if zeros > 0, latestOfAll > now, now != .min, isDue(latestOfAll - now, after: settled) { now = latestOfAll }
    }

    /// How far the farthest users are ahead of the clock, milliseconds; nil when none is.
    var lead: Int64? { latestOfAll > now && now != .min ? latestOfAll - now : nil }
}
