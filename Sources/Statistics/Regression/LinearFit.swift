/// A fitted linear model: prediction = intercept + Σ coefficient × column (through a link, for the logistic model).
package struct LinearFit: Sendable, Equatable {
    package var intercept: Double
    package var coefficients: [Double]
    /// Standard errors of the intercept and the coefficients: square roots of the diagonal of the coefficients' covariance
    /// under the fitted model. With a penalty they are of the penalised estimate, whose bias they do not show.
    package var interceptError: Double
    package var standardErrors: [Double]
    /// Newton steps taken (1 for least squares), and whether they came to rest.
    package var steps: Int
    package var converged: Bool

    package func margin(_ row: [Double]) -> Double {
        zip(coefficients, row).reduce(intercept) { $0 + $1.0 * $1.1 }
    }

    /// The margins of whole columns.
    package func margins(_ columns: [[Double]], rows: Int) -> [Double] {
        var out = [Double](repeating: intercept, count: rows)
        for (coefficient, column) in zip(coefficients, columns) where coefficient != 0 {
            for row in 0..<rows { out[row] += coefficient * column[row] }
        }
        return out
    }

    /// (H + penalty)⁻¹ from a Gram matrix with the constant last; a column that depends on others gets a tiny ridge.
    static func factor(_ gram: [Double], size: Int, l2: Double) -> Cholesky? {
        var matrix = gram
        for index in 0..<size - 1 { matrix[index * size + index] += l2 }
        if let factor = Cholesky(matrix, size: size) { return factor }
        let largest = (0..<size).reduce(0) { max($0, matrix[$1 * size + $1]) }
        for index in 0..<size { matrix[index * size + index] += largest * 1e-10 + .leastNormalMagnitude }
        return Cholesky(matrix, size: size, tolerance: 0)
    }

    /// Square roots of the diagonal of F⁻¹ G F⁻¹ times `scale`: the covariance of a penalised estimate.
    static func errors(_ factor: Cholesky, _ gram: [Double], scale: Double) -> [Double] {
        let size = factor.size
        let inverse = factor.inverse()
        return (0..<size).map { index in
            let row = Array(inverse[index * size..<(index + 1) * size])
            var variance = 0.0
            for i in 0..<size {
                var sum = 0.0
                for j in 0..<size { sum += gram[i * size + j] * row[j] }
                variance += row[i] * sum
            }
            return (max(0, variance) * scale).squareRoot()
        }
    }
}

/// Ridge regression: minimises Σ w (y − a − x·b)² + l2 Σ b², the intercept free (scikit-learn's `Ridge(alpha: l2)`).
package enum Ridge {
    package static func fit(
        _ columns: [[Double]], target: [Double], weights: [Double]? = nil, l2: Double, threads: Int = 1
    ) -> LinearFit {
        let weights = weights ?? [Double](repeating: 1, count: target.count)
        let (size, rows) = (columns.count + 1, target.count)
        // Centred columns: the intercept falls out, and digits are not lost on means.
        let total = weights.reduce(0, +)
        func mean(_ values: [Double]) -> Double {
            guard total > 0 else { return 0 }
            var sum = 0.0
            for row in 0..<rows { sum += weights[row] * values[row] }
            return sum / total
        }
        let means = columns.map(mean)
        let meanY = mean(target)
        let centred = zip(columns, means).map { column, mean in column.map { $0 - mean } }
        let residual = target.map { $0 - meanY }
        let gram = WeightedGram.compute(centred, weights: weights, threads: threads)
        guard total > 0, let factor = LinearFit.factor(gram, size: size, l2: l2) else {
            return LinearFit(
                intercept: meanY, coefficients: .init(repeating: 0, count: size - 1), interceptError: .nan,
                standardErrors: .init(repeating: .nan, count: size - 1), steps: 1, converged: false)
        }
        var right = [Double](repeating: 0, count: size)
        for (index, column) in centred.enumerated() {
            for row in 0..<rows { right[index] += weights[row] * column[row] * residual[row] }
        }
        for row in 0..<rows { right[size - 1] += weights[row] * residual[row] }
        let solution = factor.solve(right)
        let slopes = Array(solution[..<(size - 1)])
        var fit = LinearFit(
            intercept: meanY + solution[size - 1] - zip(slopes, means).reduce(0) { $0 + $1.0 * $1.1 },
            coefficients: slopes, interceptError: 0, standardErrors: [], steps: 1, converged: true)
        let fitted = fit.margins(columns, rows: rows)
        var squares = 0.0
        for row in 0..<rows { squares += weights[row] * (target[row] - fitted[row]) * (target[row] - fitted[row]) }
        let scale = squares / max(1, total - Double(size))
        // Errors of the slopes by the centred Gram matrix; of the intercept at the origin by the plain one.
        fit.standardErrors = Array(LinearFit.errors(factor, gram, scale: scale)[..<(size - 1)])
        let plain = WeightedGram.compute(columns, weights: weights, threads: threads)
        fit.interceptError =
            LinearFit.factor(plain, size: size, l2: l2).map { LinearFit.errors($0, plain, scale: scale)[size - 1] }
            ?? .nan
        return fit
    }
}
