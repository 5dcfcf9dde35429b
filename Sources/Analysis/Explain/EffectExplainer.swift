import Base
import Scoring
import Statistics

/// Exact Shapley values of a causal forest's effects.
///
/// A forest's effect solves J(x) θ = A(x), with A and J the averages over the leaves that the row ends in (EconML: w y T and
/// w T Tᵀ; grf: the moments of its instrumental estimating equation, intercept as the second parameter). θ is not a sum
/// over trees, so the game is stated on numerator and denominator. With A_S and J_S their averages when only the features
/// of coalition S are known (path-dependent, over the covers), θ₀ the solution of J_∅ θ₀ = A_∅, and w the row of J(x)⁻¹
/// that the effect reads:
///
///     v(S) = θ₀ + w · (A_S - J_S θ₀)
///
/// With one treatment and no intercept this is v(S) = θ₀ + (N_S - θ₀ D_S) / D(x). Nothing known gives θ₀, everything
/// known gives θ(x) exactly, and v is linear in the leaves, so the values are exact and add up to θ(x) - θ₀. A feature's
/// contribution is by how much knowing it moves the estimating equation at θ₀, in units of the effect at this row.
///
/// An offset in front of the forest adds its own game, in which an unknown feature is at its mean: its constant to the base,
/// its terms to the contributions.
package struct EffectExplainer: Sendable {
    /// Which treatment's effect on which outcome.
    package struct Effect: Sendable, Equatable {
        package var treatment: Int
        package var outcome: Int

        package init(treatment: Int, outcome: Int) {
            self.treatment = treatment
            self.outcome = outcome
        }
    }

    private struct Outcome: Sendable {
        let shapley: TreeShapley
        let finders: [LeafFinder]
        /// p + p² numbers per leaf: A and J; 0 in an empty leaf.
        let moments: [[Double]]
        /// p numbers per leaf: A - J θ₀.
        let residuals: [[Double]]
        let parameters: Int
        let contrasts: [[Double]]
        let origin: [Double]
        let offset: EffectOffset?
    }

    private let outcomes: [Outcome]
    private let featureCount: Int
    private let refusesMissing: Bool
    /// Treatment-major, as `Model.effectIndex`.
    package let effects: [Effect]

    /// - Parameters:
    ///   - background: rows that say how often each side of a split is taken, row-major with `stride` floats a row; without
    ///     any, each split is taken to send half of its rows to each side.
    package init(
        _ model: Model, background: (rows: UnsafePointer<Float>, stride: Int, count: Int)? = nil, threads: Int = 0
    ) {
        featureCount = model.featureCount
        refusesMissing = model.missingValues == .refuse
        effects = model.treatments.indices.flatMap { treatment in
            model.outcomes.indices.map { Effect(treatment: treatment, outcome: $0) }
        }
        let treatments = model.treatments.count
        outcomes = model.outcomes.indices.map { outcome in
            var forest = model.decodedForest(outcome)
            forest.trees =
                background.map {
                    Covers.counted(
                        forest.trees, rows: $0.rows, stride: $0.stride, count: $0.count, threads: threads)
                } ?? Covers.even(forest.trees)
            return Self.prepare(forest, treatments: treatments, offset: model.offsets[outcome])
        }
    }

    private static func prepare(_ forest: DecodedForest, treatments: Int, offset: EffectOffset?) -> Outcome {
        let p = forest.info.kind == .grf ? 2 : forest.info.parameters
        let columns = forest.info.payloadColumns
        let width = p + p * p
        let moments = forest.values.map { values -> [Double] in
            var moments: [Double] = []
            moments.reserveCapacity(values.count / columns * width)
            for start in stride(from: 0, to: values.count, by: columns) {
                if values[start].isNaN {
                    // An empty leaf: its tree has no say.
                    moments += [Double](repeating: 0, count: width)
                } else if forest.info.kind == .grf {
                    let (y, w, z, yz) = (values[start], values[start + 1], values[start + 2], values[start + 3])
                    let (wz, g) = (values[start + 4], values[start + 6])
                    moments += [yz, y, wz, z, w, g]
                } else {
                    moments += values[start..<start + columns]
                }
            }
            return moments
        }
        let shapley = TreeShapley(forest.trees, featureCount: forest.info.featureCount)
        let origin = solve(shapley.expectation(columns: width, values: moments), p).theta
        let residuals = moments.map { values -> [Double] in
            var residuals: [Double] = []
            residuals.reserveCapacity(values.count / width * p)
            for start in stride(from: 0, to: values.count, by: width) {
                for i in 0..<p {
                    var rest = values[start + i]
                    for j in 0..<p { rest -= values[start + p + i * p + j] * origin[j] }
                    residuals.append(rest)
                }
            }
            return residuals
        }
        let contrasts = (0..<treatments).map { treatment -> [Double] in
            var row = [Double](repeating: 0, count: p)
            if let given = forest.contrasts?[treatment] {
                for (place, weight) in given.enumerated() { row[place] = weight }
            } else {
                row[treatment] = 1
            }
            return row
        }
        return Outcome(
            shapley: shapley, finders: forest.trees.map(LeafFinder.init), moments: moments, residuals: residuals,
            parameters: p, contrasts: contrasts, origin: origin, offset: offset)
    }

    /// θ and J⁻¹ of A and J, which stand one after another.
    private static func solve(_ moments: [Double], _ p: Int) -> (theta: [Double], inverse: [Double]) {
        let matrix = SmallMatrix(size: p)
        defer { matrix.deallocate() }
        var inverse = [Double](repeating: 0, count: p * p)
        inverse.withUnsafeMutableBufferPointer { inverse in
            moments.withUnsafeBufferPointer { moments in
                guard let a = moments.baseAddress, let out = inverse.baseAddress else { return }
                matrix.invert(a + p, into: out)
            }
        }
        let theta = (0..<p).map { i in (0..<p).reduce(0) { $0 + inverse[i * p + $1] * moments[$1] } }
        return (theta, inverse)
    }

    /// Explains every effect of each row, `effects` in their order.
    ///
    /// - Parameters:
    ///   - rows: row-major, `stride` floats per row; NaN is missing.
    ///   - threads: 0 is one per processor; never changes a number.
    /// - Returns: one list a row; nil for a row that has no estimate (a missing value that the model refuses, or no tree
    ///   that knows such rows).
    package func explain(
        rows: UnsafePointer<Float>, stride: Int, count: Int, threads: Int = 0
    ) -> [[Explanation]?] {
        RowBlocks.map(count, threads: threads) { range in
            block(rows + range.lowerBound * stride, stride, range.count)
        }
    }

    private func block(_ rows: UnsafePointer<Float>, _ stride: Int, _ count: Int) -> [[Explanation]?] {
        var isKnown = (0..<count).map { row in
            !refusesMissing || (0..<featureCount).allSatisfy { rows[row * stride + $0].isFinite }
        }
        var answers = [[Explanation]](
            repeating: [Explanation](
                repeating: Explanation(base: 0, value: 0, contributions: []), count: effects.count), count: count)
        for (number, outcome) in outcomes.enumerated() {
            let p = outcome.parameters
            let width = p + p * p
            let solutions = (0..<count).map { row -> (theta: [Double], inverse: [Double]) in
                var sums = [Double](repeating: 0, count: width)
                for (finder, moments) in zip(outcome.finders, outcome.moments) {
                    let start = finder.leaf(rows + row * stride) * width
                    for column in 0..<width { sums[column] += moments[start + column] }
                }
                return Self.solve(sums, p)
            }
            for (index, effect) in effects.enumerated() where effect.outcome == number {
                let contrast = outcome.contrasts[effect.treatment]
                var weights = [SIMD8<Double>](repeating: .zero, count: p)
                for row in 0..<count {
                    for j in 0..<p {
                        var weight = 0.0
                        for i in 0..<p { weight += contrast[i] * solutions[row].inverse[i * p + j] }
                        weights[j][row] = weight.isFinite ? weight : 0
                    }
                }
                var sums = [Double](repeating: 0, count: count * featureCount)
                sums.withUnsafeMutableBufferPointer { sums in
                    guard let start = sums.baseAddress else { return }
                    outcome.shapley.add(
                        rows: rows, stride: stride, count: count, columns: p, values: outcome.residuals,
                        weights: weights, into: start)
                }
                func dot(_ theta: [Double]) -> Double { zip(contrast, theta).reduce(0) { $0 + $1.0 * $1.1 } }
                let treatment = effect.treatment
                for row in 0..<count {
                    var value = dot(solutions[row].theta)
                    if !value.isFinite { isKnown[row] = false }
                    var contributions = Array(sums[row * featureCount..<(row + 1) * featureCount])
                    let own = rows + row * stride
                    if let offset = outcome.offset {
                        value += offset.values(own)[treatment]
                        offset.addContributions(own, effect: treatment, to: &contributions)
                    }
                    answers[row][index] = Explanation(
                        base: dot(outcome.origin) + (outcome.offset?.constants[treatment] ?? 0), value: value,
                        contributions: contributions)
                }
            }
        }
        return answers.indices.map { isKnown[$0] ? answers[$0] : nil }
    }
}
