import Base
import Foundation
import Rows
import Scoring
import Statistics
import Trees

/// Linear DML.
extension LearnerFitter {
    /// θ(x) = a + b·x by least squares of the residuals, errors robust to heteroskedasticity (by cluster when there are some).
    func linear(_ rows: [UInt32]) -> FittedLearner {
        let bases = baseLevels()
        let design = Design(matrix, except: Set(bases.values))
        let (effects, width) = (residuals.effects, design.width + 1)
        let size = effects * width
        var (gram, moment) = ([Double](repeating: 0, count: size * size), [Double](repeating: 0, count: size))
        func fill(_ row: Int, _ x: inout [Double]) {
            for effect in 0..<effects {
                let treatment = Double(residuals.treatment(effect, row))
                for column in 0..<design.width {
                    x[effect * width + column] = treatment * design.value(column, row)
                }
                x[effect * width + design.width] = treatment
            }
        }
        var x = [Double](repeating: 0, count: size)
        for row in rows.map({ Int($0) }) {
            fill(row, &x)
            let weight = Double(data.weight(row))
            for i in 0..<size {
                let scaled = weight * x[i]
                moment[i] += scaled * Double(residuals.outcome(row))
                for j in i..<size { gram[i * size + j] += scaled * x[j] }
            }
        }
        for i in 0..<size { for j in 0..<i { gram[i * size + j] = gram[j * size + i] } }
        // Columns that depend on others get a tiny ridge.
        let factor =
            Cholesky(gram, size: size)
            ?? {
                var ridged = gram
                for i in 0..<size { ridged[i * size + i] += 1e-6 * gram[i * size + i] + 1e-9 }
                return Cholesky(ridged, size: size, tolerance: 0)
            }()
        let solution = factor?.solve(moment) ?? moment.map { _ in 0 }
        var meat = [Double](repeating: 0, count: size * size)
        var parts: [UInt32: [Double]] = [:]
        for row in rows.map({ Int($0) }) {
            fill(row, &x)
            var error = Double(residuals.outcome(row))
            for i in 0..<size { error -= x[i] * solution[i] }
            error *= Double(data.weight(row))
            if let clusters = data.clusters {
                var part = parts[clusters[row]] ?? [Double](repeating: 0, count: size)
                for i in 0..<size { part[i] += x[i] * error }
                parts[clusters[row]] = part
            } else {
                for i in 0..<size { for j in i..<size { meat[i * size + j] += x[i] * x[j] * error * error } }
            }
        }
        for part in parts.sorted(by: { $0.key < $1.key }).map(\.value) {
            for i in 0..<size { for j in i..<size { meat[i * size + j] += part[i] * part[j] } }
        }
        for i in 0..<size { for j in 0..<i { meat[i * size + j] = meat[j * size + i] } }
        let inverse = factor?.inverse() ?? meat
        let covariance = Self.product(inverse, Self.product(meat, inverse, size), size)
        var means = [Double](repeating: 0, count: width)
        var total = 0.0
        for row in rows.map({ Int($0) }) {
            let weight = Double(data.weight(row))
            for column in 0..<design.width { means[column] += weight * design.value(column, row) }
            total += weight
        }
        for column in 0..<design.width { means[column] /= max(total, .leastNormalMagnitude) }
        means[design.width] = 1
        // The file's linear part reads whole rows: centres and scales one a feature.
        var (centres, scales) = (
            [Double](repeating: 0, count: data.features.count), [Double](repeating: 1, count: data.features.count)
        )
        for source in design.sources {
            centres[source.feature] = source.mean
            scales[source.feature] = 1 / source.deviation
        }
        var (linearParts, coefficients): ([Composition.Part], [[LinearCoefficient]]) = ([], [])
        for (effect, name) in data.plan.effects.enumerated() {
            let start = effect * width
            func error(_ index: Int) -> Double {
                max(0, covariance[(start + index) * size + start + index]).squareRoot()
            }
            var own = [Double](repeating: 0, count: width * width)
            for i in 0..<width {
                for j in 0..<width { own[i * width + j] = covariance[(start + i) * size + start + j] }
            }
            linearParts.append(
                .linear(
                    Composition.Linear(
                        name: "effect of \(name)", intercept: solution[start + design.width],
                        terms: design.sources.enumerated().map { index, source in
                            Composition.Linear.Term(
                                solution[start + index], [source.feature], standardError: error(index))
                        }, centres: centres, scales: scales, missingIsCentre: true, covariance: own,
                        interceptError: error(design.width))))
            // Of people as they are weighted: the constant alone is the effect at the plain means.
            let average = (0..<width).reduce(0) { $0 + means[$1] * solution[start + $1] }
            var variance = 0.0
            for i in 0..<width { for j in 0..<width { variance += means[i] * means[j] * own[i * width + j] } }
            coefficients.append(
                design.sources.enumerated().map { index, source in
                    LinearCoefficient(
                        name: data.featureNames[source.feature],
                        base: bases[source.feature].map { data.featureNames[$0] },
                        estimate: solution[start + index] / source.deviation,
                        standardError: error(index) / source.deviation, deviation: source.deviation)
                } + [
                    LinearCoefficient(
                        name: "average", base: nil, estimate: average, standardError: max(0, variance).squareRoot(),
                        deviation: nil)
                ])
        }
        let composition = Composition(
            kind: EffectLearner.linear.rawValue, parts: linearParts, effects: linearParts.indices.map { .part($0) })
        return FittedLearner(learner: .linear, ensembles: [], composition: composition, coefficients: coefficients) {
            rows in
            (0..<effects).map { effect -> [Float] in
                rows.map { row -> Float in
                    var value = solution[effect * width + design.width]
                    for column in 0..<design.width {
                        value += solution[effect * width + column] * design.value(column, Int(row))
                    }
                    return Float(value)
                }
            }
        }
    }

    /// For each feature of 0 and 1 that is one text of a column, the feature of the column's most frequent text: all texts together add
    /// up to the constant, so one is left out and the others are differences from it.
    private func baseLevels() -> [Int: Int] {
        var groups: [String: [Int]] = [:]
        for (index, feature) in data.plan.features.enumerated() {
            guard case .equals = feature.field.reading else { continue }
            groups[feature.field.column, default: []].append(index)
        }
        var bases: [Int: Int] = [:]
        for group in groups.values where group.count > 1 {
            let isWhole = (0..<data.count).allSatisfy { row in
                let sum = group.reduce(Float(0)) { $0 + data.features[$1][row] }
                return sum == 1 || sum.isNaN
            }
            let base = group.max { (data.ranges[$0].mean, $1) < (data.ranges[$1].mean, $0) }
            guard isWhole, let base else { continue }
            for feature in group { bases[feature] = base }
        }
        return bases
    }

    private static func product(_ a: [Double], _ b: [Double], _ size: Int) -> [Double] {
        var out = [Double](repeating: 0, count: size * size)
        for i in 0..<size {
            for k in 0..<size {
                let value = a[i * size + k]
                if value == 0 { continue }
                for j in 0..<size { out[i * size + j] += value * b[k * size + j] }
            }
        }
        return out
    }
}
