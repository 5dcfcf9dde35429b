/// Which users a pass over a partition met, so that users whose events lie in several partitions are found: each part of
/// their history counts by itself there, and their features are too small.
///
/// All users while they are few, then those whose hash ends in so many zeros: of a user in the sample no event is missed, in
/// whatever partition, and memory is bounded. Asked for each event, so that users stand in a table by the hash that they
/// come with, of which Swift's `Set` would make another one.
package struct UserSample: Sendable, Equatable, Codable {
    /// Trailing zeros that a hash must have.
    private var zeros = 0
    private var users = UserHashes()
    private var split: Set<UInt64> = []
    static let most = 16_384

    package init() {}

    @inline(__always)
    package mutating func see(_ user: UInt64) {
        guard user.trailingZeroBitCount >= zeros, users.insert(user), users.count > Self.most else { return }
        thin()
    }

    private mutating func thin() {
        zeros += 1
        let zeros = zeros
        users = UserHashes(users.all.filter { $0.trailingZeroBitCount >= zeros })
        split = split.filter { $0.trailingZeroBitCount >= zeros }
    }

    /// Takes in another partition's.
    mutating func add(_ other: UserSample) {
        var other = other
        while zeros < other.zeros { thin() }
        while other.zeros < zeros { other.thin() }
        split.formUnion(other.split)
        for user in other.users.all where !users.insert(user) { split.insert(user) }
        while users.count > Self.most, zeros < 64 { thin() }
    }

    /// How many users have events in several partitions; of a sample, about so many.
    package var splitUsers: Int { split.count << min(zeros, 40) }
    package var isEstimate: Bool { zeros > 0 }

    /// The finding in words; nil when there is none.
    package var finding: String? {
        split.isEmpty
            ? nil
            : "\(isEstimate ? "about " : "")\(splitUsers) user\(splitUsers == 1 ? " has" : "s have") events in several partitions"
    }

    var isPlausible: Bool {
        (0...64).contains(zeros) && users.count <= Self.most + 1 && split.isSubset(of: users.all)
    }
}

/// A set of hashes: a table of twice as many places at the least, searched from the place that a hash's highest bits name
/// (its lowest are those that a sample is drawn by).
private struct UserHashes: Sendable, Equatable, Codable {
    /// 0 is an empty place.
    private var places = [UInt64](repeating: 0, count: 64)
    private var shift = 58
    private(set) var count = 0
    /// Whether the hash 0 is in it.
    private var hasZero = false

    init() {}

    init(_ users: [UInt64]) { for user in users { insert(user) } }

    var all: [UInt64] { (hasZero ? [0] : []) + places.filter { $0 != 0 } }

    /// - Returns: whether it is new.
    @inline(__always) @discardableResult
    mutating func insert(_ user: UInt64) -> Bool {
        guard user != 0 else { return insertZero() }
        var place = Int(truncatingIfNeeded: user &>> UInt64(shift))
        while places[place] != 0 {
            if places[place] == user { return false }
            place = (place + 1) & (places.count - 1)
        }
        places[place] = user
        count += 1
        if 2 * count > places.count { grow() }
        return true
    }

    private mutating func insertZero() -> Bool {
        if hasZero { return false }
        hasZero = true
        count += 1
        return true
    }

    private mutating func grow() {
        let before = all
        self = UserHashes(twice: places.count, shift - 1)
        for user in before { insert(user) }
    }

    private init(twice count: Int, _ shift: Int) {
        places = [UInt64](repeating: 0, count: 2 * count)
        self.shift = shift
    }

    static func == (a: UserHashes, b: UserHashes) -> Bool { Set(a.all) == Set(b.all) }

    // In a checkpoint: a list, as a set is.

    init(from decoder: any Decoder) throws { self.init(try [UInt64](from: decoder)) }

    func encode(to encoder: any Encoder) throws { try all.encode(to: encoder) }
}
