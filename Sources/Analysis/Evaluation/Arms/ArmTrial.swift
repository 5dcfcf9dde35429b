import Base
import Statistics

/// A trial with several treatments and a score for each: what multi-arm evaluation reads. All columns have one entry a row.
package struct ArmTrial: Sendable {
    /// Labels; the first is control.
    package let arms: [String]
    /// The arm of each row, an index into `arms`.
    package let arm: [Int32]
    package let outcome: [Double]
    /// The predicted effect of each treatment against control: one column for each arm but the first.
    package let scores: [[Double]]
    /// The probability of the arm taken, over 0; estimated by the arm's share (of each experiment) when not logged.
    package let propensity: [Double]
    /// Whether the propensities were logged, or given; else the sample ratio cannot be tested.
    package let hasPropensity: Bool
    package let weight: [Double]?
    package let clusters: Clusters?
    package let experiments: Clusters?

    package var count: Int { arm.count }
    /// Treatments, without control.
    package var treatments: Int { arms.count - 1 }

    /// - Parameter propensity: of the arm taken; nil: each arm's share of the experiment's rows stands in.
    /// - Throws: `bad_trial` for columns of different lengths, arms out of range, an arm without rows, or a propensity that
    ///   is not over 0 and at most 1.
    package init(
        arms: [String], arm: [Int32], outcome: [Double], scores: [[Double]], propensity: [Double]? = nil,
        weight: [Double]? = nil, clusters: Clusters? = nil, experiments: Clusters? = nil
    ) throws(ImpactError) {
        func bad(_ message: String) -> ImpactError { ImpactError(.badInput, code: "bad_trial", message) }
        let rows = arm.count
        guard arms.count > 1, scores.count == arms.count - 1 else {
            throw bad("\(arms.count) arms have \(scores.count) score columns: each arm but control needs one")
        }
        guard outcome.count == rows, propensity?.count ?? rows == rows, weight?.count ?? rows == rows,
            clusters?.code.count ?? rows == rows, experiments?.code.count ?? rows == rows,
            scores.allSatisfy({ $0.count == rows })
        else { throw bad("the columns of a trial of several arms have different lengths") }
        var counts = [Double](repeating: 0, count: arms.count)
        for row in 0..<rows {
            guard arm[row] >= 0, arm[row] < arms.count else { throw bad("arm of row \(row) is \(arm[row])") }
            counts[Int(arm[row])] += weight?[row] ?? 1
        }
        if let empty = counts.firstIndex(where: { $0 <= 0 }) {
            throw bad("arm '\(arms[empty])' has no row that counts")
        }
        if let propensity, let row = propensity.firstIndex(where: { !($0 > 0 && $0 <= 1) }) {
            throw bad("propensity of row \(row) is \(propensity[row]): it must be over 0, at most 1")
        }
        self.arms = arms
        self.arm = arm
        self.outcome = outcome
        self.scores = scores
        self.weight = weight
        self.clusters = clusters
        self.experiments = (experiments?.count ?? 0) > 1 ? experiments : nil
        hasPropensity = propensity != nil
        self.propensity = propensity ?? Self.shares(arm, arms.count, weight, self.experiments)
    }

    private static func shares(
        _ arm: [Int32], _ arms: Int, _ weight: [Double]?, _ experiments: Clusters?
    ) -> [Double] {
        let strata = experiments?.count ?? 1
        var cells = [Double](repeating: 0, count: strata * arms)
        var all = [Double](repeating: 0, count: strata)
        func stratum(_ row: Int) -> Int { experiments.map { Int($0.code[row]) } ?? 0 }
        for row in arm.indices {
            let w = weight?[row] ?? 1
            cells[stratum(row) * arms + Int(arm[row])] += w
            all[stratum(row)] += w
        }
        return arm.indices.map { row in
            // A row that weighs nothing may be the only one of its arm and experiment.
            max(cells[stratum(row) * arms + Int(arm[row])] / all[stratum(row)], .leastNormalMagnitude)
        }
    }

    /// Doubly robust scores of each arm's mean outcome, `arms.count` numbers a row: a cross-fitted ridge regression of the
    /// outcome on all scores for each arm, corrected by what came (``DoublyRobustScores``).
    func robustMeans(seed: UInt64) throws(ImpactError) -> [Double] {
        var context = [Double](repeating: 0, count: count * scores.count)
        for row in 0..<count {
            for (place, column) in scores.enumerated() { context[row * scores.count + place] = column[row] }
        }
        let log = try DecisionLog(
            action: arm, actionCount: arms.count, reward: outcome, propensity: propensity,
            stratum: experiments?.code, stratumCount: experiments?.count ?? 1, context: context,
            contextWidth: scores.count, weight: weight, clusters: clusters)
        let model = try RewardPredictions(.ridge(), log, folds: 5, seed: seed)
        return DoublyRobustScores.arms(
            outcome: outcome, arm: arm, armCount: arms.count, propensity: propensity, means: model.value)
    }

    /// The rows of one treatment and of control, as a trial of two arms ranked by that treatment's score.
    ///
    /// - Returns: nil when the arms' propensities differ from row to row, since then the chance of one arm among the two
    ///   is not known.
    func pair(_ treatment: Int) throws(ImpactError) -> Trial? {
        let rows = (0..<count).filter { arm[$0] == 0 || Int(arm[$0]) == treatment }
        let strata = experiments?.count ?? 1
        var low = [Double](repeating: .infinity, count: 2 * strata)
        var high = [Double](repeating: 0, count: 2 * strata)
        func cell(_ row: Int) -> Int { (experiments.map { Int($0.code[row]) } ?? 0) * 2 + (arm[row] == 0 ? 0 : 1) }
        for row in rows {
            low[cell(row)] = min(low[cell(row)], propensity[row])
            high[cell(row)] = max(high[cell(row)], propensity[row])
        }
        guard zip(low, high).allSatisfy({ $1 - $0 <= 1e-9 }) else { return nil }
        // Experiments that lack one of the two arms compare nothing.
        let usable = rows.filter { row in
            let first = cell(row) & ~1
            return high[first] > 0 && high[first + 1] > 0
        }
        guard usable.contains(where: { arm[$0] == 0 }), usable.contains(where: { arm[$0] != 0 }) else { return nil }
        return try Trial(
            score: usable.map { scores[treatment - 1][$0] }, treatment: usable.map { arm[$0] == 0 ? 0 : 1 },
            outcome: usable.map { outcome[$0] }, weight: weight.map { weight in usable.map { weight[$0] } },
            propensity: usable.map { row in
                let first = cell(row) & ~1
                return high[first + 1] / (high[first] + high[first + 1])
            }, clusters: clusters?.taking(usable), experiments: experiments?.taking(usable))
    }
}
