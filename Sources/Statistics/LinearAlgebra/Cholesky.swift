/// The Cholesky factor L of a symmetric positive definite matrix A = L Lᵀ.
///
/// Own code rather than LAPACK's: the sizes are those of a regression's features (tens to hundreds), where a factor takes
/// microseconds, and OpenBLAS picks its kernels by processor, so that coefficients would differ in their last bits from
/// one machine to the next.
package struct Cholesky: Sendable {
    package let size: Int
    /// Row major; what is above the diagonal is not read.
    private var factor: [Double]

    /// nil when a pivot is not above `tolerance` times its diagonal element: the matrix is singular or not finite.
    package init?(_ matrix: [Double], size: Int, tolerance: Double = 1e-13) {
        precondition(matrix.count == size * size, "a square matrix, row major")
        self.size = size
        factor = matrix
        for row in 0..<size {
            for column in 0...row {
                var sum = factor[row * size + column]
                for k in 0..<column { sum -= factor[row * size + k] * factor[column * size + k] }
                if row == column {
                    guard sum > tolerance * abs(matrix[row * size + row]), sum.isFinite else { return nil }
                    factor[row * size + row] = sum.squareRoot()
                } else {
                    factor[row * size + column] = sum / factor[column * size + column]
                }
            }
        }
    }

    /// x with A x = b.
    package func solve(_ b: [Double]) -> [Double] {
        var x = b
        for row in 0..<size {
            for k in 0..<row { x[row] -= factor[row * size + k] * x[k] }
            x[row] /= factor[row * size + row]
        }
        for row in (0..<size).reversed() {
            for k in row + 1..<max(size, row + 1) { x[row] -= factor[k * size + row] * x[k] }
            x[row] /= factor[row * size + row]
        }
        return x
    }

    /// A⁻¹, row major.
    package func inverse() -> [Double] {
        var inverse = [Double](repeating: 0, count: size * size)
        for column in 0..<size {
            var unit = [Double](repeating: 0, count: size)
            unit[column] = 1
            let x = solve(unit)
            for row in 0..<size { inverse[row * size + column] = x[row] }
        }
        return inverse
    }
}
