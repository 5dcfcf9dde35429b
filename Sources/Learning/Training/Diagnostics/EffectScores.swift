import Base
import Foundation
import Rows
import Statistics

/// The doubly robust (AIPW) score of each row and effect: unbiased for the row's effect when either nuisance is right
/// (Robins, Rotnitzky and Zhao 1994). Averages of scores are average effects of groups.
package struct EffectScores: Sendable {
    /// By effect, by row.
    package var scores: [[Float]]
    let weights: [Float]?
    let clusters: [UInt32]?
    let clusterCount: Int

    /// - Parameter effects: of each row by models that have not seen it.
    init(_ residuals: Residuals, effects: [[Float]]) {
        let (data, nuisances) = (residuals.data, residuals.nuisances)
        weights = data.weights
        clusters = data.clusters
        clusterCount = data.clusterCount
        if data.plan.arms == nil {
            scores = [Self.continuous(data, residuals, effects[0], nuisances.variance)]
            return
        }
        let (column, fitted) = (data.outcomes[residuals.outcomeIndex], nuisances.outcome[residuals.outcomeIndex])
        let arms = data.armCount
        scores = [[Float]](repeating: [Float](repeating: 0, count: data.count), count: arms - 1)
        for row in 0..<data.count {
            // μ(0) from E[Y|X] = μ(0) + Σ e_k θ_k.
            var control = fitted[row]
            for arm in 1..<arms { control -= nuisances.propensity[arm][row] * effects[arm - 1][row] }
            let own = Int(residuals.arms[row])
            let expected = own == 0 ? control : control + effects[own - 1][row]
            let correction = (column[row] - expected) / nuisances.propensity[own][row]
            for arm in 1..<arms {
                var score = effects[arm - 1][row]
                if own == arm { score += correction } else if own == 0 { score -= correction }
                scores[arm - 1][row] = score
            }
        }
    }

    /// For a number: θ + T̃ (Ỹ − T̃θ) / Var(T | X), the score of the average partial effect of an outcome that is linear in the
    /// treatment.
    private static func continuous(
        _ data: TrainingData, _ residuals: Residuals, _ effects: [Float], _ variance: [Float]
    ) -> [Float] {
        func score(_ row: Int, _ variance: Float) -> Float {
            let t = residuals.treatment(0, row)
            return effects[row] + t * (residuals.outcome(row) - t * effects[row]) / variance
        }
        if !variance.isEmpty { return (0..<data.count).map { score($0, variance[$0]) } }
        var (sum, total) = (0.0, 0.0)
        for row in 0..<data.count {
            let t = Double(residuals.treatment(0, row))
            sum += Double(data.weight(row)) * t * t
            total += Double(data.weight(row))
        }
        let constant = Float(sum / max(total, .leastNormalMagnitude))
        return (0..<data.count).map { score($0, constant) }
    }

    /// The mean of an effect's scores with its standard error, by cluster when there are some.
    package func average(_ effect: Int, where isIn: ((Int) -> Bool)? = nil) -> (
        estimate: Double, standardError: Double, rows: Int
    ) {
        Self.mean(scores[effect].count, clusters, clusterCount, isIn: isIn, weight: { Double(weights?[$0] ?? 1) }) {
            Double(scores[effect][$0])
        }
    }

    static func mean(
        _ count: Int, _ clusters: [UInt32]?, _ clusterCount: Int, isIn: ((Int) -> Bool)? = nil,
        weight: (Int) -> Double, value: (Int) -> Double
    ) -> (estimate: Double, standardError: Double, rows: Int) {
        var (sum, total, rows) = (0.0, 0.0, 0)
        for row in 0..<count where isIn?(row) ?? true {
            let w = weight(row)
            sum += w * value(row)
            total += w
            rows += 1
        }
        guard total > 0, rows > 1 else { return (.nan, .nan, rows) }
        let mean = sum / total
        var squares = 0.0
        var factor = 1.0
        if let clusters {
            var parts = [Double](repeating: 0, count: clusterCount)
            var isUsed = [Bool](repeating: false, count: clusterCount)
            for row in 0..<count where isIn?(row) ?? true {
                parts[Int(clusters[row])] += weight(row) * (value(row) - mean)
                isUsed[Int(clusters[row])] = true
            }
            squares = parts.reduce(0) { $0 + $1 * $1 }
            let used = Double(isUsed.count { $0 })
            factor = used > 1 ? used / (used - 1) : .nan
        } else {
            for row in 0..<count where isIn?(row) ?? true {
                let part = weight(row) * (value(row) - mean)
                squares += part * part
            }
            factor = Double(rows) / Double(rows - 1)
        }
        return (mean, (squares * factor).squareRoot() / total, rows)
    }
}
