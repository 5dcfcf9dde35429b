import Foundation
import Rows
import Statistics

/// The best linear predictor test of calibration and heterogeneity (Chernozhukov, Demirer, Duflo and Fernández-Val 2018):
/// Ỹ = Σ_k [α_k T̃_k θ̄_k + β_k T̃_k (θ_k(x) − θ̄_k)] + noise. α near 1: the average effect is right; β clearly above 0: the forest
/// has found differences that are there, near 1: of the right size.
///
/// All effects stand in one regression. Each by itself, with the others' estimates subtracted, would be wrong: arms share a
/// control, so the errors of two effects go together, and that alone would look like heterogeneity.
package struct Calibration: Sendable, Equatable {
    package var mean: Double
    package var meanError: Double
    package var heterogeneity: Double
    package var heterogeneityError: Double
    /// One-sided, of no heterogeneity.
    package var pValue: Double

    /// - Parameters:
    ///   - effects: of each row by models that have not seen it, by effect.
    ///   - folds: of effects held out, whose means are by fold (``HeldOutEffects``).
    /// - Returns: one an effect; NaN and p 1 for effects that are the same for everybody, or 0.
    static func all(_ residuals: Residuals, effects: [[Float]], folds: Folds? = nil) -> [Calibration] {
        let data = residuals.data
        let (count, q) = (data.count, effects.count)
        let models = folds?.count ?? 1
        func model(_ row: Int) -> Int { folds.map { Int($0.fold[row]) } ?? 0 }
        func weight(_ row: Int) -> Double {
            folds.map { HeldOutEffects.isJudged(fold: $0.fold[row]) } ?? true ? Double(data.weight(row)) : 0
        }
        var averages = [[Double]](repeating: [Double](repeating: 0, count: models), count: q)
        var totals = [Double](repeating: 0, count: models)
        for row in 0..<count { totals[model(row)] += weight(row) }
        for effect in 0..<q {
            for row in 0..<count {
                averages[effect][model(row)] += weight(row) * Double(effects[effect][row])
            }
            for index in 0..<models { averages[effect][index] /= max(totals[index], .leastNormalMagnitude) }
        }
        // Two columns an effect: its average, and the rest.
        let size = 2 * q
        func fill(_ x: inout [Double], _ row: Int) {
            for effect in 0..<q {
                let (t, average) = (Double(residuals.treatment(effect, row)), averages[effect][model(row)])
                x[2 * effect] = t * average
                x[2 * effect + 1] = t * (Double(effects[effect][row]) - average)
            }
        }
        var (x, gram, moment) = (
            [Double](repeating: 0, count: size), [Double](repeating: 0, count: size * size),
            [Double](repeating: 0, count: size)
        )
        for row in 0..<count {
            fill(&x, row)
            let (w, y) = (weight(row), Double(residuals.outcome(row)))
            for i in 0..<size {
                moment[i] += w * x[i] * y
                for j in 0...i { gram[i * size + j] += w * x[i] * x[j] }
            }
        }
        // Columns of nothing are left out.
        let used = (0..<size).filter { gram[$0 * size + $0] > 0 }
        let small = used.count
        var compact = [Double](repeating: 0, count: small * small)
        for (a, i) in used.enumerated() {
            for (b, j) in used.enumerated() { compact[a * small + b] = gram[max(i, j) * size + min(i, j)] }
        }
        let unknown = Calibration(
            mean: .nan, meanError: .nan, heterogeneity: .nan, heterogeneityError: .nan, pValue: 1)
        guard small > 0, let factor = Cholesky(compact, size: small) else { return .init(repeating: unknown, count: q) }
        let fit = factor.solve(used.map { moment[$0] })
        let errors = errors(residuals, fit, used, factor.inverse(), weight) { fill(&$0, $1) }
        return (0..<q).map { effect in
            var found = unknown
            if let place = used.firstIndex(of: 2 * effect) {
                (found.mean, found.meanError) = (fit[place], errors[place])
            }
            if let place = used.firstIndex(of: 2 * effect + 1) {
                (found.heterogeneity, found.heterogeneityError) = (fit[place], errors[place])
                found.pValue = 0.5 * erfc(fit[place] / errors[place] / 2.0.squareRoot())
            }
            return found
        }
    }

    /// Heteroskedasticity-robust standard errors, by cluster when there are some.
    private static func errors(
        _ residuals: Residuals, _ fit: [Double], _ used: [Int], _ inverse: [Double], _ weight: (Int) -> Double,
        _ fill: (inout [Double], Int) -> Void
    ) -> [Double] {
        let (data, size) = (residuals.data, used.count)
        var x = [Double](repeating: 0, count: 2 * data.effects)
        var meat = [Double](repeating: 0, count: size * size)
        var parts = [Double](repeating: 0, count: data.clusters == nil ? 0 : data.clusterCount * size)
        var score = [Double](repeating: 0, count: size)
        func add(_ score: UnsafeBufferPointer<Double>) {
            for i in 0..<size { for j in 0..<size { meat[i * size + j] += score[i] * score[j] } }
        }
        for row in 0..<data.count {
            fill(&x, row)
            var residual = Double(residuals.outcome(row))
            for (place, column) in used.enumerated() { residual -= fit[place] * x[column] }
            let weighted = weight(row) * residual
            for (place, column) in used.enumerated() { score[place] = weighted * x[column] }
            if let clusters = data.clusters {
                for place in 0..<size { parts[Int(clusters[row]) * size + place] += score[place] }
            } else {
                score.withUnsafeBufferPointer(add)
            }
        }
        parts.withUnsafeBufferPointer { parts in
            for start in stride(from: 0, to: parts.count, by: max(1, size)) {
                add(UnsafeBufferPointer(rebasing: parts[start..<start + size]))
            }
        }
        return (0..<size).map { row in
            var variance = 0.0
            for i in 0..<size {
                for j in 0..<size { variance += inverse[row * size + i] * meat[i * size + j] * inverse[j * size + row] }
            }
            return variance.squareRoot()
        }
    }
}
