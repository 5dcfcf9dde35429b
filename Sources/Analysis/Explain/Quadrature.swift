import Foundation

/// Gauss-Legendre points and weights on [0, 1]: exact for polynomials of degree up to 2 n - 1.
struct Quadrature: Sendable {
    let points: [Double]
    let weights: [Double]

    /// - Parameter count: n, at least 1.
    static func legendre(_ count: Int) -> Quadrature {
        let n = max(1, count)
        var points = [Double](repeating: 0, count: n)
        var weights = points
        for i in 0..<n {
            // Newton's method from Tricomi's guess.
            var x = cos(Double.pi * (Double(i) + 0.75) / (Double(n) + 0.5))
            var slope = 1.0
            for _ in 0..<100 {
                var (p, before) = (1.0, 0.0)
                for k in 1...n {
                    let next = (Double(2 * k - 1) * x * p - Double(k - 1) * before) / Double(k)
                    (before, p) = (p, next)
                }
                slope = Double(n) * (x * p - before) / (x * x - 1)
                let step = p / slope
                x -= step
                if abs(step) < 1e-16 { break }
            }
            points[i] = (1 - x) / 2
            weights[i] = 1 / ((1 - x * x) * slope * slope)
        }
        return Quadrature(points: points, weights: weights)
    }
}
