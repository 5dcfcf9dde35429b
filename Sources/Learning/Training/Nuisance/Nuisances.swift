import Base
import Foundation
import Rows
import Statistics
import Trees

/// Which model gives a nuisance.
package enum NuisanceModel: String, Sendable, CaseIterable {
    /// Linear (ridge), logistic for what is 0 or 1; five folds.
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
    package var outcome: [NuisanceColumn]
    /// By arm, the control first: its probability. Empty when the treatment is a number.
    package var propensity: [NuisanceColumn]
    /// E[T | X] when the treatment is a number.
    package var treatment: NuisanceColumn
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
    /// nil: no linear model is asked for, or of too many columns.
    private let ridge: RidgeFolds?

    package static let foldCount = 5
    /// Chances of arms below this are put there.
    package static let leastPropensity: Float = 0.01
    /// Variances of a treatment that is a number below this share of their mean are put there.
    package static let leastVariance: Float = 0.05

    /// Columns of which the best of all may be a linear model: its moments grow with their square.
    package static let mostColumns = 1_024

    package init(_ data: TrainingData, _ matrix: BinnedMatrix, seed: UInt64, threads: Int, model: NuisanceModel) {
        self.data = data
        self.matrix = matrix
        self.seed = seed
        self.threads = threads
        self.model = model
        folds = Folds(rows: data.count, count: Self.foldCount, clusters: data.clusters, seed: seed)
        let isLinear = model == .linear || model == .best && matrix.features <= Self.mostColumns
        ridge = isLinear ? RidgeFolds(Design(matrix), folds, weights: data.weights, threads: threads) : nil
    }

    /// - Parameter check: called between models; what it throws ends the training.
    package func fit(check: () throws(ImpactError) -> Void = {}) throws(ImpactError) -> Nuisances {
        var nuisances = Nuisances(outcome: [], propensity: [], treatment: .constant(0), reports: [], clipped: 0)
        if case .residuals = data.plan.propensity {
            nuisances.outcome = data.outcomes.map { _ in .constant(0) }
            return nuisances
        }
        for (name, column) in zip(data.plan.outcomes, data.outcomes) {
            let isBinary = column.buffer.allSatisfy { $0 == 0 || $0 == 1 }
            let (values, report) = try best("outcome \(name)", isBinary: isBinary, check) { column[$0] }
            nuisances.outcome.append(values)
            nuisances.reports.append(report)
        }
        switch data.plan.propensity {
        case .residuals: break
        case .mean:
            let column = data.treatment
            let (values, report) = try best("treatment", isBinary: false, check) { column[$0] }
            nuisances.treatment = values
            nuisances.reports.append(report)
            try estimateVariance(&nuisances, check)
        case .constant(let chances):
            nuisances.propensity = chances.map { .constant(Float($0)) }
        case .ownArm:
            guard let own = data.propensity else { break }
            let treated = (0..<data.count).map { data.arms[$0] == 1 ? own[$0] : 1 - own[$0] }
            nuisances.propensity = [.rest(treated), .values(treated)]
        case .treated:
            guard let treated = data.propensity else { break }
            let chances = Array(treated.buffer)
            nuisances.propensity = [.rest(chances), .values(chances)]
        case .estimate: try estimatePropensity(&nuisances, check)
        }
        return nuisances
    }

    /// How much the treatment varies around its mean, by the features: scores divide by it.
    private func estimateVariance(
        _ nuisances: inout Nuisances, _ check: () throws(ImpactError) -> Void
    ) throws(ImpactError) {
        let (column, expected) = (data.treatment, nuisances.treatment)
        func square(_ row: Int) -> Float { (column[row] - expected[row]) * (column[row] - expected[row]) }
        let (values, report) = try best(
            "variance of the treatment", isBinary: false, prefersConstant: true, check, square)
        let mean = (0..<data.count).reduce(0.0) { $0 + Double(square($1)) } / Double(max(1, data.count))
        let least = Float(mean) * Self.leastVariance
        nuisances.variance = (0..<data.count).map { max(values[$0], least) }
        nuisances.reports.append(report)
    }

    private func estimatePropensity(
        _ nuisances: inout Nuisances, _ check: () throws(ImpactError) -> Void
    ) throws(ImpactError) {
        let arms = data.armCount
        var chances: [NuisanceColumn] = []
        for arm in (arms == 2 ? 1 : 0)..<arms {
            let name = data.plan.arms?[arm] ?? "\(arm)"
            let (values, report) = try best("arm \(name)", isBinary: true, prefersConstant: true, check) {
                data.arms[$0] == arm ? 1 : 0
            }
            chances.append(values)
            nuisances.reports.append(report)
        }
        let least = Self.leastPropensity
        if arms == 2 {
            func bounded(_ chance: Float) -> Float {
                let (own, other) = (max(least, chance), max(least, 1 - chance))
                return own / (own + other)
            }
            let treated = chances[0]
            nuisances.clipped = (0..<data.count).count { min(treated[$0], 1 - treated[$0]) < least }
            if nuisances.clipped > 0 {
                if case .byFold(let means, let folds) = treated {
                    chances[0] = .byFold(means.map(bounded), folds)
                } else {
                    chances[0].change { bounded($1) }
                }
            }
            nuisances.propensity = [chances[0].rest, chances[0]]
            return
        }
        // Each row's chances add up to 1.
        let found = chances
        var totals = [Float](repeating: 0, count: data.count)
        for row in 0..<data.count {
            var isClipped = false
            for arm in 0..<arms {
                if found[arm][row] < least { isClipped = true }
                totals[row] += max(least, found[arm][row])
            }
            if isClipped { nuisances.clipped += 1 }
        }
        nuisances.propensity = found.map { column in
            .values((0..<data.count).map { max(least, column[$0]) / totals[$0] })
        }
    }

    /// The model with the least error on rows left out.
    ///
    /// - Parameter prefersConstant: the constant stays unless a model is better by more than one standard error: chances of
    ///   a randomised trial do not depend on the features.
    private func best(
        _ name: String, isBinary: Bool, prefersConstant: Bool = false, _ check: () throws(ImpactError) -> Void,
        _ target: (Int) -> Float
    ) throws(ImpactError) -> (values: NuisanceColumn, report: NuisanceReport) {
        let constant = constant(target)
        let constantError = error(constant, target)
        // The best so far: no more than two candidates are in memory at a time.
        var chosen = (name: "constant", values: constant, error: constantError)
        var errors = [(model: "constant", error: constantError)]
        func wants(_ kind: NuisanceModel) -> Bool { model == .best || model == kind }
        func consider(_ name: String, _ candidate: [Float]) {
            var values = NuisanceColumn.values(candidate)
            if isBinary { values.change { min(max($1, 0), 1) } }
            let found = error(values, target)
            errors.append((name, found))
            if found < chosen.error || model != .best { chosen = (name, values, found) }
        }
        try check()
        if let ridge {
            if isBinary {
                consider("logistic", logistic(ridge, target))
            } else {
                consider("linear", ridge.fit(target).predictions)
            }
        }
        try check()
        if wants(.boosted) { consider("boosted", boosted(isBinary, target)) }
        try check()
        if wants(.forest) {
            switch try forest(target, constant, toBeat: model == .best ? (chosen.values, chosen.error) : nil) {
            case .complete(let values): consider("forest", values)
            case .hopeless(let foreseen): errors.append(("forest", foreseen))
            }
        }
        if chosen.name != "constant", prefersConstant, model == .best, !isBetter(chosen.values, than: constant, target)
        {
            chosen = ("constant", constant, constantError)
        }
        return (chosen.values, NuisanceReport(name: name, chosen: chosen.name, errors: errors))
    }

    /// The penalty is the ridge's, in the units of a logistic loss: the target's variance takes the place of 1. At least 1, as
    /// scikit-learn's default, so that classes that a plane separates have a minimum.
    private func logistic(_ ridge: RidgeFolds, _ target: (Int) -> Float) -> [Float] {
        let variance = error(constant(target), target)
        return LogisticFolds(
            design: ridge.design, folds: folds, weights: data.weights, threads: threads,
            penalty: max(1, ridge.fit(target).penalty * variance)
        ).fit(target)
    }

    private func constant(_ target: (Int) -> Float) -> NuisanceColumn {
        // Leave-a-fold-out means, so that the constant is compared on the same terms.
        var (sums, totals) = ([Double](repeating: 0, count: folds.count), [Double](repeating: 0, count: folds.count))
        for row in 0..<data.count {
            let weight = Double(data.weight(row))
            sums[Int(folds.fold[row])] += weight * Double(target(row))
            totals[Int(folds.fold[row])] += weight
        }
        let (sum, total) = (sums.reduce(0, +), totals.reduce(0, +))
        return .byFold(
            (0..<folds.count).map { Float((sum - sums[$0]) / max(total - totals[$0], .leastNormalMagnitude)) }, folds)
    }

    private func error(_ values: NuisanceColumn, _ target: (Int) -> Float) -> Double {
        error(target) { values[$0] }
    }

    private func error(_ target: (Int) -> Float, _ value: (Int) -> Float) -> Double {
        var (sum, total) = (0.0, 0.0)
        for row in 0..<data.count {
            let weight = Double(data.weight(row)), miss = Double(target(row)) - Double(value(row))
            sum += weight * miss * miss
            total += weight
        }
        return sum / max(total, .leastNormalMagnitude)
    }

    /// Whether the squared errors are less by more than one standard error of the difference.
    private func isBetter(
        _ values: NuisanceColumn, than other: NuisanceColumn, _ target: (Int) -> Float
    ) -> Bool {
        let (mean, error) = gain(target, of: { values[$0] }, over: { other[$0] })
        return mean > error
    }

    /// By how much the mean squared error is less, and the standard error of that.
    private func gain(
        _ target: (Int) -> Float, of values: (Int) -> Float, over other: (Int) -> Float
    ) -> (mean: Double, error: Double) {
        var (sum, squares) = (0.0, 0.0)
        for row in 0..<data.count {
            let y = Double(target(row)), a = y - Double(values(row)), b = y - Double(other(row))
            let gain = Double(data.weight(row)) * (b * b - a * a)
            sum += gain
            squares += gain * gain
        }
        let n = Double(data.count)
        let mean = sum / n
        return (mean, ((squares / n - mean * mean) / n).squareRoot())
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

    private enum ForestOutcome {
        case complete([Float])
        /// It was left when its error was foreseen to be above what was to beat.
        case hopeless(Double)
    }

    /// Trees after which a forest is left that will not beat what there is.
    private static let trialTrees = 40

    /// Out-of-bag predictions of an honest forest.
    ///
    /// - Parameter toBeat: the best so far and its error. A forest of T trees has the error a + b / T, so those of twenty and of
    ///   forty trees foretell that of all; one that is above by two standard errors ends it.
    private func forest(
        _ target: (Int) -> Float, _ fallback: NuisanceColumn, toBeat: (values: NuisanceColumn, error: Double)?
    ) throws(ImpactError) -> ForestOutcome {
        var settings = GrowerSettings()
        settings.trees = 200
        settings.splitLeaf = 5
        settings.estimateLeaf = 5
        settings.seed = seed ^ 0x4E55_4953
        settings.threads = threads
        let problem = ForestProblem.regression(
            rows: matrix, outcome: target, weights: data.weights, clusters: data.clusters)
        let grower = ForestGrower(problem, settings)
        func predict(_ row: Int) -> Float {
            let value = grower.outOfBag?.effect(row) ?? .nan
            return value.isNaN ? fallback[row] : value
        }
        func errorOf(_ trees: Int) throws(ImpactError) -> Double {
            try grower.grow(to: trees)
            return error(target, predict)
        }
        if let toBeat, data.count >= Self.trialRows {
            let (early, late) = (try errorOf(Self.trialTrees / 2), try errorOf(Self.trialTrees))
            let limit = 2 * late - early
            let foreseen = limit + (late - limit) * Double(Self.trialTrees) / Double(settings.trees)
            let (_, uncertainty) = gain(target, of: { toBeat.values[$0] }, over: predict)
            if foreseen > toBeat.error + 2 * uncertainty { return .hopeless(foreseen) }
        }
        try grower.finish()
        guard var values = grower.takeOutOfBag()?.effects()[0] else { return .complete([]) }
        for row in values.indices where values[row].isNaN { values[row] = fallback[row] }
        return .complete(values)
    }

    /// Rows from which on the errors of few trees are sure enough to leave a forest by.
    private static let trialRows = 10_000
}
