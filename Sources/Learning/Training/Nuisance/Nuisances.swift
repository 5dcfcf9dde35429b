import Base
import Foundation
import Rows
import Statistics
import Trees

/// Which model gives a nuisance.
package enum NuisanceModel: String, Sendable, CaseIterable {
    /// Linear (ridge), five folds.
    case linear
    /// Gradient-boosted trees, five folds.
    case boosted
    /// Honest forests, each row by the trees that have not seen it.
    case forest
    /// The best of all by the error on rows left out.
    case best
}

/// What is known of one nuisance: which models were tried, their errors on rows left out, and which one is used.
package struct NuisanceReport: Sendable, Equatable {
    package var name: String
    package var chosen: String
    /// Mean squared error by model; the constant's is the variance.
    package var errors: [(model: String, error: Double)]

    package static func == (a: NuisanceReport, b: NuisanceReport) -> Bool {
        a.name == b.name && a.chosen == b.chosen && a.errors.map(\.model) == b.errors.map(\.model)
            && a.errors.map(\.error) == b.errors.map(\.error)
    }
}

/// E[Y | X] and the chances of the arms (or E[T | X]) of each row, by models that have not seen the row.
package struct Nuisances: Sendable {
    /// By outcome.
    package var outcome: [[Float]]
    /// By arm, the control first: its probability. Empty when the treatment is a number.
    package var propensity: [[Float]]
    /// E[T | X] when the treatment is a number.
    package var treatment: [Float]
    /// Var(T | X) when the treatment is a number; empty: taken as the same for all rows.
    package var variance: [Float] = []
    package var reports: [NuisanceReport]
    /// Rows whose estimated chance of an arm was below the bound, and put there.
    package var clipped: Int
}

/// Fits the nuisances.
package struct NuisanceFitter {
    let data: TrainingData
    let matrix: BinnedMatrix
    let seed: UInt64
    let threads: Int
    let model: NuisanceModel
    private let folds: Folds
    private let ridge: RidgeFolds

    package static let foldCount = 5
    /// Chances of arms below this are put there.
    package static let leastPropensity: Float = 0.01
    /// Variances of a treatment that is a number below this share of their mean are put there.
    package static let leastVariance: Float = 0.05

    package init(_ data: TrainingData, _ matrix: BinnedMatrix, seed: UInt64, threads: Int, model: NuisanceModel) {
        self.data = data
        self.matrix = matrix
        self.seed = seed
        self.threads = threads
        self.model = model
        folds = Folds(rows: data.count, count: Self.foldCount, clusters: data.clusters, seed: seed)
        ridge = RidgeFolds(
            Design(data.features, threads: threads), folds, weights: data.weights, threads: threads)
    }

    package func fit() throws(ImpactError) -> Nuisances {
        var nuisances = Nuisances(outcome: [], propensity: [], treatment: [], reports: [], clipped: 0)
        if case .residuals = data.plan.propensity {
            nuisances.outcome = data.outcomes.map { [Float](repeating: 0, count: $0.count) }
            nuisances.treatment = [Float](repeating: 0, count: data.count)
            return nuisances
        }
        for (name, column) in zip(data.plan.outcomes, data.outcomes) {
            let isBinary = column.buffer.allSatisfy { $0 == 0 || $0 == 1 }
            let (values, report) = try best("outcome \(name)", isBinary: isBinary) { column[$0] }
            nuisances.outcome.append(values)
            nuisances.reports.append(report)
        }
        switch data.plan.propensity {
        case .residuals: break
        case .mean:
            let column = data.treatment
            let (values, report) = try best("treatment", isBinary: false) { column[$0] }
            nuisances.treatment = values
            nuisances.reports.append(report)
            try estimateVariance(&nuisances)
        case .constant(let chances):
            nuisances.propensity = chances.map { [Float](repeating: Float($0), count: data.count) }
        case .ownArm:
            guard let own = data.propensity else { break }
            let treated = (0..<data.count).map { data.arms[$0] == 1 ? own[$0] : 1 - own[$0] }
            nuisances.propensity = [treated.map { 1 - $0 }, treated]
        case .treated:
            guard let treated = data.propensity else { break }
            nuisances.propensity = [treated.buffer.map { 1 - $0 }, Array(treated.buffer)]
        case .estimate: try estimatePropensity(&nuisances)
        }
        return nuisances
    }

    /// How much the treatment varies around its mean, by the features: scores divide by it.
    private func estimateVariance(_ nuisances: inout Nuisances) throws(ImpactError) {
        let (column, expected) = (data.treatment, nuisances.treatment)
        func square(_ row: Int) -> Float { (column[row] - expected[row]) * (column[row] - expected[row]) }
        let (values, report) = try best("variance of the treatment", isBinary: false, prefersConstant: true, square)
        let mean = (0..<data.count).reduce(0.0) { $0 + Double(square($1)) } / Double(max(1, data.count))
        let least = Float(mean) * Self.leastVariance
        nuisances.variance = values.map { max($0, least) }
        nuisances.reports.append(report)
    }

    private func estimatePropensity(_ nuisances: inout Nuisances) throws(ImpactError) {
        let arms = data.armCount
        var chances: [[Float]] = []
        for arm in (arms == 2 ? 1 : 0)..<arms {
            let name = data.plan.arms?[arm] ?? "\(arm)"
            let (values, report) = try best("arm \(name)", isBinary: true, prefersConstant: true) {
                data.arms[$0] == arm ? 1 : 0
            }
            chances.append(values)
            nuisances.reports.append(report)
        }
        if arms == 2 { chances.insert(chances[0].map { 1 - $0 }, at: 0) }
        for row in 0..<data.count {
            var total: Float = 0
            var isClipped = false
            for arm in 0..<arms {
                if chances[arm][row] < Self.leastPropensity { isClipped = true }
                chances[arm][row] = max(Self.leastPropensity, chances[arm][row])
                total += chances[arm][row]
            }
            if isClipped { nuisances.clipped += 1 }
            for arm in 0..<arms { chances[arm][row] /= total }
        }
        nuisances.propensity = chances
    }

    /// The model with the least error on rows left out.
    ///
    /// - Parameter prefersConstant: the constant stays unless a model is better by more than one standard error: chances of
    ///   a randomised trial do not depend on the features.
    private func best(
        _ name: String, isBinary: Bool, prefersConstant: Bool = false, _ target: (Int) -> Float
    ) throws(ImpactError) -> (values: [Float], report: NuisanceReport) {
        let constant = constant(target)
        var candidates: [(name: String, values: [Float])] = [("constant", constant)]
        func wants(_ kind: NuisanceModel) -> Bool { model == .best || model == kind }
        if wants(.linear) { candidates.append(("linear", ridge.fit(target).predictions)) }
        if wants(.boosted) { candidates.append(("boosted", boosted(isBinary, target))) }
        if wants(.forest) { candidates.append(("forest", try forest(target))) }
        if isBinary {
            for index in candidates.indices {
                candidates[index].values = candidates[index].values.map { min(max($0, 0), 1) }
            }
        }
        let errors = candidates.map { error($0.values, target) }
        var chosen = 0
        for index in candidates.indices.dropFirst() where errors[index] < errors[chosen] { chosen = index }
        if chosen > 0, prefersConstant, model == .best,
            !isBetter(candidates[chosen].values, than: constant, target)
        {
            chosen = 0
        }
        if model != .best { chosen = candidates.count - 1 }
        let report = NuisanceReport(
            name: name, chosen: candidates[chosen].name, errors: zip(candidates, errors).map { ($0.name, $1) })
        return (candidates[chosen].values, report)
    }

    private func constant(_ target: (Int) -> Float) -> [Float] {
        // Leave-a-fold-out means, so that the constant is compared on the same terms.
        var (sums, totals) = ([Double](repeating: 0, count: folds.count), [Double](repeating: 0, count: folds.count))
        for row in 0..<data.count {
            let weight = Double(data.weight(row))
            sums[Int(folds.fold[row])] += weight * Double(target(row))
            totals[Int(folds.fold[row])] += weight
        }
        let (sum, total) = (sums.reduce(0, +), totals.reduce(0, +))
        let means = (0..<folds.count).map { Float((sum - sums[$0]) / max(total - totals[$0], .leastNormalMagnitude)) }
        return folds.fold.map { means[Int($0)] }
    }

    private func error(_ values: [Float], _ target: (Int) -> Float) -> Double {
        var (sum, total) = (0.0, 0.0)
        for row in 0..<data.count {
            let weight = Double(data.weight(row)), miss = Double(target(row)) - Double(values[row])
            sum += weight * miss * miss
            total += weight
        }
        return sum / max(total, .leastNormalMagnitude)
    }

    /// Whether the squared errors are less by more than one standard error of the difference.
    private func isBetter(_ values: [Float], than other: [Float], _ target: (Int) -> Float) -> Bool {
        var (sum, squares) = (0.0, 0.0)
        for row in 0..<data.count {
            let y = Double(target(row)), a = y - Double(values[row]), b = y - Double(other[row])
            let gain = Double(data.weight(row)) * (b * b - a * a)
            sum += gain
            squares += gain * gain
        }
        let n = Double(data.count)
        let mean = sum / n
        return mean > ((squares / n - mean * mean) / n).squareRoot()
    }

    private func boosted(_ isBinary: Bool, _ target: (Int) -> Float) -> [Float] {
        var settings = BoostingSettings()
        settings.loss = isBinary ? .logistic : .squared
        settings.trees = 100
        settings.learningRate = data.count < 10_000 ? 0.05 : 0.1
        settings.limits.leaves = data.count < 10_000 ? 8 : 31
        settings.limits.rows = 20
        settings.seed = seed
        settings.threads = threads
        let targets = (0..<data.count).map { target($0) }
        return targets.withUnsafeBufferPointer { targets in
            func fit(_ weights: UnsafeBufferPointer<Float>?) -> [Float] {
                GradientBoosting.crossFit(
                    matrix, target: targets, weights: weights, fold: folds.fold, folds: folds.count, settings: settings)
            }
            return data.weights.map { $0.withUnsafeBufferPointer { fit($0) } } ?? fit(nil)
        }
    }

    private func forest(_ target: (Int) -> Float) throws(ImpactError) -> [Float] {
        var settings = GrowerSettings()
        settings.trees = 200
        settings.splitLeaf = 5
        settings.estimateLeaf = 5
        settings.seed = seed ^ 0x4E55_4953
        settings.threads = threads
        let problem = ForestProblem.regression(
            rows: matrix, outcome: target, weights: data.weights, clusters: data.clusters)
        let grower = ForestGrower(problem, settings)
        try grower.finish()
        let fallback = constant(target)
        let values = grower.outOfBag?.effects()[0] ?? []
        return zip(values, fallback).map { $0.isNaN ? $1 : $0 }
    }
}
