import Base
import Scoring
import Statistics
import Trees

/// A kind of response model.
package enum ResponseLearner: String, Sendable, CaseIterable {
    case logistic, forest, boosted

    /// What its columns need: a linear model has no use for missing values or units, trees need neither.
    package var usualPreprocessing: PreprocessingOptions {
        self == .logistic ? PreprocessingOptions() : PreprocessingOptions(fill: .keep, scale: .none)
    }
}

/// A model of one outcome on preprocessed columns.
package struct ResponseFit: Sendable {
    package enum Kind: Sendable {
        /// With the columns' means over the training rows: contributions are deviations from them.
        case linear(LinearFit, centres: [Double])
        case trees(TreeEnsemble)
    }

    package var learner: ResponseLearner
    package var kind: Kind

    /// Probabilities of rows of preprocessed columns.
    package func predict(_ columns: [[Float]], rows: [Int]) -> [Double] {
        switch kind {
        case .linear(let fit, let centres):
            let base = Self.base(fit, centres)
            return rows.map { row in
                var sum = base
                for (index, column) in columns.enumerated() {
                    sum += fit.coefficients[index] * (Double(column[row]) - centres[index])
                }
                return Logistic.sigmoid(sum)
            }
        case .trees(let ensemble):
            var values = [Float](repeating: 0, count: columns.count)
            return rows.map { row in
                for (index, column) in columns.enumerated() { values[index] = column[row] }
                return min(max(values.withUnsafeBufferPointer { ensemble.prediction($0.baseAddress!) }, 0), 1)
            }
        }
    }

    /// The margin of a row at the centres.
    private static func base(_ fit: LinearFit, _ centres: [Double]) -> Double {
        zip(fit.coefficients, centres).reduce(fit.intercept) { $0 + $1.0 * $1.1 }
    }

    /// As a part of a model file, whose scores have the bits of `predict`.
    package func part(name: String) -> Composition.Part {
        switch kind {
        case .trees(let ensemble): return ensemble.part(name: name, isProbability: true)
        case .linear(let fit, let centres):
            let terms = zip(fit.coefficients, fit.standardErrors).enumerated().map { index, pair in
                Composition.Linear.Term(pair.0, [index], standardError: pair.1.isFinite ? pair.1 : nil)
            }
            return .linear(
                .init(
                    name: name, intercept: Self.base(fit, centres), terms: terms, link: .logistic, centres: centres,
                    interceptError: fit.interceptError.isFinite ? fit.interceptError : nil))
        }
    }

    package var ensemble: TreeEnsemble? { if case .trees(let ensemble) = kind { ensemble } else { nil } }
    package var linear: LinearFit? { if case .linear(let fit, _) = kind { fit } else { nil } }
}

/// How response models are fitted.
package struct ResponseSettings: Sendable, Equatable {
    /// L2 penalty of the logistic regression: scikit-learn's 1 / C.
    package var l2 = 1.0
    package var trees = 500
    package var learningRate = 0.05
    package var leaves = 15
    package var leafRows = 20
    /// Rows in a leaf of boosted trees when a category has many rare texts: with more, none of them could have one.
    package static let rareLeafRows = 5
    /// Rows in a leaf at the least, of boosted trees and forests alike; nil: `leafRows` and a quarter of it.
    package var leaf: Int?
    /// Splits on a path at the most; 0: no limit.
    package var depth = 0
    /// A category of the rows has many rare texts.
    package var hasRareTexts = false
    package var patience = 30
    /// Each class weighs as much as the other (`balanced`), or these.
    package var balanced = false
    package var positiveWeight = 1.0
    package var seed: UInt64 = 42
    package var threads = 1

    package init() {}

    /// Rows in a leaf of boosted trees at the least.
    package var boostedLeaf: Int { leaf ?? (hasRareTexts ? min(leafRows, Self.rareLeafRows) : leafRows) }

    /// The weight of each class.
    package func classWeights(positives: Int, rows: Int) -> (negative: Double, positive: Double) {
        guard balanced, positives > 0, positives < rows else { return (1, positiveWeight) }
        return (
            Double(rows) / (2 * Double(rows - positives)), Double(rows) / (2 * Double(positives)) * positiveWeight
        )
    }
}

extension ResponseLearner {
    /// Fits on `rows`; boosted trees stop by the loss on `stopping`, or after as many trees as the settings say when it is
    /// empty.
    package func fit(
        _ columns: [[Float]], target: [Float], rows: [Int], stopping: [Int], weights given: [Double]? = nil,
        settings: ResponseSettings
    ) -> ResponseFit {
        let positives = rows.count { target[$0] > 0 }
        let (negative, positive) = settings.classWeights(positives: positives, rows: rows.count)
        let isWeighted = negative != 1 || positive != 1 || given != nil
        func weight(_ row: Int) -> Double { (target[row] > 0 ? positive : negative) * (given?[row] ?? 1) }
        switch self {
        case .logistic:
            let weights = isWeighted ? rows.map(weight) : nil
            let fit = LogisticRegression.fit(
                columns.map { column in rows.map { Double(column[$0]) } }, target: rows.map { Double(target[$0]) },
                weights: weights, l2: settings.l2, threads: settings.threads)
            let centres = columns.map { column in
                rows.reduce(0.0) { $0 + Double(column[$1]) } / Double(max(1, rows.count))
            }
            return ResponseFit(learner: self, kind: .linear(fit, centres: centres))
        case .boosted, .forest:
            // Bins are cut from the rows that are fitted on; the others only follow.
            let matrix = BinnedMatrix(
                edges: columns.map { column in
                    rows.map { column[$0] }.withUnsafeBufferPointer { BinEdges(sample: $0) }
                }, rows: target.count)
            lend(columns) { matrix.fill($0, at: 0, threads: settings.threads) }
            let weights = isWeighted ? target.indices.map { Float(weight($0)) } : nil
            return target.withUnsafeBufferPointer { target in
                withWeights(weights) { weights in
                    ResponseFit(
                        learner: self,
                        kind: .trees(trees(matrix, target, weights, rows, stopping, settings)))
                }
            }
        }
    }

    private func trees(
        _ matrix: BinnedMatrix, _ target: UnsafeBufferPointer<Float>, _ weights: UnsafeBufferPointer<Float>?,
        _ rows: [Int], _ stopping: [Int], _ settings: ResponseSettings
    ) -> TreeEnsemble {
        let rows = rows.map { UInt32($0) }
        guard self == .boosted else {
            var forest = RandomForestSettings()
            forest.trees = settings.trees
            forest.leafRows = settings.leaf ?? max(1, settings.leafRows / 4)
            forest.depth = settings.depth
            forest.seed = settings.seed
            forest.threads = settings.threads
            return RandomForest.fit(matrix, target: target, weights: weights, rows: rows, settings: forest).ensemble
        }
        var boosting = BoostingSettings()
        boosting.loss = .logistic
        boosting.trees = settings.trees
        boosting.learningRate = settings.learningRate
        boosting.limits.leaves = settings.leaves
        boosting.limits.rows = settings.boostedLeaf
        boosting.limits.depth = settings.depth
        boosting.patience = settings.patience
        boosting.seed = settings.seed
        boosting.threads = settings.threads
        return GradientBoosting.fit(
            matrix, target: target, weights: weights, rows: rows, validation: stopping.map { UInt32($0) },
            settings: boosting)
    }
}

/// Lends all columns as buffers at once.
func lend(_ columns: [[Float]], _ body: ([UnsafeBufferPointer<Float>]) -> Void) {
    var buffers: [UnsafeBufferPointer<Float>] = []
    func next(_ index: Int) {
        guard index < columns.count else { return body(buffers) }
        columns[index].withUnsafeBufferPointer {
            buffers.append($0)
            next(index + 1)
        }
    }
    next(0)
}

private func withWeights<Result>(_ weights: [Float]?, _ body: (UnsafeBufferPointer<Float>?) -> Result) -> Result {
    guard let weights else { return body(nil) }
    return weights.withUnsafeBufferPointer { body($0) }
}
