import Base
import Statistics

/// The value of a policy as estimated one way.
package struct ValueEstimate: Sendable, Equatable {
    /// The mean reward a decision.
    package let value: Double
    /// nil where no interval would be right: a reward model alone, or nothing that varies.
    package let standardError: Double?
    /// value ± t standard errors; nil also below ``Evidence/leastUnits`` units.
    package let interval: Interval?

    init(_ estimate: TrialEstimate, level: Double) {
        value = estimate.value
        standardError = estimate.standardError
        interval = estimate.units >= Evidence.leastUnits ? estimate.interval(level: level) : nil
    }

    /// Without any statement of how sure it is.
    init(value: Double) {
        self.value = value
        standardError = nil
        interval = nil
    }

    /// The weighted mean of one number per row; its standard error sums over clusters.
    init(mean contributions: [Double], weight: [Double]?, clusters: Clusters?, level: Double) {
        self.init(TrialEstimate(mean: contributions, weight: weight, clusters: clusters), level: level)
    }
}

/// What a policy would have earned, estimated from the log of another one with known probabilities.
///
/// With importance weights ρ = π(a|x) / p(a|x) and a reward model q (Dudík and others 2011; Swaminathan and Joachims
/// 2015 for the self-normalised form):
/// - direct: mean of Σ_a π(a|x) q(x, a); as good as its model, whose error no interval of ours knows: none is given
/// - IPS: mean of ρ r; unbiased, unsteady when ρ is large
/// - SNIPS: Σ ρ r / Σ ρ; steadier, slightly biased; interval by the delta method
/// - DR: mean of Σ_a π q + ρ (r - q(x, a)); right when either propensities or model are
package struct OffPolicyValue: Sendable {
    package let policy: String
    package let decisions: Int
    /// The mean reward of the log itself.
    package let logged: ValueEstimate
    package let direct: ValueEstimate
    package let ips: ValueEstimate
    package let selfNormalized: ValueEstimate
    package let doublyRobust: ValueEstimate
    /// What the policy would have earned beyond the log, doubly robust; its interval is that of the paired differences.
    package let gainOverLog: ValueEstimate
    /// (Σ ρ)² / Σ ρ²: as many decisions of the target policy itself would say as much.
    package let effectiveSampleSize: Double
    /// The mean of ρ, 1 in expectation when the propensities are right and the log covers the policy.
    package let meanWeight: Double
    package let largestWeight: Double
    /// The share of decisions that the policy would never take.
    package let unmatchedShare: Double
    /// How the importance weights are spread.
    package let weightBins: [ImportanceBin]
    /// What makes the numbers doubtful, in words; empty when overlap is good.
    package let warnings: [String]
    /// Why there are too few decisions for a verdict; nil when there are enough.
    package let evidence: String?
    /// One doubly robust number per row; their mean is the value. Differences of two policies are means of differences.
    let contributions: [Double]

    /// - Parameters:
    ///   - rewardModel: for the direct and the doubly robust estimate.
    ///   - folds, seed: of cross-fitting.
    /// - Throws: `bad_policy` when probabilities are negative or do not sum to 1 within 1e-6; `bad_log` for a reward
    ///   model of another shape.
    package init(
        _ policy: TargetPolicy, _ log: DecisionLog, rewardModel: RewardModel = .means(), folds: Int = 5,
        seed: UInt64 = 1, level: Double = 0.95
    ) throws(ImpactError) {
        try self.init(
            policy, log, predictions: RewardPredictions(rewardModel, log, folds: folds, seed: seed), level: level)
    }

    init(
        _ policy: TargetPolicy, _ log: DecisionLog, predictions: RewardPredictions, level: Double
    ) throws(ImpactError) {
        var ratio = [Double](repeating: 0, count: log.count)
        var direct = ratio
        var robust = ratio
        let actions = log.actionCount
        var probabilities = [Double](repeating: 0, count: actions)
        for row in 0..<log.count {
            probabilities.withUnsafeMutableBufferPointer { policy.probabilities(row, $0) }
            let sum = probabilities.reduce(0, +)
            guard abs(sum - 1) <= 1e-6, probabilities.allSatisfy({ $0 >= 0 }) else {
                throw ImpactError(
                    .badInput, code: "bad_policy",
                    "policy \(policy.name) at row \(row): probabilities must be 0 or more and sum to 1, not \(sum)")
            }
            let action = Int(log.action[row])
            var expected = 0.0
            for a in 0..<actions { expected += probabilities[a] * predictions.value[row * actions + a] }
            ratio[row] = probabilities[action] / log.propensity[row]
            direct[row] = expected
            robust[row] = expected + ratio[row] * (log.reward[row] - predictions.value[row * actions + action])
        }
        let reward = log.reward
        let overlap = Overlap(ratio, log)
        let evidence = Evidence.lacking(ratio, log, effective: overlap.effectiveSampleSize)
        func estimate(_ contributions: [Double]) -> ValueEstimate {
            ValueEstimate(mean: contributions, weight: log.weight, clusters: log.clusters, level: level)
        }
        // Of too few decisions of the policy's own nothing can be said of how sure a number is.
        func ofPolicy(_ estimate: ValueEstimate) -> ValueEstimate {
            evidence == nil ? estimate : ValueEstimate(value: estimate.value)
        }
        self.policy = policy.name
        decisions = log.count
        logged = estimate(reward)
        self.direct = ValueEstimate(value: estimate(direct).value)
        ips = ofPolicy(estimate(zip(ratio, reward).map { $0 * $1 }))
        doublyRobust = ofPolicy(estimate(robust))
        contributions = robust
        gainOverLog = ofPolicy(estimate(zip(robust, reward).map { $0 - $1 }))
        weightBins = ImportanceBin.bins(ratio, log.weight)
        selfNormalized = ofPolicy(overlap.selfNormalized(ratio, log, level: level))
        effectiveSampleSize = overlap.effectiveSampleSize
        meanWeight = overlap.mean
        largestWeight = overlap.largest
        unmatchedShare = overlap.unmatchedShare
        warnings = overlap.warnings
        self.evidence = evidence
    }
}
