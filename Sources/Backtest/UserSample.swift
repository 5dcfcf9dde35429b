/// Which users a pass over a partition met, so that users whose events lie in several partitions are found: each part of
/// their history counts by itself there, and their features are too small.
///
/// All users while they are few, then those whose hash ends in so many zeros: of a user in the sample no event is missed, in
/// whatever partition, and memory is bounded.
package struct UserSample: Sendable, Equatable, Codable {
    /// Trailing zeros that a hash must have.
    private var zeros = 0
    private var users: Set<UInt64> = []
    private var split: Set<UInt64> = []
    static let most = 16_384

    package init() {}

    package mutating func see(_ user: UInt64) {
        guard user.trailingZeroBitCount >= zeros, users.insert(user).inserted, users.count > Self.most else { return }
        thin()
    }

    private mutating func thin() {
        zeros += 1
        let zeros = zeros
        users = users.filter { $0.trailingZeroBitCount >= zeros }
        split = split.filter { $0.trailingZeroBitCount >= zeros }
    }

    /// Takes in another partition's.
    mutating func add(_ other: UserSample) {
        var other = other
        while zeros < other.zeros { thin() }
        while other.zeros < zeros { other.thin() }
        split.formUnion(other.split)
        split.formUnion(users.intersection(other.users))
        users.formUnion(other.users)
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

    var isPlausible: Bool { (0...64).contains(zeros) && users.count <= Self.most + 1 && split.isSubset(of: users) }
}
