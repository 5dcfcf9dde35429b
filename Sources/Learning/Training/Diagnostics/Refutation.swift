import Base
import Foundation
import Rows
import Statistics
import Trees

/// What must not be found when the question is spoilt on purpose.
package struct Refutation: Sendable {
    /// `placebo treatment` or `random column`.
    package var name: String
    /// The average effect found, and the p-value of heterogeneity.
    package var average: Double
    package var standardError: Double
    package var heterogeneity: Double
    /// What should hold, and whether it does.
    package var expects: String
    package var holds: Bool

    /// - Parameter task: of the outcome that is asked about.
    static func all(
        _ data: TrainingData, _ matrix: BinnedMatrix, _ nuisances: Nuisances, _ outcome: TrainedOutcome,
        _ residuals: Residuals, _ grower: GrowerSettings, outcome index: Int, threads: Int
    ) throws(ImpactError) -> [Refutation] {
        var settings = grower
        settings.trees = min(200, grower.trees)
        settings.threads = threads
        settings.monotone = nil
        func forest(_ problem: ForestProblem) throws(ImpactError) -> [[Float]] {
            let grower = ForestGrower(problem, settings)
            try grower.finish()
            return (grower.outOfBag?.effects() ?? []).map { $0.map { $0.isNaN ? 0 : $0 } }
        }
        func problem(_ rows: BinnedMatrix, _ residuals: Residuals) -> ForestProblem {
            let effects = residuals.treatment.count
            return ForestProblem(
                rows: rows, treatments: effects, hasWeights: data.weights != nil, clusters: data.clusters
            ) { values in
                let width = effects + 1 + (data.weights == nil ? 0 : 1)
                for row in 0..<data.count {
                    for effect in 0..<effects { values[row * width + effect] = residuals.treatment[effect][row] }
                    values[row * width + effects] = residuals.outcome[row]
                    if let weights = data.weights { values[row * width + effects + 1] = weights[row] }
                }
            }
        }
        func judge(_ data: TrainingData, _ arms: [UInt8], _ residuals: Residuals, _ effects: [[Float]]) -> (
            estimate: Double, standardError: Double, p: Double
        ) {
            let scores = EffectScores(data, nuisances, residuals, outcome: index, effects: effects, arms: arms)
            let average = scores.average(0)
            let test = Calibration.all(
                data, treatment: residuals.treatment, outcome: residuals.outcome, effects: effects)[0]
            return (average.estimate, average.standardError, test.pValue)
        }
        var found: [Refutation] = []
        if data.plan.arms != nil {
            // Arms drawn anew from each row's own chances: nothing can be their effect.
            var stream = RandomStream(seed: grower.seed, lane: 0x504C_4143)
            var byCluster: [UInt32: UInt8] = [:]
            let arms = (0..<data.count).map { row -> UInt8 in
                if let cluster = data.clusters?[row], let known = byCluster[cluster] { return known }
                var rest = stream.uniform()
                var arm = 0
                while arm < data.armCount - 1, rest >= Double(nuisances.propensity[arm][row]) {
                    rest -= Double(nuisances.propensity[arm][row])
                    arm += 1
                }
                if let cluster = data.clusters?[row] { byCluster[cluster] = UInt8(arm) }
                return UInt8(arm)
            }
            var placebo = residuals
            placebo.treatment = (1..<data.armCount).map { arm in
                (0..<data.count).map { (Int(arms[$0]) == arm ? 1 : 0) - nuisances.propensity[arm][$0] }
            }
            let effects = try forest(problem(matrix, placebo))
            let result = judge(data, arms, placebo, effects)
            found.append(
                Refutation(
                    name: "placebo treatment", average: result.estimate, standardError: result.standardError,
                    heterogeneity: result.p,
                    expects: "no average effect (within 3 standard errors), no heterogeneity (p > 0.001)",
                    holds: abs(result.estimate) <= 3 * result.standardError && result.p > 0.001))
        }
        var stream = RandomStream(seed: grower.seed, lane: 0x4E4F_4953)
        let noise = (0..<data.count).map { _ in Float(stream.normal()) }
        let wide = noise.withUnsafeBufferPointer { noise in
            BinnedMatrix(columns: data.features.map(\.buffer) + [noise], threads: threads)
        }
        let effects = try forest(problem(wide, residuals))
        let result = judge(data, data.arms, residuals, effects)
        let original = outcome.averages[0]
        found.append(
            Refutation(
                name: "random column", average: result.estimate, standardError: result.standardError,
                heterogeneity: result.p, expects: "the average effect moves by less than half a standard error",
                holds: abs(result.estimate - original.estimate) <= 0.5 * original.standardError))
        return found
    }
}
