import Base
import Foundation
import Scoring
import Statistics
import TestSupport
import Testing

@Suite("Numerics of estimates")
struct NumericsTests {
    /// p and scipy 1.17 `norm.ppf(p)`.
    private static let quantiles: [(Double, Double)] = [
        (1e-300, -37.0470962993612),
        (1e-100, -21.273453560965322),
        (1e-20, -9.262340089798409),
        (1e-10, -6.361340902404056),
        (1e-05, -4.264890793922825),
        (0.001, -3.090232306167813),
        (0.005, -2.575829303548901),
        (0.025, -1.9599639845400545),
        (0.05, -1.6448536269514729),
        (0.1, -1.2815515655446004),
        (0.25, -0.6744897501960817),
        (0.4, -0.2533471031357997),
        (0.4999, -0.0002506628300880075),
        (0.5, 0.0),
    ]

    @Test("Normal quantiles equal scipy's to rounding, are odd, and invert the distribution")
    func quantiles() {
        for (p, expected) in Self.quantiles {
            let x = NormalDistribution.quantile(p)
            #expect(abs(x - expected) <= 1e-15 * max(1, abs(expected)), "\(p): \(x) is not \(expected)")
            if p > 1e-5 { #expect(abs(NormalDistribution.quantile(1 - p) + x) <= 1e-9 * max(1, abs(x))) }
        }
        var generator = SeededGenerator.announced()
        for _ in 0..<1000 {
            let p = Double.random(in: 0...0.5, using: &generator)
            let x = NormalDistribution.quantile(p)
            let back = NormalDistribution.cumulative(x)
            // In the tail a relative error e of x is one of about x²·e of p: x·φ(x)/Φ(x) → x².
            #expect(abs(back - p) <= 1e-15 * (4 + x * x) * p, "\(p)")
        }
        #expect(NormalDistribution.quantile(0) == -.infinity)
        #expect(NormalDistribution.quantile(1) == .infinity)
        #expect(NormalDistribution.quantile(-0.1).isNaN)
        #expect(NormalDistribution.quantile(.nan).isNaN)
    }

    @Test("A confidence level is inside 0 … 1, and its interval is centred on the effect")
    func levels() throws {
        let estimate = Estimate(effect: 0.2, standardError: 0.05)
        for level in [0.5, 0.9, 0.95, 0.99, 0.999] {
            let (lower, upper) = try ConfidenceLevel(level).interval(estimate)
            let covered =
                NormalDistribution.cumulative((upper - 0.2) / 0.05)
                - NormalDistribution.cumulative((lower - 0.2) / 0.05)
            #expect(abs(covered - level) < 1e-14)
            #expect(abs((lower + upper) / 2 - 0.2) < 1e-16)
        }
        #expect(try ConfidenceLevel(0.95) == .usual)
        for level in [0, 1, -1, 2, Double.nan] {
            #expect(throws: ImpactError.self) { try ConfidenceLevel(level) }
        }
    }

    @Test("A decision treats above the threshold, suppresses below it, and is uncertain otherwise")
    func decisions() {
        #expect(Decision(lower: 0.1, upper: 0.3, threshold: 0) == .treat)
        #expect(Decision(lower: -0.3, upper: -0.1, threshold: 0) == .suppress)
        #expect(Decision(lower: -0.1, upper: 0.1, threshold: 0) == .uncertain)
        #expect(Decision(lower: 0, upper: 0.1, threshold: 0) == .uncertain)
        #expect(Decision(lower: .nan, upper: .nan, threshold: 0) == .uncertain)
    }

    /// A⁺ of `a`, n × n.
    private func inverse(_ a: [Double], _ n: Int) -> [Double] {
        let matrix = SmallMatrix(size: n)
        defer { matrix.deallocate() }
        var result = [Double](repeating: .nan, count: n * n)
        matrix.invert(a, into: &result)
        return result
    }

    private func product(_ a: [Double], _ b: [Double], _ n: Int) -> [Double] {
        (0..<n * n).map { index in (0..<n).reduce(0) { $0 + a[index / n * n + $1] * b[$1 * n + index % n] } }
    }

    @Test("Inverses of random and of rank-deficient matrices satisfy the Moore–Penrose equations", arguments: 1...8)
    func pseudoInverses(_ n: Int) {
        var generator = SeededGenerator.announced()
        for round in 0..<200 {
            // Rank n, or less: a product of thin factors.
            let rank = round % 2 == 0 ? n : Int.random(in: 0...n, using: &generator)
            let scale = exp(Double.random(in: -20...20, using: &generator))
            func factor() -> [Double] {
                (0..<n * n).map { $0 % n < rank ? Double.random(in: -1...1, using: &generator) : 0 }
            }
            let (left, right) = (factor(), factor())
            let a = (0..<n * n).map { index in
                scale * (0..<rank).reduce(0.0) { $0 + left[index / n * n + $1] * right[index % n * n + $1] }
            }
            let plus = inverse(a, n)
            let (first, second) = (product(product(a, plus, n), a, n), product(product(plus, a, n), plus, n))
            let size = a.map(abs).max() ?? 0
            let plusSize = plus.map(abs).max() ?? 0
            // Errors grow with the condition number, which the two sizes tell.
            let tolerance = 1e-14 * Double(n * n) * max(1, size * plusSize)
            for index in 0..<n * n {
                #expect(abs(first[index] - a[index]) <= tolerance * size, "A A⁺ A, rank \(rank) of \(n)")
                #expect(abs(second[index] - plus[index]) <= tolerance * plusSize, "A⁺ A A⁺, rank \(rank) of \(n)")
            }
        }
    }

    @Test("Singular values below 1e-15 of the largest count as zero, and others not")
    func cutOff() {
        #expect(inverse([1, 0, 0, 1e-16], 2)[3] == 0)
        #expect(abs(inverse([1, 0, 0, 1e-14], 2)[3] - 1e14) < 1)
        #expect(inverse([0, 0, 0, 0], 2) == [0, 0, 0, 0])
        #expect(inverse([0], 1) == [0])
        #expect(!inverse([2, 0, 0, .nan], 2).contains { !$0.isNaN })
    }
}
