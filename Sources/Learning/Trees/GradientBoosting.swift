import Base
import CTrees
import Foundation
import Statistics

/// What boosted trees minimise.
package enum BoostingLoss: String, Sendable, CaseIterable {
    /// Half the squared error.
    case squared
    /// The log loss of targets in 0 … 1.
    case logistic
}

/// How to boost. The defaults suit 10,000 to 10 million rows.
package struct BoostingSettings: Sendable, Equatable {
    package var loss = BoostingLoss.squared
    /// Trees at the most.
    package var trees = 200
    package var learningRate = 0.1
    package var limits = TreeLimits()
    /// The share of the features that each tree may split, and of the rows that it is grown on.
    package var columnShare = 1.0
    package var rowShare = 1.0
    /// Stop when the loss on the validation rows has not improved for so many trees; 0: never.
    package var patience = 20
    package var seed: UInt64 = 1
    package var threads = 1

    package init() {}
}

/// Gradient-boosted trees (Friedman 2001) on a binned matrix, the same bits for any number of threads.
package enum GradientBoosting {
    /// Called after each tree with the count so far and the validation loss; returns whether to go on.
    package typealias Progress = (Int, Double?) -> Bool

    /// Fits an ensemble.
    ///
    /// - Parameters:
    ///   - target: one a row of the matrix, finite; 0 … 1 for the logistic loss. Other rows than `rows` are not read.
    ///   - weights: one a row, not negative; nil: all 1.
    ///   - rows: the rows to fit on, ascending; nil: all but `validation`.
    ///   - validation: rows that decide when to stop; the trees kept are those of the least loss there.
    package static func fit(
        _ matrix: BinnedMatrix, target: UnsafeBufferPointer<Float>, weights: UnsafeBufferPointer<Float>? = nil,
        rows: [UInt32]? = nil, validation: [UInt32] = [], settings: BoostingSettings,
        progress: Progress = { _, _ in true }
    ) -> TreeEnsemble {
        precondition(target.count == matrix.rows && (weights?.count ?? matrix.rows) == matrix.rows, "one target a row")
        let kept = rows ?? all(matrix.rows, but: validation)
        var fit = BoostingRun(matrix, target, weights, kept, validation, settings)
        return fit.run(progress)
    }

    /// Predictions of each row by an ensemble fitted on the rows of the other folds (cross-fitting): probabilities for
    /// the logistic loss.
    ///
    /// - Parameter fold: one a row, 0 ..< folds.
    package static func crossFit(
        _ matrix: BinnedMatrix, target: UnsafeBufferPointer<Float>, weights: UnsafeBufferPointer<Float>? = nil,
        fold: [UInt8], folds: Int, settings: BoostingSettings
    ) -> [Float] {
        var predictions = [Float](repeating: 0, count: matrix.rows)
        // Folds share the threads among them: a fold on one thread has no meetings to wait for.
        let outer = min(settings.threads, folds)
        var inner = settings
        inner.threads = max(1, settings.threads / max(1, outer))
        predictions.withUnsafeMutableBufferPointer { predictions in
            nonisolated(unsafe) let predictions = predictions  // folds write disjoint rows
            nonisolated(unsafe) let (target, weights) = (target, weights)
            Parallel.forEach(folds, threads: outer) { number in
                let size = fold.count { Int($0) == number }
                let held = Self.rows(size, of: fold) { Int($0) == number }
                let others = Self.rows(matrix.rows - size, of: fold) { Int($0) != number }
                let ensemble = fit(matrix, target: target, weights: weights, rows: others, settings: inner)
                let margins = ensemble.margins(matrix, rows: held, threads: inner.threads)
                for (row, margin) in zip(held, margins) {
                    predictions[Int(row)] =
                        settings.loss == .logistic ? Float(Logistic.sigmoid(Double(margin))) : margin
                }
            }
        }
        return predictions
    }

    /// The rows whose fold is wanted, `count` of them.
    private static func rows(_ count: Int, of fold: [UInt8], _ isWanted: (UInt8) -> Bool) -> [UInt32] {
        [UInt32](unsafeUninitializedCapacity: count) { buffer, used in
            for (row, number) in fold.enumerated() where isWanted(number) {
                buffer[used] = UInt32(row)
                used += 1
            }
        }
    }

    private static func all(_ count: Int, but held: [UInt32]) -> [UInt32] {
        guard !held.isEmpty else { return (0..<UInt32(count)).map { $0 } }
        var isHeld = [Bool](repeating: false, count: count)
        for row in held { isHeld[Int(row)] = true }
        return (0..<UInt32(count)).filter { !isHeld[Int($0)] }
    }
}

/// One fit under way.
private struct BoostingRun {
    let matrix: BinnedMatrix
    let target: UnsafeBufferPointer<Float>
    let weights: UnsafeBufferPointer<Float>?
    let rows: [UInt32]
    let validation: [UInt32]
    let settings: BoostingSettings
    let grower: TreeGrower
    var scores: [Float]
    var gradients: [Float]
    var hessians: [Float]
    var validationScores: [Float]
    let validationTargets: [Float]
    let validationWeights: [Float]
    var random: RandomStream

    init(
        _ matrix: BinnedMatrix, _ target: UnsafeBufferPointer<Float>, _ weights: UnsafeBufferPointer<Float>?,
        _ rows: [UInt32], _ validation: [UInt32], _ settings: BoostingSettings
    ) {
        self.matrix = matrix
        self.target = target
        self.weights = weights
        self.rows = rows
        self.validation = validation
        self.settings = settings
        grower = TreeGrower(matrix, limits: settings.limits, threads: settings.threads)
        scores = [Float](repeating: 0, count: matrix.rows)
        gradients = scores
        hessians = scores
        validationScores = [Float](repeating: 0, count: validation.count)
        validationTargets = validation.map { target[Int($0)] }
        validationWeights = validation.map { weights?[Int($0)] ?? 1 }
        random = RandomStream(seed: settings.seed, lane: 0x7EE5)
    }

    var isLogistic: Bool { settings.loss == .logistic }

    /// The constant of least loss.
    private func base() -> Double {
        var (sum, total) = (0.0, 0.0)
        for row in rows {
            let weight = Double(weights?[Int(row)] ?? 1)
            sum += weight * Double(target[Int(row)])
            total += weight
        }
        guard total > 0 else { return 0 }
        let mean = sum / total
        guard isLogistic else { return mean }
        let probability = min(max(mean, 1e-9), 1 - 1e-9)
        return log(probability / (1 - probability))
    }

    mutating func run(_ progress: GradientBoosting.Progress) -> TreeEnsemble {
        let base = base()
        var ensemble = TreeEnsemble(
            base: base, link: isLogistic ? .logistic : .identity, features: matrix.features, trees: [])
        scores = [Float](repeating: Float(base), count: matrix.rows)
        validationScores = [Float](repeating: Float(base), count: validation.count)
        var (best, bestTrees) = (validationLoss() ?? .infinity, 0)
        while ensemble.trees.count < settings.trees {
            let tree = nextTree(number: ensemble.trees.count)
            guard tree.nodes > 1 else { break }
            ensemble.trees.append(tree)
            let loss = update(validation: tree)
            if let loss, loss < best { (best, bestTrees) = (loss, ensemble.trees.count) }
            guard progress(ensemble.trees.count, loss) else { break }
            if settings.patience > 0, loss != nil, ensemble.trees.count - bestTrees >= settings.patience { break }
        }
        if !validation.isEmpty, settings.patience > 0 {
            ensemble.trees.removeLast(ensemble.trees.count - bestTrees)
        }
        return ensemble
    }

    private mutating func nextTree(number: Int) -> DecisionTree {
        let count = matrix.rows
        let parts = count > 1 << 15 ? settings.threads : 1
        let logistic: Int32 = isLogistic ? 1 : 0
        let (sample, left) = drawRows()
        let active = drawFeatures()
        let seed = UInt32(truncatingIfNeeded: random.next())
        return scores.withUnsafeMutableBufferPointer { scores in
            gradients.withUnsafeMutableBufferPointer { gradients in
                hessians.withUnsafeMutableBufferPointer { hessians in
                    guard let score = scores.baseAddress, let gradient = gradients.baseAddress,
                        let hessian = hessians.baseAddress, let target = target.baseAddress
                    else { return DecisionTree() }
                    nonisolated(unsafe) let (s, g, h, y) = (score, gradient, hessian, target)
                    nonisolated(unsafe) let w = weights?.baseAddress
                    Parallel.forEach(parts, threads: settings.threads) { part in
                        let range = Parallel.slice(part, of: parts, count: count)
                        let first = range.lowerBound
                        ctrees_gradients(
                            logistic, s + first, y + first, w.map { $0 + first }, UInt64(range.count), g + first,
                            h + first)
                    }
                    let tree = sample.withUnsafeBufferPointer { sample in
                        grower.grow(
                            gradients: gradient, hessians: hessian, sample: sample, active: active,
                            rate: settings.learningRate, seed: seed
                        ) { rows, value in ctrees_add(score, rows.baseAddress, UInt64(rows.count), Float(value)) }
                    }
                    if !left.isEmpty {
                        var out = [Float](repeating: 0, count: left.count)
                        ctrees_predict(matrix.planes, tree.binnedNodes(matrix), left, UInt64(left.count), &out)
                        for (row, value) in zip(left, out) { score[Int(row)] += value }
                    }
                    return tree
                }
            }
        }
    }

    /// The rows that the next tree is grown on, and those that it is not.
    private mutating func drawRows() -> (sample: [UInt32], left: [UInt32]) {
        guard settings.rowShare < 1 else { return (rows, []) }
        var (sample, left): ([UInt32], [UInt32]) = ([], [])
        for row in rows {
            if random.happens(settings.rowShare) { sample.append(row) } else { left.append(row) }
        }
        return (sample, left)
    }

    private mutating func drawFeatures() -> [Bool]? {
        guard settings.columnShare < 1 else { return nil }
        let wanted = max(1, Int((Double(matrix.features) * settings.columnShare).rounded()))
        var active = [Bool](repeating: false, count: matrix.features)
        var order = Array(0..<matrix.features)
        for place in 0..<wanted {
            order.swapAt(place, place + random.below(order.count - place))
            active[order[place]] = true
        }
        return active
    }

    private mutating func update(validation tree: DecisionTree) -> Double? {
        guard !validation.isEmpty else { return nil }
        ctrees_predict(
            matrix.planes, tree.binnedNodes(matrix), validation, UInt64(validation.count), &validationScores)
        return validationLoss()
    }

    /// The mean loss on the validation rows.
    private func validationLoss() -> Double? {
        guard !validation.isEmpty else { return nil }
        let sum = ctrees_loss(
            isLogistic ? 1 : 0, validationScores, validationTargets, validationWeights, nil, UInt64(validation.count))
        return sum / validationWeights.reduce(0) { $0 + Double($1) }
    }
}
