/// The event time by which rows close: how far the users of a partition have come.
///
/// What a quarter of the users seen lately have reached, and two at least, and from there on whoever follows within the
/// patience; the highest that this ever was. So a few devices whose clocks are days ahead do not end everybody's outcome
/// windows; after a pause of the whole stream enough users are there soon. It begins with the ninth user, so that the first
/// two do not set it, and with fewer nothing closes before the end of the data.
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
    /// The latest time of all.
    private var latest = Int64.min
    private static let generation = 512
    private static let least = 9

    init(patience: Int64) { self.patience = patience }

    /// - Returns: whether the clock went on.
    mutating func see(_ time: Int64, of user: UInt64) -> Bool {
        let known = young[user] ?? old[user]
        if known == nil || time > known ?? 0 {
            if let known { order.remove(at: place(known, user)) }
            order.insert((time, user), at: place(time, user))
        }
        young[user] = max(time, known ?? time)
        if young.count > Self.generation {
            (old, young) = (young, [:])
            order = old.map { (time: $0.value, user: $0.key) }
            order.sort { ($0.time, $0.user) < ($1.time, $1.user) }
        }
        latest = max(latest, time)
        return latest > now && order.count >= Self.least && settle()
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

    private mutating func settle() -> Bool {
        let count = order.count
        guard count > 0 else { return false }
        var place = count - max(min(2, count), (count + 3) / 4)
        while place + 1 < count, order[place + 1].time - order[place].time <= patience { place += 1 }
        guard order[place].time > now else { return false }
        now = order[place].time
        return true
    }

    /// What stands at the end of the data.
    mutating func finish() { _ = settle() }

    /// How far the farthest users are ahead of the clock, milliseconds; nil when none is.
    var lead: Int64? { latest > now && now != .min ? latest - now : nil }
}
