import Foundation

/// Logistic regression with an L2 penalty: minimises Σ w log(1 + e^−s m) + l2/2 Σ b², the intercept free. scikit-learn's
/// `LogisticRegression(C: 1 / l2)` has the same minimum; Newton's method reaches it to machine precision.
package enum LogisticRegression {
    private static let mostSteps = 100

    /// - Parameters:
    ///   - target: in 0 … 1.
    ///   - weights: one a row; nil: all 1.
    ///   - l2: not negative. With 0 and classes that a plane separates there is no minimum; `converged` is then false.
    package static func fit(
        _ columns: [[Double]], target: [Double], weights: [Double]? = nil, l2: Double, threads: Int = 1
    ) -> LinearFit {
        let weights = weights ?? [Double](repeating: 1, count: target.count)
        let (width, rows) = (columns.count, target.count)
        let size = width + 1
        var beta = [Double](repeating: 0, count: size)
        beta[width] = start(target, weights)
        var loss = objective(columns, target, weights, beta, l2)
        var (converged, steps) = (false, 0)
        var gram: [Double] = []
        var factor: Cholesky?
        while steps < mostSteps {
            let margins = margins(columns, beta, rows)
            var residual = [Double](repeating: 0, count: rows)
            var curvature = residual
            for row in 0..<rows {
                let p = Logistic.sigmoid(margins[row])
                residual[row] = weights[row] * (target[row] - p)
                curvature[row] = weights[row] * p * (1 - p)
            }
            gram = WeightedGram.compute(columns, weights: curvature, threads: threads)
            factor = LinearFit.factor(gram, size: size, l2: l2)
            guard let factor else { break }
            var gradient = [Double](repeating: 0, count: size)
            residual.withUnsafeBufferPointer { residual in
                for column in 0..<width {
                    gradient[column] =
                        columns[column].withUnsafeBufferPointer { WeightedGram.dot(residual, $0) } - l2 * beta[column]
                }
                gradient[width] = residual.reduce(0, +)
            }
            let step = factor.solve(gradient)
            steps += 1
            let decrement = zip(step, gradient).reduce(0) { $0 + $1.0 * $1.1 }
            // The last step is taken whole: it gains less than the objective's rounding could tell.
            if decrement < 1e-12 * max(1, abs(loss)) {
                for index in beta.indices { beta[index] += step[index] }
                converged = true
                break
            }
            // Half the step until the objective does not rise: Newton's method then always ends.
            var (scale, improved) = (1.0, false)
            for _ in 0..<30 {
                let next = zip(beta, step).map { $0 + scale * $1 }
                let lossThere = objective(columns, target, weights, next, l2)
                if lossThere <= loss + abs(loss) * 1e-15 {
                    (beta, loss, improved) = (next, lossThere, true)
                    break
                }
                scale /= 2
            }
            guard improved else { break }
        }
        let errors =
            factor.map { LinearFit.errors($0, gram, scale: 1) } ?? [Double](repeating: .nan, count: size)
        return LinearFit(
            intercept: beta[width], coefficients: Array(beta[..<width]), interceptError: errors[width],
            standardErrors: Array(errors[..<width]), steps: steps, converged: converged)
    }

    /// The intercept of the model without columns.
    private static func start(_ target: [Double], _ weights: [Double]) -> Double {
        let total = weights.reduce(0, +)
        guard total > 0 else { return 0 }
        let share = min(max(zip(target, weights).reduce(0) { $0 + $1.0 * $1.1 } / total, 1e-6), 1 - 1e-6)
        return log(share / (1 - share))
    }

    private static func margins(_ columns: [[Double]], _ beta: [Double], _ rows: Int) -> [Double] {
        var out = [Double](repeating: beta[columns.count], count: rows)
        for (index, column) in columns.enumerated() where beta[index] != 0 {
            let factor = beta[index]
            for row in 0..<rows { out[row] += factor * column[row] }
        }
        return out
    }

    private static func objective(
        _ columns: [[Double]], _ target: [Double], _ weights: [Double], _ beta: [Double], _ l2: Double
    ) -> Double {
        let margins = margins(columns, beta, target.count)
        var sum = 0.0
        for row in 0..<target.count {
            let m = margins[row]
            sum += weights[row] * ((m > 0 ? m : 0) + log1p(exp(-abs(m))) - target[row] * m)
        }
        return sum + l2 / 2 * beta.dropLast().reduce(0) { $0 + $1 * $1 }
    }
}
