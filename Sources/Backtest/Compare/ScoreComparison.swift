import Scoring

/// What a comparison of replayed with published scores found, of one partition or of all.
package struct ScoreComparison: Sendable, Equatable, Codable {
    /// One event's scores that are not the same.
    package struct Difference: Sendable, Equatable, Codable {
        package enum Kind: String, Sendable, Codable {
            /// Both are there, with other bytes.
            case content
            /// Published, and not made by the replay.
            case publishedOnly = "published_only"
            /// Made by the replay, and not published.
            case replayOnly = "replay_only"
            /// Published a second time.
            case publishedTwice = "published_twice"
        }

        package var kind: Kind
        package var partition: Int32
        package var offset: Int64
        /// The score as JSON; nil where there is none.
        package var replayed: String?
        package var published: String?
    }

    /// Pairs of equal bytes.
    package var identical = 0
    /// Pairs of one model with other bytes.
    package var different = 0
    package var publishedOnly = 0
    package var replayOnly = 0
    package var publishedTwice = 0
    /// Published records of erased users that hold no score any more; nothing is compared with them.
    package var tombstones = 0
    /// Pairs whose published side is another model's.
    package var otherModel = 0
    /// What the published side's models are called, by SHA-256.
    package var models: [String: String] = [:]
    /// The first of a partition; of all, that of the lowest partition.
    package var first: Difference?
    /// Pairs of other bytes by decision: published (rows) to replayed (columns), in the order of `Decision`.
    package var decisions = [Int](repeating: 0, count: 9)
    package var shifts = ShiftSketch()

    package init() {}

    package var pairs: Int { identical + different + otherModel }
    /// Whether every pair is of two models: then differences are the result, not a fault.
    package var isOfTwoModels: Bool { otherModel > 0 && otherModel == pairs }
    package var isIdentical: Bool {
        different == 0 && publishedOnly == 0 && replayOnly == 0 && publishedTwice == 0 && otherModel == 0
            && identical > 0
    }
    /// Pairs whose decisions differ.
    package var changedDecisions: Int {
        decisions.indices.reduce(0) { $0 + ($1 / 3 == $1 % 3 ? 0 : decisions[$1]) }
    }

    /// Counts the pairs of equal bytes into the matrix, from the counts of all replayed decisions.
    ///
    /// - Parameter replayed: all decisions of the replay that have a published partner.
    package func matrix(identical counts: [Int]) -> [Int] {
        var matrix = decisions
        for decision in 0..<3 { matrix[decision * 3 + decision] += counts[decision] }
        return matrix
    }

    var isPlausible: Bool {
        PlausibleCount.holds(
            identical, different, publishedOnly, replayOnly, publishedTwice, tombstones, otherModel)
            && decisions.count == 9 && PlausibleCount.holds(decisions) && shifts.isPlausible
    }

    package mutating func add(_ other: ScoreComparison) {
        identical += other.identical
        different += other.different
        publishedOnly += other.publishedOnly
        replayOnly += other.replayOnly
        publishedTwice += other.publishedTwice
        tombstones += other.tombstones
        otherModel += other.otherModel
        models.merge(other.models) { name, _ in name }
        first = first ?? other.first
        for i in decisions.indices { decisions[i] += other.decisions[i] }
        shifts.add(other.shifts)
    }
}
