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
            return (grower.takeOutOfBag()?.effects() ?? []).map { $0.map { $0.isNaN ? 0 : $0 } }
        }
        func judge(_ residuals: Residuals, _ effects: [[Float]]) -> (
            estimate: Double, standardError: Double, p: Double
        ) {
            let average = EffectScores(residuals, effects: effects).average(0)
            let test = Calibration.all(residuals, effects: effects)[0]
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
            let placebo = Residuals(data, nuisances, outcome: index, arms: arms)
            let result = judge(placebo, try forest(placebo.problem(matrix)))
            found.append(
                Refutation(
                    name: "placebo treatment", average: result.estimate, standardError: result.standardError,
                    heterogeneity: result.p,
                    expects: "no average effect (within 3 standard errors), no heterogeneity (p > 0.001)",
                    holds: abs(result.estimate) <= 3 * result.standardError && result.p > 0.001))
        }
        var stream = RandomStream(seed: grower.seed, lane: 0x4E4F_4953)
        let noise = (0..<data.count).map { _ in Float(stream.normal()) }
        let wide = noise.withUnsafeBufferPointer { matrix.adding($0) }
        let result = judge(residuals, try forest(residuals.problem(wide)))
        let original = outcome.averages[0]
        found.append(
            Refutation(
                name: "random column", average: result.estimate, standardError: result.standardError,
                heterogeneity: result.p, expects: "the average effect moves by less than half a standard error",
                holds: abs(result.estimate - original.estimate) <= 0.5 * original.standardError))
        return found
    }
}
