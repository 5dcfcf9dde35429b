import Base
import Foundation
import Rows
import Scoring
import Statistics
import Trees

/// One outcome: its residuals, its offset, and its forest.
final class EffectTask {
    let data: TrainingData
    let matrix: BinnedMatrix
    let residuals: Residuals
    let settings: TrainingSettings
    let threads: Int
    private(set) var grower: GrowerSettings
    private(set) var offset: FittedOffset?
    /// Why the offset and the leaf are what they are.
    private(set) var choices: [ModelChoice] = []

    init(
        _ data: TrainingData, _ matrix: BinnedMatrix, _ residuals: Residuals, _ settings: TrainingSettings, threads: Int
    ) {
        self.data = data
        self.matrix = matrix
        self.residuals = residuals
        self.settings = settings
        self.threads = threads
        grower = settings.grower
        grower.threads = threads
    }

    /// Chooses leaf and offset by the out-of-bag R-loss of small forests.
    func choose(progress: (String) throws(ImpactError) -> Void) throws(ImpactError) {
        var baseline: [Double]?
        if !settings.leafGrid.isEmpty {
            var best: (loss: Double, leaf: Int, losses: [Double])?
            var tried: [(String, Double)] = []
            for leaf in settings.leafGrid {
                try progress("leaf \(leaf)")
                var candidate = grower
                (candidate.splitLeaf, candidate.estimateLeaf) = (leaf, leaf)
                let losses = try pilot(candidate, offset: nil)
                let loss = mean(losses)
                tried.append(("\(leaf)", loss))
                if best.map({ loss < $0.loss }) ?? true { best = (loss, leaf, losses) }
            }
            if let best {
                (grower.splitLeaf, grower.estimateLeaf) = (best.leaf, best.leaf)
                baseline = best.losses
                choices.append(ModelChoice(what: "leaf", chosen: "\(best.leaf)", losses: tried))
            }
        }
        try chooseOffset(baseline, progress: progress)
    }

    private func chooseOffset(
        _ known: [Double]?, progress: (String) throws(ImpactError) -> Void
    ) throws(ImpactError) {
        guard settings.offset != OffsetShape.none, data.plan.features.count <= 512 else { return }
        let folds = Folds(
            rows: data.count, count: OffsetFitter.groups, clusters: data.clusters,
            seed: settings.grower.seed ^ 0x4F46_4653)
        let fitter = OffsetFitter(
            design: Design(data.features, threads: threads), folds: folds, residuals: residuals, weights: data.weights,
            threads: threads)
        if let shape = settings.offset {
            offset = fitter.fit(shape)
            choices.append(ModelChoice(what: "offset", chosen: offset?.shape.rawValue ?? "none", losses: []))
            return
        }
        try progress("offset none")
        var losses = known ?? []
        if known == nil { losses = try pilot(grower, offset: nil) }
        var tried = [(OffsetShape.none.rawValue, mean(losses))]
        for shape in [OffsetShape.linear, .quadratic] {
            try progress("offset \(shape.rawValue)")
            guard let candidate = fitter.fit(shape) else { break }
            let there = try pilot(grower, offset: candidate)
            tried.append((shape.rawValue, mean(there)))
            // In front of nothing an offset must prove itself; a linear one may become quadratic on any gain.
            guard isBetter(there, than: losses, errors: shape == .linear ? 1 : 0) else { break }
            (losses, offset) = (there, candidate)
        }
        choices.append(
            ModelChoice(what: "offset", chosen: offset?.shape.rawValue ?? OffsetShape.none.rawValue, losses: tried))
    }

    /// The R-loss of each row by trees that have not seen it, of a forest of fewer trees.
    private func pilot(_ settings: GrowerSettings, offset: FittedOffset?) throws(ImpactError) -> [Double] {
        var settings = settings
        settings.trees = min(settings.trees, TrainingSettings.pilotTrees)
        settings.seed ^= 0x5049_4C4F
        // Cross-fitted: a fit on the row itself would flatter the offset.
        let grower = ForestGrower(problem(offset?.crossFitted), settings)
        try grower.finish()
        let effects = self.effects(grower.outOfBag, offset?.crossFitted)
        return residuals.losses(effects, data)
    }

    /// Less by more than so many standard errors.
    private func isBetter(_ a: [Double], than b: [Double], errors: Double) -> Bool {
        let gains = zip(a, b).map { $1 - $0 }
        let mean = self.mean(gains)
        let variance = gains.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(gains.count)
        return mean > errors * (variance / Double(gains.count)).squareRoot()
    }

    private func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(max(1, values.count)) }

    /// What the forest is grown on: the outcome's residual less what the offset explains.
    func problem(_ offset: [[Float]]?) -> ForestProblem {
        let effects = residuals.treatment.count
        return ForestProblem(
            rows: matrix, treatments: effects, hasWeights: data.weights != nil, clusters: data.clusters
        ) { values in
            let width = effects + 1 + (data.weights == nil ? 0 : 1)
            for row in 0..<data.count {
                let own = values + row * width
                var outcome = residuals.outcome[row]
                for effect in 0..<effects {
                    own[effect] = residuals.treatment[effect][row]
                    if let offset { outcome -= own[effect] * offset[effect][row] }
                }
                own[effects] = outcome
                if let weights = data.weights { own[effects + 1] = weights[row] }
            }
        }
    }

    /// Out-of-bag effects with the offset; rows that every tree has seen get the offset, or the mean effect.
    func effects(_ outOfBag: OutOfBag?, _ offset: [[Float]]?) -> [[Float]] {
        guard var effects = outOfBag?.effects() else { return [] }
        for effect in effects.indices {
            for row in 0..<data.count {
                if effects[effect][row].isNaN { effects[effect][row] = 0 }
                if let offset { effects[effect][row] += offset[effect][row] }
            }
        }
        return effects
    }

    /// The grower of the model's own forest.
    func makeGrower() -> ForestGrower { ForestGrower(problem(offset?.fitted), grower, outOfBag: settings.diagnoses) }

    /// Effects of each row that neither its trees nor its offset have seen.
    func unseenEffects(_ grower: ForestGrower) -> [[Float]] { effects(grower.outOfBag, offset?.crossFitted) }
}

/// A choice that the data made, with the out-of-bag R-loss of what was tried.
package struct ModelChoice: Sendable {
    package var what: String
    package var chosen: String
    package var losses: [(name: String, loss: Double)]

    init(what: String, chosen: String, losses: [(String, Double)]) {
        self.what = what
        self.chosen = chosen
        self.losses = losses.map { (name: $0.0, loss: $0.1) }
    }
}
