import Base

/// Σ w x xᵀ over rows, with a constant 1 as the last column; sums in a fixed order whatever the number of threads.
package enum WeightedGram {
    private static let block = 1024

    /// - Parameters:
    ///   - columns: of equal length.
    ///   - weights: one a row.
    /// - Returns: (columns + 1)², row major, both triangles.
    package static func compute(_ columns: [[Double]], weights: [Double], threads: Int = 1) -> [Double] {
        let (width, rows) = (columns.count, weights.count)
        let size = width + 1
        // Each row of the matrix is one task with its own place.
        var gram = [Double](repeating: 0, count: size * size)
        gram.withUnsafeMutableBufferPointer { gram in
            nonisolated(unsafe) let gram = gram
            Parallel.forEach(size, threads: rows * size > 50_000 ? threads : 1) { row in
                var scaled = weights
                if row < width {
                    columns[row].withUnsafeBufferPointer { column in
                        for index in 0..<rows { scaled[index] *= column[index] }
                    }
                }
                scaled.withUnsafeBufferPointer { scaled in
                    for column in row..<size {
                        gram[row * size + column] =
                            column < width ? columns[column].withUnsafeBufferPointer { dot(scaled, $0) } : sum(scaled)
                    }
                }
            }
            for row in 0..<size { for column in 0..<row { gram[row * size + column] = gram[column * size + row] } }
        }
        return gram
    }

    /// Σ a b in eight running sums.
    package static func dot(_ a: UnsafeBufferPointer<Double>, _ b: UnsafeBufferPointer<Double>) -> Double {
        var lanes = SIMD8<Double>()
        let whole = a.count / 8 * 8
        for start in stride(from: 0, to: whole, by: 8) {
            var (x, y) = (SIMD8<Double>(), SIMD8<Double>())
            for lane in 0..<8 { (x[lane], y[lane]) = (a[start + lane], b[start + lane]) }
            lanes += x * y
        }
        for index in whole..<max(whole, a.count) { lanes[index - whole] += a[index] * b[index] }
        return lanes.sum()
    }

    private static func sum(_ a: UnsafeBufferPointer<Double>) -> Double {
        var lanes = SIMD8<Double>()
        let whole = a.count / 8 * 8
        for start in stride(from: 0, to: whole, by: 8) { for lane in 0..<8 { lanes[lane] += a[start + lane] } }
        for index in whole..<max(whole, a.count) { lanes[index - whole] += a[index] }
        return lanes.sum()
    }
}
