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
        var baseline: [[Float]]?
        if !settings.leafGrid.isEmpty {
            var best: (loss: Double, leaf: Int, effects: [[Float]])?
            var tried: [(String, Double)] = []
            for leaf in settings.leafGrid {
                try progress("leaf \(leaf)")
                var candidate = grower
                (candidate.splitLeaf, candidate.estimateLeaf) = (leaf, leaf)
                let effects = try pilot(candidate, offset: nil)
                let loss = residuals.meanLoss(effects)
                tried.append(("\(leaf)", loss))
                if best.map({ loss < $0.loss }) ?? true { best = (loss, leaf, effects) }
            }
            if let best {
                (grower.splitLeaf, grower.estimateLeaf) = (best.leaf, best.leaf)
                baseline = best.effects
                choices.append(ModelChoice(what: "leaf", chosen: "\(best.leaf)", losses: tried))
            }
        }
        try chooseOffset(baseline, progress: progress)
    }

    /// The most features for which an offset is fitted: its moments grow with their square.
    static let mostOffsetFeatures = 512

    private func chooseOffset(
        _ known: [[Float]]?, progress: (String) throws(ImpactError) -> Void
    ) throws(ImpactError) {
        guard settings.offset != OffsetShape.none, data.plan.features.count <= Self.mostOffsetFeatures else { return }
        let fitter = offsetFitter(
            Folds(
                rows: data.count, count: OffsetFitter.groups, clusters: data.clusters,
                seed: settings.grower.seed ^ 0x4F46_4653))
        if let shape = settings.offset {
            // Squares and products may be too many, or none where every feature has a direction.
            offset = fitter.fit(shape) ?? (shape == .quadratic ? fitter.fit(.linear) : nil)
            choices.append(ModelChoice(what: "offset", chosen: offset?.shape.rawValue ?? "none", losses: []))
            return
        }
        try progress("offset none")
        var effects = known ?? []
        if known == nil { effects = try pilot(grower, offset: nil) }
        var tried = [(OffsetShape.none.rawValue, residuals.meanLoss(effects))]
        for shape in [OffsetShape.linear, .quadratic] {
            try progress("offset \(shape.rawValue)")
            guard let candidate = fitter.fit(shape) else { break }
            let there = try pilot(grower, offset: candidate)
            tried.append((shape.rawValue, residuals.meanLoss(there)))
            // In front of nothing an offset must prove itself; a linear one may become quadratic on any gain.
            guard isBetter(there, than: effects, errors: shape == .linear ? 1 : 0) else { break }
            (effects, offset) = (there, candidate)
        }
        choices.append(
            ModelChoice(what: "offset", chosen: offset?.shape.rawValue ?? OffsetShape.none.rawValue, losses: tried))
    }

    /// The effects of each row by trees that have not seen it, of a forest of fewer trees.
    private func pilot(_ settings: GrowerSettings, offset: FittedOffset?) throws(ImpactError) -> [[Float]] {
        var settings = settings
        settings.trees = min(settings.trees, TrainingSettings.pilotTrees)
        settings.seed ^= 0x5049_4C4F
        // Cross-fitted: a fit on the row itself would flatter the offset.
        let grower = ForestGrower(residuals.problem(matrix, offset: offset, by: .unseen), settings)
        try grower.finish()
        return effects(grower.takeOutOfBag(), offset)
    }

    /// Whether the losses of effects are less, by more than so many standard errors.
    private func isBetter(_ a: [[Float]], than b: [[Float]], errors: Double) -> Bool {
        func gain(_ row: Int) -> Double { residuals.loss(b, row) - residuals.loss(a, row) }
        let count = Double(max(1, data.count))
        var (sum, squares) = (0.0, 0.0)
        for row in 0..<data.count { sum += gain(row) }
        let mean = sum / count
        for row in 0..<data.count { squares += (gain(row) - mean) * (gain(row) - mean) }
        return mean > errors * (squares / count / count).squareRoot()
    }

    /// Out-of-bag effects with the offset; rows that every tree has seen get the offset, or the mean effect.
    private func effects(_ outOfBag: OutOfBag?, _ offset: FittedOffset?) -> [[Float]] {
        guard var effects = outOfBag?.effects() else { return [] }
        for effect in effects.indices {
            for row in 0..<data.count where effects[effect][row].isNaN { effects[effect][row] = 0 }
        }
        offset?.forEachRow(by: .unseen) { row, offsets in
            for effect in effects.indices { effects[effect][row] += offsets[effect] }
        }
        return effects
    }

    private func offsetFitter(_ folds: Folds) -> OffsetFitter {
        OffsetFitter(
            design: Design(matrix), folds: folds, residuals: residuals, weights: data.weights, threads: threads,
            monotone: grower.monotone)
    }

    /// Rows that the importance of features looks at, at the most.
    private static let importanceRows = 20_000

    /// What each feature moves of the effects, as a share of their variance: through the offset by its terms (a product is shared by
    /// its two features), through the forest by the splits near the roots. nil without an offset.
    ///
    /// - Parameter effects: of each row by models that have not seen it.
    func importance(_ effects: [[Float]], splits: [Double]) -> [Double]? {
        guard let model = offset?.offset else { return nil }
        let step = max(1, data.count / Self.importanceRows)
        let rows = Array(stride(from: 0, to: data.count, by: step))
        func variance(_ sum: Double, _ squares: Double) -> Double {
            let count = Double(max(1, rows.count))
            return max(0, squares / count - sum / count * sum / count)
        }
        let size = data.features.count
        var row = [Float](repeating: 0, count: size)
        var (importance, forest) = ([Double](repeating: 0, count: size), 0.0)
        for effect in effects.indices {
            var sums = [Double](repeating: 0, count: size + 1)
            var squares = sums
            for index in rows {
                for (feature, column) in data.features.enumerated() { row[feature] = column[index] }
                // Last what the forest adds.
                var own = [Double](repeating: 0, count: size)
                model.addContributions(row, effect: effect, to: &own)
                own.append(Double(effects[effect][index]) - own.reduce(model.constants[effect], +))
                for place in own.indices {
                    sums[place] += own[place]
                    squares[place] += own[place] * own[place]
                }
            }
            for feature in 0..<size { importance[feature] += variance(sums[feature], squares[feature]) }
            forest += variance(sums[size], squares[size])
        }
        let total = importance.reduce(forest, +)
        guard total > 0 else { return nil }
        return importance.indices.map { (importance[$0] + forest * splits[$0]) / total }
    }

    /// The grower of the model's own forest.
    func makeGrower() -> ForestGrower {
        ForestGrower(residuals.problem(matrix, offset: offset), grower, outOfBag: false)
    }

    /// Each row's effects by an offset and a forest of fewer trees that have not seen its fold.
    func heldOutEffects() throws(ImpactError) -> HeldOutEffects {
        var held = HeldOutEffects(data, seed: settings.grower.seed)
        let offset = offset.flatMap { offsetFitter(held.folds).fit($0.shape, on: HeldOutEffects.training) }
        var settings = grower
        settings.trees = min(settings.trees, TrainingSettings.heldOutTrees)
        // As many rows a tree of the last fold as the model's own trees have.
        settings.halfSample = min(1, settings.halfSample * 1.5)
        for fold in 0..<held.folds.count {
            var stream = RandomStream(seed: grower.seed, lane: 0x4845_4C44 &+ UInt64(fold))
            settings.seed = stream.next()
            let split = RowSplit(rows: data.count) {
                held.isTraining($0, of: fold)
            } asked: {
                Int(held.folds.fold[$0]) == fold
            }
            let grower = ForestGrower(
                residuals.problem(matrix, offset: offset, by: .notOf(fold)), settings, split: split)
            try grower.finish()
            guard let sums = grower.takeOutOfBag() else { continue }
            sums.forEachEffect(where: { Int(held.folds.fold[$0]) == fold }) { row, effect, value in
                held.effects[effect][row] = value.isNaN ? 0 : value
            }
        }
        offset?.forEachRow(by: .unseen) { row, offsets in
            for effect in held.effects.indices { held.effects[effect][row] += offsets[effect] }
        }
        return held
    }
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
