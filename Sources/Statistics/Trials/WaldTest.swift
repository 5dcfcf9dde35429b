/// Whether several sums are 0 together: U' V⁻ U, U the sums over rows and V the sum over clusters of u u'.
package struct WaldTest: Sendable, Equatable {
    package let chiSquared: Double
    /// The rank of V: columns that depend on others, or are constant, add nothing.
    package let degreesOfFreedom: Int
    package let pValue: Double

    /// - Parameters:
    ///   - columns: each one number per row, of mean 0 under the hypothesis.
    ///   - clusters: rows that are not independent.
    package init(columns: [[Double]], clusters: Clusters? = nil) {
        let units = columns.map { clusters?.sums($0) ?? $0 }
        let width = units.count
        let sums = units.map { $0.reduce(0, +) }
        // Scaled to a diagonal of ones, so that rank does not depend on units of measurement.
        let scale = units.map { $0.reduce(0) { $0 + $1 * $1 }.squareRoot() }
        var matrix = [Double](repeating: 0, count: width * width)
        for a in 0..<width where scale[a] > 0 {
            for b in 0...a where scale[b] > 0 {
                var sum = 0.0
                for unit in units[a].indices { sum += units[a][unit] * units[b][unit] }
                matrix[a * width + b] = sum / (scale[a] * scale[b])
                matrix[b * width + a] = matrix[a * width + b]
            }
        }
        let (values, vectors) = SymmetricEigen.decompose(matrix, size: width)
        let largest = values.max() ?? 0
        var statistic = 0.0
        var rank = 0
        for k in 0..<width where values[k] > 1e-9 * largest && values[k] > 0 {
            var projection = 0.0
            for a in 0..<width where scale[a] > 0 { projection += vectors[a * width + k] * sums[a] / scale[a] }
            statistic += projection * projection / values[k]
            rank += 1
        }
        chiSquared = statistic
        degreesOfFreedom = rank
        pValue = ChiSquared.upperTail(statistic, degrees: rank)
    }
}

/// Eigenvalues and eigenvectors of a small symmetric matrix, by Jacobi's rotations.
package enum SymmetricEigen {
    /// - Parameter matrix: `size` × `size`, row major.
    /// - Returns: eigenvalues, and the matrix whose columns are their vectors.
    package static func decompose(_ matrix: [Double], size: Int) -> (values: [Double], vectors: [Double]) {
        var a = matrix
        var v = [Double](repeating: 0, count: size * size)
        for i in 0..<size { v[i * size + i] = 1 }
        for _ in 0..<60 {
            var off = 0.0
            for i in 0..<size { for j in 0..<i { off += a[i * size + j] * a[i * size + j] } }
            guard off > 1e-28 else { break }
            for p in 0..<size {
                for q in (p + 1)..<max(size, p + 1) where abs(a[p * size + q]) > 1e-300 {
                    let theta = (a[q * size + q] - a[p * size + p]) / (2 * a[p * size + q])
                    let t = (theta >= 0 ? 1.0 : -1.0) / (abs(theta) + (theta * theta + 1).squareRoot())
                    let c = 1 / (t * t + 1).squareRoot()
                    let s = t * c
                    for k in 0..<size {
                        let (x, y) = (a[k * size + p], a[k * size + q])
                        a[k * size + p] = c * x - s * y
                        a[k * size + q] = s * x + c * y
                    }
                    for k in 0..<size {
                        let (x, y) = (a[p * size + k], a[q * size + k])
                        a[p * size + k] = c * x - s * y
                        a[q * size + k] = s * x + c * y
                    }
                    for k in 0..<size {
                        let (x, y) = (v[k * size + p], v[k * size + q])
                        v[k * size + p] = c * x - s * y
                        v[k * size + q] = s * x + c * y
                    }
                }
            }
        }
        return ((0..<size).map { a[$0 * size + $0] }, v)
    }
}
