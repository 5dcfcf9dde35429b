/// Weighted ridge regression by the normal equations, with an intercept that is not penalised.
package struct RidgeRegression {
    private let width: Int
    /// Upper triangle of Σ w x x', row by row over width + 1 columns, the last of which is the constant 1.
    private var gram: [Double]
    private var moment: [Double]

    package init(width: Int) {
        self.width = width
        gram = [Double](repeating: 0, count: (width + 1) * (width + 1))
        moment = [Double](repeating: 0, count: width + 1)
    }

    package mutating func add(_ x: ArraySlice<Double>, _ y: Double, weight: Double) {
        let size = width + 1
        func value(_ column: Int) -> Double { column == width ? 1 : x[x.startIndex + column] }
        for row in 0..<size {
            let scaled = weight * value(row)
            moment[row] += scaled * y
            for column in row..<size { gram[row * size + column] += scaled * value(column) }
        }
    }

    /// Coefficients of the columns, then the intercept. The penalty is in units of each column's own variance, so that
    /// rescaling a column changes no prediction; a column that is constant, or depends on others, gets 0.
    package func coefficients(penalty: Double) -> [Double] {
        let size = width + 1
        let total = gram[size * size - 1]
        guard total > 0 else { return [Double](repeating: 0, count: size) }
        // Centred: covariances and the right-hand side, times the total weight.
        let mean = (0..<width).map { gram[$0 * size + width] / total }
        let meanY = moment[width] / total
        var matrix = [Double](repeating: 0, count: width * width)
        var right = [Double](repeating: 0, count: width)
        for row in 0..<width {
            right[row] = moment[row] - total * mean[row] * meanY
            for column in row..<width {
                matrix[row * width + column] = gram[row * size + column] - total * mean[row] * mean[column]
                matrix[column * width + row] = matrix[row * width + column]
            }
        }
        for row in 0..<width { matrix[row * width + row] *= 1 + penalty / total }
        let slopes = Self.solve(&matrix, &right, width)
        return slopes + [meanY - zip(slopes, mean).reduce(0) { $0 + $1.0 * $1.1 }]
    }

    /// Solves a symmetric positive semi-definite system by Cholesky's factors, leaving out dependent columns.
    private static func solve(_ a: inout [Double], _ b: inout [Double], _ size: Int) -> [Double] {
        let diagonal = (0..<size).map { a[$0 * size + $0] }
        var kept = [Bool](repeating: true, count: size)
        for column in 0..<size {
            var pivot = a[column * size + column]
            for k in 0..<column where kept[k] { pivot -= a[column * size + k] * a[column * size + k] }
            guard pivot > 1e-10 * diagonal[column], pivot > 0 else {
                kept[column] = false
                continue
            }
            let root = pivot.squareRoot()
            a[column * size + column] = root
            for row in column + 1..<max(size, column + 1) {
                var sum = a[row * size + column]
                for k in 0..<column where kept[k] { sum -= a[row * size + k] * a[column * size + k] }
                a[row * size + column] = sum / root
            }
        }
        for row in 0..<size where kept[row] {
            for k in 0..<row where kept[k] { b[row] -= a[row * size + k] * b[k] }
            b[row] /= a[row * size + row]
        }
        for row in (0..<size).reversed() where kept[row] {
            for k in row + 1..<max(size, row + 1) where kept[k] { b[row] -= a[k * size + row] * b[k] }
            b[row] /= a[row * size + row]
        }
        return (0..<size).map { kept[$0] ? b[$0] : 0 }
    }
}
