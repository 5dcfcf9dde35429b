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
        _ residuals: Residuals, _ grower: GrowerSettings, nuisance: NuisanceModel, outcome index: Int, threads: Int
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
        let spoiltResiduals = placebo(data, nuisances, residuals, outcome: index, seed: grower.seed)
        let spoilt = judge(spoiltResiduals, try forest(spoiltResiduals.problem(matrix)))
        var found = [
            Refutation(
                name: "placebo treatment", average: spoilt.estimate, standardError: spoilt.standardError,
                heterogeneity: spoilt.p,
                expects: "no average effect (within 3 standard errors), no heterogeneity (p > 0.001)",
                holds: abs(spoilt.estimate) <= 3 * spoilt.standardError && spoilt.p > 0.001)
        ]
        var stream = RandomStream(seed: grower.seed, lane: 0x4E4F_4953)
        let noise = (0..<data.count).map { _ in Float(stream.normal()) }
        let wide = noise.withUnsafeBufferPointer { matrix.adding($0) }
        // A random cause is one for every model: nuisances and forest alike are fitted with it.
        let adjusted = Residuals(
            data,
            try NuisanceFitter(data, wide, seed: grower.seed, threads: threads, model: nuisance).fit(), outcome: index)
        let result = judge(adjusted, try forest(adjusted.problem(wide)))
        let original = outcome.averages[0]
        found.append(
            Refutation(
                name: "random column", average: result.estimate, standardError: result.standardError,
                heterogeneity: result.p, expects: "the average effect moves by less than half a standard error",
                holds: abs(result.estimate - original.estimate) <= 0.5 * original.standardError))
        return found
    }

    /// A treatment that nothing can be the effect of: arms drawn anew from each row's own chances; of a number its difference from
    /// what was expected, with a sign drawn by chance. Rows of a cluster share the draw.
    private static func placebo(
        _ data: TrainingData, _ nuisances: Nuisances, _ residuals: Residuals, outcome index: Int, seed: UInt64
    ) -> Residuals {
        var stream = RandomStream(seed: seed, lane: 0x504C_4143)
        var draws: [UInt32: Double] = [:]
        let drawn = (0..<data.count).map { row -> Double in
            if let cluster = data.clusters?[row], let known = draws[cluster] { return known }
            let draw = stream.uniform()
            if let cluster = data.clusters?[row] { draws[cluster] = draw }
            return draw
        }
        guard data.plan.arms != nil else {
            let signed = (0..<data.count).map {
                drawn[$0] < 0.5 ? -residuals.treatment(0, $0) : residuals.treatment(0, $0)
            }
            return Residuals(data, nuisances, outcome: index, placebo: signed)
        }
        let arms = drawn.enumerated().map { row, draw -> UInt8 in
            var (rest, arm) = (draw, 0)
            while arm < data.armCount - 1, rest >= Double(nuisances.propensity[arm][row]) {
                rest -= Double(nuisances.propensity[arm][row])
                arm += 1
            }
            return UInt8(arm)
        }
        return Residuals(data, nuisances, outcome: index, arms: arms)
    }
}
