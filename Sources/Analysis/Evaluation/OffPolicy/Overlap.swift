import Base
import Foundation
import Statistics

/// How well a log covers the policy that is valued from it.
struct Overlap {
    private let sum: Double
    private let squares: Double
    private let total: Double
    private let count: Int
    let mean: Double
    let largest: Double
    let unmatchedShare: Double
    private let meanStandardError: Double

    /// - Parameter ratio: importance weights, one a row.
    init(_ ratio: [Double], _ log: DecisionLog) {
        var sum = 0.0
        var squares = 0.0
        var total = 0.0
        var unmatched = 0.0
        for row in ratio.indices {
            let weight = log.weight?[row] ?? 1
            sum += weight * ratio[row]
            squares += weight * weight * ratio[row] * ratio[row]
            total += weight
            if ratio[row] == 0 { unmatched += weight }
        }
        self.sum = sum
        self.squares = squares
        self.total = total
        count = ratio.count
        let estimate = TrialEstimate(mean: ratio, weight: log.weight, clusters: log.clusters)
        mean = estimate.value
        meanStandardError = estimate.standardError ?? 0
        largest = ratio.max() ?? 0
        unmatchedShare = Tally.ratio(unmatched, total)
    }

    var effectiveSampleSize: Double { Tally.ratio(sum * sum, squares) }

    func selfNormalized(_ ratio: [Double], _ log: DecisionLog, level: Double) -> ValueEstimate {
        var reward = 0.0
        for row in ratio.indices { reward += (log.weight?[row] ?? 1) * ratio[row] * log.reward[row] }
        let value = Tally.ratio(reward, sum)
        let influence = ratio.indices.map { row in
            Tally.ratio((log.weight?[row] ?? 1) * ratio[row] * (log.reward[row] - value), sum)
        }
        return ValueEstimate(
            TrialEstimate(value: value, influence: influence, clusters: log.clusters), level: level)
    }

    var warnings: [String] {
        guard sum > 0 else {
            return ["no overlap: the policy never takes a logged action; only the direct estimate says anything"]
        }
        var warnings: [String] = []
        let share = effectiveSampleSize / Double(count)
        // Few decisions that all count in full are too little evidence, not poor overlap.
        if share < 0.1 || effectiveSampleSize < 100 && share < 0.95 {
            warnings.append(
                "poor overlap: \(count) decisions are worth \(Int(saturating: effectiveSampleSize.rounded())) "
                    + "of the policy's own (\(percent(share))); widen the log or value a policy nearer to it")
        }
        // The largest row's share of all weight.
        if largest / sum > 0.05 {
            warnings.append("one decision carries \(percent(largest / sum)) of all weight")
        }
        // Weights that are all equal have no spread, and no excuse for another mean than 1.
        if abs(mean - 1) > max(3 * meanStandardError, 1e-6) {
            let text = mean.formatted(
                .number.precision(.significantDigits(3)).locale(Locale(identifier: "en_US_POSIX")))
            warnings.append(
                "importance weights average \(text), not 1: the logged propensities are wrong, or the policy takes "
                    + "actions that the log never took")
        }
        return warnings
    }

    private func percent(_ share: Double) -> String {
        (share * 100).formatted(.number.precision(.fractionLength(1)).locale(Locale(identifier: "en_US_POSIX"))) + " %"
    }
}
