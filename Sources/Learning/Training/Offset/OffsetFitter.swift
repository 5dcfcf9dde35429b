import Base
import Foundation
import Rows
import Scoring
import Statistics

/// How far the smooth part of an effect goes.
package enum OffsetShape: String, Sendable, CaseIterable {
    case none, linear, quadratic
}

/// A fitted offset: for the model, on all rows, and for each row by the fit on the other folds.
package struct FittedOffset: Sendable {
    package var shape: OffsetShape
    package var offset: EffectOffset
    let design: Design
    let folds: Folds
    let terms: [(first: Int, second: Int)]
    /// By fold, a fit that has not seen it; and the fit on all rows.
    let fits: [[Double]]
    let whole: [Double]

    /// Which fit tells a row's offsets.
    enum Source {
        /// The one on all rows.
        case all
        /// For each row the one that has not seen its fold.
        case unseen
        /// For every row the one that has not seen this fold.
        case notOf(Int)
    }

    /// Computes every row's offsets, by effect, on the spot.
    func forEachRow(by source: Source, _ body: (Int, UnsafePointer<Float>) -> Void) {
        let width = terms.count + 1
        let effects = whole.count / width
        var inputs = [Double](repeating: 0, count: design.width)
        var phi = [Double](repeating: 1, count: width)
        var values = [Float](repeating: 0, count: effects)
        for row in 0..<design.rows {
            let own =
                switch source {
                case .all: whole
                case .unseen: fits[Int(folds.fold[row])]
                case .notOf(let fold): fits[fold]
                }
            OffsetFitter.read(design, row, terms, inputs: &inputs, phi: &phi)
            func value(_ fit: [Double], _ start: Int) -> Float {
                var sum = fit[start + width - 1]
                for index in 0..<width - 1 { sum += fit[start + index] * phi[index] }
                return Float(sum)
            }
            for effect in 0..<effects { values[effect] = value(own, effect * width) }
            body(row, values)
        }
    }
}

/// The R-learner by ridge regression (Nie and Wager 2021): minimises Σ w (Ỹ − Σ_j T̃_j φ(x)·b_j)² + λ Σ b², the constants
/// free. The penalty comes from a grid by the error on the folds left out.
struct OffsetFitter {
    let design: Design
    let folds: Folds
    let residuals: Residuals
    let weights: [Float]?
    let threads: Int
    /// By feature of the matrix: 1 where effects may only rise with it, −1 fall, 0 either; nil: all 0.
    var monotone: [Int8]?

    private static let penalties: [Double] = [1e-4, 1e-3, 1e-2, 3e-2, 0.1, 0.3, 1, 3, 10, 100]
    /// Groups of rows that are left out in turn: for the penalty, for offsets of rows unseen, and for the variance.
    static let groups = 20
    /// Columns of φ that a quadratic may have: its moments grow with their square.
    private static let mostTerms = 160

    /// Pairs of inputs; a second of −1: the input alone. A product bends the effect of its inputs either way: none of an input
    /// with a direction.
    ///
    /// - Parameter excluded: inputs to leave out.
    private func terms(_ shape: OffsetShape, but excluded: Set<Int>) -> [(first: Int, second: Int)]? {
        let linear = (0..<design.width).filter { !excluded.contains($0) }.map { (first: $0, second: -1) }
        guard shape == .quadratic else { return shape == .none ? [] : linear }
        var terms = linear
        for i in 0..<design.width where direction(i) == 0 {
            // The square of a column with two values is a line of it.
            let isBinary = design.hasTwoValues(i)
            for j in i..<design.width where !(i == j && isBinary) && direction(j) == 0 { terms.append((i, j)) }
        }
        return terms.count <= Self.mostTerms && terms.count > linear.count ? terms : nil
    }

    private func direction(_ input: Int) -> Double { Double(monotone?[design.sources[input].feature] ?? 0) }

    /// nil when the shape has too many terms for these columns, or none. An input whose slope would go against its direction
    /// is left out.
    ///
    /// - Parameter training: for each fold those that its unseen fit is of; nil: all others.
    func fit(_ shape: OffsetShape, on training: [[Int]]? = nil) -> FittedOffset? {
        var excluded: Set<Int> = []
        while let fitted = fit(shape, on: training, but: excluded) {
            let width = fitted.terms.count + 1
            let against = fitted.terms.indices.filter { index in
                let (first, second) = fitted.terms[index]
                return second < 0
                    && (0..<residuals.effects).contains { direction(first) * fitted.whole[$0 * width + index] < 0 }
            }
            if against.isEmpty { return fitted }
            excluded.formUnion(against.map { fitted.terms[$0].first })
        }
        return nil
    }

    private func fit(_ shape: OffsetShape, on training: [[Int]]?, but excluded: Set<Int>) -> FittedOffset? {
        guard let terms = terms(shape, but: excluded), !terms.isEmpty else { return nil }
        let (effects, width) = (residuals.effects, terms.count + 1)
        let size = effects * width
        // Products can be correlated with their factors far from 0: they are used as they are, the penalty shrinks them.
        let found = Slots<([Double], [Double], Double)>(folds.count)
        Parallel.forEach(folds.count, threads: threads) { fold in
            found[fold] = moments(fold, terms, size)
        }
        let parts = found.values
        let gram = RidgeFolds.sum(parts.map(\.0)), moment = RidgeFolds.sum(parts.map(\.1))
        // Penalties in units of the treatment's variation.
        var scale = 0.0
        for effect in 0..<effects {
            let place = effect * width + width - 1
            scale = max(scale, gram[place * size + place])
        }
        var best: (error: Double, fits: [[Double]], penalty: Double)?
        for penalty in Self.penalties {
            var (error, fits) = (0.0, [[Double]]())
            for fold in 0..<folds.count {
                let (own, ownMoment, squares) = parts[fold]
                let fit = solve(
                    RidgeFolds.minus(gram, own), RidgeFolds.minus(moment, ownMoment), penalty * scale, width)
                fits.append(fit)
                var quadratic = 0.0
                for i in 0..<size {
                    var sum = 0.0
                    for j in 0..<size { sum += own[i * size + j] * fit[j] }
                    quadratic += fit[i] * (sum - 2 * ownMoment[i])
                }
                error += squares + quadratic
            }
            if best.map({ error < $0.error }) ?? true { best = (error, fits, penalty) }
        }
        guard let best else { return nil }
        let whole = solve(gram, moment, best.penalty * scale, width)
        let offset = EffectOffset(
            inputs: design.sources.map {
                EffectOffset.Input(
                    feature: $0.feature, mean: $0.mean, deviation: $0.deviation, least: $0.least, greatest: $0.greatest)
            },
            constants: (0..<effects).map { whole[$0 * width + width - 1] },
            terms: terms.enumerated().map { index, term in
                EffectOffset.Term(
                    first: term.first, second: term.second < 0 ? nil : term.second,
                    coefficients: (0..<effects).map { whole[$0 * width + index] })
            }, deviations: Self.deviations(best.fits))
        let fits =
            training.map { training in
                training.map { folds in
                    solve(
                        RidgeFolds.sum(folds.map { parts[$0].0 }), RidgeFolds.sum(folds.map { parts[$0].1 }),
                        best.penalty * scale, width)
                }
            } ?? best.fits
        return FittedOffset(
            shape: shape, offset: offset, design: design, folds: folds, terms: terms, fits: fits, whole: whole)
    }

    /// The fits without one group each, as deviations from their mean whose squares add up to a variance (delete-a-group
    /// jackknife; Kott 2001).
    private static func deviations(_ fits: [[Double]]) -> [[Double]] {
        let count = Double(fits.count)
        let mean = RidgeFolds.sum(fits).map { $0 / count }
        let scale = ((count - 1) / count).squareRoot()
        return fits.map { fit in zip(fit, mean).map { ($0 - $1) * scale } }
    }

    /// The inputs of a row and its terms, a 1 for the constant last.
    @inline(__always)
    static func read(
        _ design: Design, _ row: Int, _ terms: [(first: Int, second: Int)], inputs: inout [Double], phi: inout [Double]
    ) {
        design.read(row, into: &inputs)
        for index in terms.indices {
            let (first, second) = terms[index]
            phi[index] = second < 0 ? inputs[first] : inputs[first] * inputs[second]
        }
    }

    private func moments(
        _ fold: Int, _ terms: [(first: Int, second: Int)], _ size: Int
    ) -> (gram: [Double], moment: [Double], squares: Double) {
        let (effects, width) = (residuals.effects, terms.count + 1)
        var (gram, moment, squares) = (
            [Double](repeating: 0, count: size * size), [Double](repeating: 0, count: size), 0.0
        )
        var (phi, x) = ([Double](repeating: 1, count: width), [Double](repeating: 0, count: size))
        var inputs = [Double](repeating: 0, count: design.width)
        gram.withUnsafeMutableBufferPointer { gram in
            x.withUnsafeMutableBufferPointer { x in
                for row in 0..<design.rows where Int(folds.fold[row]) == fold {
                    Self.read(design, row, terms, inputs: &inputs, phi: &phi)
                    for effect in 0..<effects {
                        let treatment = Double(residuals.treatment(effect, row))
                        for index in 0..<width { x[effect * width + index] = treatment * phi[index] }
                    }
                    let (y, weight) = (Double(residuals.outcome(row)), Double(weights?[row] ?? 1))
                    squares += weight * y * y
                    for i in 0..<size {
                        let scaled = weight * x[i]
                        moment[i] += scaled * y
                        for j in i..<size { gram[i * size + j] += scaled * x[j] }
                    }
                }
            }
            for i in 0..<size { for j in 0..<i { gram[i * size + j] = gram[j * size + i] } }
        }
        return (gram, moment, squares)
    }

    private func solve(_ gram: [Double], _ moment: [Double], _ penalty: Double, _ width: Int) -> [Double] {
        let size = moment.count
        var matrix = gram
        for index in 0..<size where index % width != width - 1 { matrix[index * size + index] += penalty }
        return Cholesky(matrix, size: size)?.solve(moment) ?? [Double](repeating: 0, count: size)
    }
}
