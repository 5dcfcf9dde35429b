import Base
import Foundation
import Rows
import Scoring
import Statistics
import Trees

/// Fits learners for one outcome on any of the rows.
package struct LearnerFitter {
    let data: TrainingData
    let matrix: BinnedMatrix
    let nuisances: Nuisances
    let residuals: Residuals
    let outcome: Int
    let seed: UInt64
    let threads: Int
    /// Of the boosted trees.
    var size = BoostingSize.usual
    private let target: [Float]
    private let isBinary: Bool

    package init(
        _ data: TrainingData, _ matrix: BinnedMatrix, _ nuisances: Nuisances, outcome: Int, seed: UInt64, threads: Int
    ) {
        self.data = data
        self.matrix = matrix
        self.nuisances = nuisances
        self.outcome = outcome
        self.seed = seed
        self.threads = threads
        residuals = Residuals(data, nuisances, outcome: outcome)
        target = Array(data.outcomes[outcome].buffer)
        isBinary = target.allSatisfy { $0 == 0 || $0 == 1 }
    }

    package func fit(_ learner: EffectLearner, rows: [UInt32]) throws(ImpactError) -> FittedLearner {
        guard data.plan.arms != nil || learner.takesNumbers else {
            throw ImpactError(
                .usage, code: "train_kind",
                "\(learner.rawValue) needs arms; for a treatment that is a number take "
                    + "causal-forest, r-learner or linear-dml")
        }
        switch learner {
        case .s: return single(rows)
        case .t: return perArm(rows)
        case .x: return crossed(rows)
        case .r: return residual(rows)
        case .dr: return doublyRobust(rows)
        case .linear: return linear(rows)
        case .response: return response(rows)
        }
    }

    /// Each row's effects by a fit that has not seen its fold.
    package func heldOutEffects(_ learner: EffectLearner) throws(ImpactError) -> HeldOutEffects {
        var held = HeldOutEffects(data, seed: seed)
        for fold in 0..<held.folds.count {
            let own = (0..<UInt32(data.count)).filter { Int(held.folds.fold[Int($0)]) == fold }
            let training = (0..<UInt32(data.count)).filter { held.isTraining(Int($0), of: fold) }
            let predicted = try fit(learner, rows: training).effects(rows: own)
            for effect in held.effects.indices {
                for (row, value) in zip(own, predicted[effect]) { held.effects[effect][Int(row)] = value }
            }
        }
        return held
    }

    // MARK: Models

    private func boost(
        _ matrix: BinnedMatrix, _ target: [Float], weights: [Float]? = nil, rows: [UInt32], loss: BoostingLoss
    ) -> TreeEnsemble {
        var settings = BoostingSettings()
        settings.loss = loss
        settings.trees = size.trees
        settings.learningRate = 0.05
        settings.limits.leaves = size.leaves(rows: rows.count)
        settings.limits.rows = max(20, rows.count / 500)
        settings.seed = seed
        settings.threads = threads
        let weights = combined(weights)
        return target.withUnsafeBufferPointer { target in
            func fit(_ weights: UnsafeBufferPointer<Float>?) -> TreeEnsemble {
                GradientBoosting.fit(matrix, target: target, weights: weights, rows: rows, settings: settings)
            }
            return weights.map { $0.withUnsafeBufferPointer { fit($0) } } ?? fit(nil)
        }
    }

    private func combined(_ weights: [Float]?) -> [Float]? {
        guard let own = data.weights else { return weights }
        guard let weights else { return own }
        return zip(own, weights).map { $0 * $1 }
    }

    private var loss: BoostingLoss { isBinary ? .logistic : .squared }

    private static func values(_ ensemble: TreeEnsemble, _ matrix: BinnedMatrix, _ rows: [UInt32], threads: Int)
        -> [Float]
    {
        let margins = ensemble.margins(matrix, rows: rows, threads: threads)
        return ensemble.link == .logistic ? margins.map { Float(Logistic.sigmoid(Double($0))) } : margins
    }

    private func rows(_ rows: [UInt32], ofArm arm: Int) -> [UInt32] { rows.filter { Int(data.arms[Int($0)]) == arm } }

    private func trees(
        _ learner: EffectLearner, _ names: [String], _ ensembles: [TreeEnsemble], _ effects: [Composition.Effect],
        _ matrix: BinnedMatrix
    ) -> FittedLearner {
        let parts = zip(names, ensembles).map { $1.part(name: $0) }
        let composition = Composition(kind: learner.rawValue, parts: parts, effects: effects)
        let threads = threads
        return FittedLearner(learner: learner, ensembles: ensembles, composition: composition, coefficients: []) {
            rows in
            let values = ensembles.map { Self.values($0, matrix, rows, threads: threads) }
            var out = [[Float]](repeating: [Float](repeating: 0, count: rows.count), count: effects.count)
            for (index, effect) in effects.enumerated() {
                for term in effect.terms {
                    for row in rows.indices {
                        var product = Float(term.weight)
                        for part in term.parts { product *= values[part][row] }
                        out[index][row] += product
                    }
                }
            }
            return out
        }
    }

    // MARK: Learners

    private func single(_ rows: [UInt32]) -> FittedLearner {
        let wide = data.arms.map { Float($0) }.withUnsafeBufferPointer { arm in
            matrix.adding(arm)
        }
        let model = boost(wide, target, rows: rows, loss: loss)
        let fixed = (0..<data.armCount).map { model.fixing(feature: data.features.count, to: Float($0)) }
        let names = (data.plan.arms ?? []).map { "outcome as if \($0)" }
        var learner = trees(.s, names, fixed, (1..<data.armCount).map { .difference($0, 0) }, wide)
        // In the file they read the features alone: no split names the arm any more.
        learner.ensembles = fixed.map {
            TreeEnsemble(base: $0.base, link: $0.link, features: data.features.count, trees: $0.trees)
        }
        return learner
    }

    private func perArm(_ rows: [UInt32]) -> FittedLearner {
        let models = (0..<data.armCount).map { boost(matrix, target, rows: self.rows(rows, ofArm: $0), loss: loss) }
        let names = (data.plan.arms ?? []).map { "outcome in \($0)" }
        return trees(.t, names, models, (1..<data.armCount).map { .difference($0, 0) }, matrix)
    }

    private func crossed(_ rows: [UInt32]) -> FittedLearner {
        let outcomes = (0..<data.armCount).map { boost(matrix, target, rows: self.rows(rows, ofArm: $0), loss: loss) }
        var (models, names, effects): ([TreeEnsemble], [String], [Composition.Effect]) = ([], [], [])
        let all = (0..<UInt32(data.count)).map { $0 }
        let control = Self.values(outcomes[0], matrix, all, threads: threads)
        for arm in 1..<data.armCount {
            let treated = Self.values(outcomes[arm], matrix, all, threads: threads)
            let gained = (0..<data.count).map { target[$0] - control[$0] }
            let missed = (0..<data.count).map { treated[$0] - target[$0] }
            let onTreated = boost(matrix, gained, rows: self.rows(rows, ofArm: arm), loss: .squared)
            let onControl = boost(matrix, missed, rows: self.rows(rows, ofArm: 0), loss: .squared)
            // The share of the arm among it and the control: one number for a trial, a model where chances differ.
            let shares = all.map { row -> Float in
                let (a, b) = (nuisances.propensity[arm][Int(row)], nuisances.propensity[0][Int(row)])
                return a / (a + b)
            }
            let name = data.plan.effects[arm - 1]
            let first = models.count
            models += [onControl, onTreated]
            names += ["effect of \(name) from the control", "effect of \(name) from the treated"]
            let mean = Double(shares.reduce(0) { $0 + Double($1) }) / Double(shares.count)
            let spread = shares.map { abs(Double($0) - mean) }.max() ?? 0
            if spread < 0.02 {
                effects.append(Composition.Effect([.init(mean, [first]), .init(1 - mean, [first + 1])]))
            } else {
                models.append(boost(matrix, shares, rows: rows, loss: .logistic))
                names.append("chance of \(name)")
                effects.append(
                    Composition.Effect([
                        .init(1, [first + 2, first]), .init(1, [first + 1]), .init(-1, [first + 2, first + 1]),
                    ]))
            }
        }
        return trees(.x, names, models, effects, matrix)
    }

    /// Of several arms each with the control alone: in one regression of all rows an arm's effect would take up those of the
    /// others, whose indicators are correlated with its own.
    private func residual(_ rows: [UInt32]) -> FittedLearner {
        let models: [TreeEnsemble]
        if residuals.effects == 1 {
            models = [
                residual(rows, treatment: { residuals.treatment(0, $0) }, outcome: { residuals.outcome($0) })
            ]
        } else {
            models = (1..<data.armCount).map { arm in
                let pair = rows.filter { data.arms[Int($0)] == arm || data.arms[Int($0)] == 0 }
                let expected = expectedOutcome(of: pair) { _ in true }
                return residual(
                    pair,
                    treatment: { row in
                        let (own, control) = (nuisances.propensity[arm][row], nuisances.propensity[0][row])
                        return (Int(data.arms[row]) == arm ? 1 : 0) - own / (own + control)
                    }, outcome: { target[$0] - expected[$0] })
            }
        }
        let names = data.plan.effects.map { "effect of \($0)" }
        return trees(.r, names, models, models.indices.map { .part($0) }, matrix)
    }

    /// Minimises Σ (Ỹ − T̃ θ(x))², as a regression of Ỹ / T̃ with weights T̃².
    private func residual(
        _ rows: [UInt32], treatment: (Int) -> Float, outcome: (Int) -> Float
    ) -> TreeEnsemble {
        var (ratio, weights) = ([Float](repeating: 0, count: data.count), [Float](repeating: 0, count: data.count))
        for row in rows.map({ Int($0) }) {
            let treatment = treatment(row)
            weights[row] = treatment * treatment
            if abs(treatment) >= 1e-4 { ratio[row] = outcome(row) / treatment }
        }
        return boost(matrix, ratio, weights: weights, rows: rows, loss: .squared)
    }

    /// The outcome that each of the rows is expected to have by a model that has not seen it (three folds), fitted on those of
    /// the other rows that are wanted. 0 for all other rows.
    private func expectedOutcome(of rows: [UInt32], where isWanted: (UInt32) -> Bool) -> [Float] {
        let folds = Folds(rows: data.count, count: 3, clusters: data.clusters, seed: seed ^ 0x4452)
        var expected = [Float](repeating: 0, count: data.count)
        for fold in 0..<folds.count {
            let held = rows.filter { Int(folds.fold[Int($0)]) == fold }
            let others = rows.filter { Int(folds.fold[Int($0)]) != fold && isWanted($0) }
            let model = boost(matrix, target, rows: others, loss: loss)
            for (row, value) in zip(held, Self.values(model, matrix, held, threads: threads)) {
                expected[Int(row)] = value
            }
        }
        return expected
    }

    /// Scores from models of each arm's outcome that have not seen the row, then their regression.
    private func doublyRobust(_ rows: [UInt32]) -> FittedLearner {
        let expected = (0..<data.armCount).map { arm in
            expectedOutcome(of: rows) { Int(data.arms[Int($0)]) == arm }
        }
        let models = (1..<data.armCount).map { arm -> TreeEnsemble in
            var scores = [Float](repeating: 0, count: data.count)
            for row in rows.map({ Int($0) }) {
                func value(_ arm: Int) -> Float {
                    let correction =
                        Int(data.arms[row]) == arm
                        ? (target[row] - expected[arm][row]) / nuisances.propensity[arm][row] : 0
                    return expected[arm][row] + correction
                }
                scores[row] = value(arm) - value(0)
            }
            return boost(matrix, scores, rows: rows, loss: .squared)
        }
        let names = data.plan.effects.map { "effect of \($0)" }
        return trees(.dr, names, models, models.indices.map { .part($0) }, matrix)
    }

    private func response(_ rows: [UInt32]) -> FittedLearner {
        let model = boost(matrix, target, rows: rows, loss: loss)
        return trees(.response, ["outcome"], [model], data.plan.effects.indices.map { _ in .part(0) }, matrix)
    }
}
