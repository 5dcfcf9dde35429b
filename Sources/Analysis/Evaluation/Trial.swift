import Base
import Statistics

/// The rows of a randomised trial with the score that a model gave each: what every metric of this module reads.
///
/// All columns have one entry a row. Scores order the rows (the highest is targeted first); when they are also read as
/// predicted effects (calibration), they must be in the outcome's unit.
package struct Trial: Sendable {
    /// The model's predicted effect, finite.
    package let score: [Double]
    /// 1 treated, 0 control.
    package let treatment: [UInt8]
    /// The outcome, finite: 0/1 for a response, or any number (spend).
    package let outcome: [Double]
    /// How much a row counts, finite and not negative; nil counts each as 1. `WeightMeaning` says what a weight is.
    package let weight: [Double]?
    /// The probability with which the experiment would treat this row, strictly between 0 and 1.
    package let propensity: [Double]?
    /// The model's standard error of `score`, not negative.
    package let standardError: [Double]?
    /// Rows that belong together (a user's), when rows are not independent; nil: each row is a unit of its own.
    package let clusters: Clusters?
    /// The experiment of each row, when there are several: arms are compared within experiments.
    package let experiments: Clusters?
    /// Whether every outcome is 0 or 1.
    package let hasBinaryOutcome: Bool
    /// How many rows are treated.
    package let treatedCount: Int

    package var count: Int { score.count }

    /// Takes the columns and checks them.
    ///
    /// - Throws: `bad_trial` naming the column and the first row (counted from 0) at fault; `single_arm` when all rows
    ///   are of one arm, for which no uplift exists; `no_weight` when the rows of an arm all weigh nothing.
    package init(
        score: [Double], treatment: [UInt8], outcome: [Double], weight: [Double]? = nil,
        propensity: [Double]? = nil, standardError: [Double]? = nil, clusters: Clusters? = nil,
        experiments: Clusters? = nil
    ) throws(ImpactError) {
        guard !score.isEmpty else { throw Self.bad("there are no rows: an evaluation needs at least one of each arm") }
        guard score.count <= UInt32.max else {
            throw Self.bad("there are \(score.count) rows; \(UInt32.max) is the most that are ranked")
        }
        let columns: [(name: String, length: Int?)] = [
            ("treatment", treatment.count), ("outcome", outcome.count), ("weight", weight?.count),
            ("propensity", propensity?.count), ("standard error", standardError?.count),
            ("cluster", clusters?.code.count), ("experiment", experiments?.code.count),
        ]
        for case (let name, let length?) in columns where length != score.count {
            throw Self.bad("column \(name) has \(length) rows and column score has \(score.count)")
        }
        try Self.check(score, "score", .finite)
        if let weight { try Self.check(weight, "weight", .finiteNotNegative) }
        if let propensity { try Self.check(propensity, "propensity", .probability) }
        if let standardError { try Self.check(standardError, "standard error", .finiteNotNegative) }
        guard let treated = ColumnRule.countOnes(treatment) else {
            let row = treatment.firstIndex { $0 > 1 } ?? 0
            throw Self.bad("treatment of row \(row) is \(treatment[row]): it must be 0 (control) or 1 (treated)")
        }
        let binary = ColumnRule.isBinary(outcome)
        if !binary { try Self.check(outcome, "outcome", .finite) }
        guard treated > 0 && treated < score.count else {
            throw ImpactError(
                .badInput, code: "single_arm",
                "all \(score.count) rows are \(treated > 0 ? "treated" : "control"): "
                    + "the effect of a treatment shows only beside the other arm; "
                    + "check the treatment column and which of its labels mean treated")
        }
        if let weight { try Self.checkArms(weight, treatment) }
        self.score = score
        self.treatment = treatment
        self.outcome = outcome
        self.weight = weight
        self.propensity = propensity
        self.standardError = standardError
        self.clusters = clusters
        self.experiments = (experiments?.count ?? 0) > 1 ? experiments : nil
        self.hasBinaryOutcome = binary
        self.treatedCount = treated
    }

    /// The same rows with other weights.
    func weighted(_ weight: [Double]?) throws(ImpactError) -> Trial {
        try Trial(
            score: score, treatment: treatment, outcome: outcome, weight: weight, propensity: propensity,
            standardError: standardError, clusters: clusters, experiments: experiments)
    }

    /// The same rows ranked by another score.
    func scored(_ score: [Double]) throws(ImpactError) -> Trial {
        try Trial(
            score: score, treatment: treatment, outcome: outcome, weight: weight, propensity: propensity,
            clusters: clusters, experiments: experiments)
    }

    /// Independent units of each arm: clusters, else rows. A cluster in both arms counts in both.
    package var units: (treated: Int, control: Int) {
        guard let clusters else { return (treatedCount, count - treatedCount) }
        var seen = [UInt8](repeating: 0, count: clusters.count)
        for row in 0..<count { seen[Int(clusters.code[row])] |= treatment[row] == 1 ? 1 : 2 }
        return (seen.count { $0 & 1 != 0 }, seen.count { $0 & 2 != 0 })
    }

    private static func checkArms(_ weight: [Double], _ treatment: [UInt8]) throws(ImpactError) {
        var sums = [0.0, 0.0]
        for row in weight.indices { sums[Int(treatment[row])] += weight[row] }
        guard sums[0] <= 0 || sums[1] <= 0 else { return }
        let which = sums[0] <= 0 && sums[1] <= 0 ? "all rows" : sums[1] <= 0 ? "all treated rows" : "all control rows"
        throw ImpactError(
            .badInput, code: "no_weight",
            "the weights of \(which) are 0, so there is nothing to compare; check the column of --weight")
    }

    private static func bad(_ message: String) -> ImpactError { ImpactError(.badInput, code: "bad_trial", message) }

    private static func check(_ column: [Double], _ name: String, _ rule: ColumnRule) throws(ImpactError) {
        if let row = rule.firstBreach(column) {
            throw bad("\(name) of row \(row) is \(column[row]): it must be \(rule.words)")
        }
    }
}

/// What a weight stands for; it changes standard errors and intervals, never an estimate.
package enum WeightMeaning: String, Sendable, CaseIterable {
    /// A row of weight 3 stands for three equal rows that were counted (whole numbers only).
    case frequency
    /// A row stands for others that were not observed (sampling or inverse-probability weights): unequal weights widen
    /// the intervals.
    case sampling
}
