import Evaluation
import Foundation
import TestSupport
import Testing

@Suite("The ranking")
struct RankingTests {
    /// Shapes that are hard on a radix sort: outliers beside a crowd, few bits, ties, extremes of double.
    static let shapes: [(String, @Sendable (inout SeededGenerator) -> Double)] = [
        ("spread", { Double.random(in: -1...1, using: &$0) }),
        (
            "crowd with outliers",
            {
                Bool.random(using: &$0) && Bool.random(using: &$0)
                    ? Double.random(in: -1e300...1e300, using: &$0) : 1 + Double.random(in: 0...1e-12, using: &$0)
            }
        ),
        ("two values", { Bool.random(using: &$0) ? 0.1 : -0.0 }),
        ("float32", { Double(Float.random(in: 0...0.01, using: &$0)) }),
        (
            "any bits",
            { random in
                while true {
                    let value = Double(bitPattern: random.next())
                    if value.isFinite { return value }
                }
            }
        ),
        ("subnormal", { Double(bitPattern: random53(&$0)) }),
        (
            "neighbours",  // differ in their last bits alone, which a packed key may have no room for
            { random in
                let group = UInt64.random(in: 0..<5_000, using: &random) &* 0x9E37_79B9_7F4A_7C15
                return Double(bitPattern: group & 0xBFFF_FFFF_FFFF_FFF8 | UInt64.random(in: 0..<8, using: &random))
            }
        ),
        ("steps", { (Double.random(in: 0...1, using: &$0) * 300).rounded(.down) / 300 }),
    ]

    private static func random53(_ random: inout SeededGenerator) -> UInt64 { random.next() >> 12 }

    /// Curves, which need the order, equal those of a plain stable sort, for one thread and for two.
    @Test func equalsAPlainSort() throws {
        var random = SeededGenerator.announced()
        for (name, shape) in Self.shapes {
            for count in [2, 25, 1_000, 70_000, 150_000] {
                let score = (0..<count).map { _ in shape(&random) }
                var treatment = (0..<count).map { _ in UInt8.random(in: 0...1, using: &random) }
                let outcome = (0..<count).map { _ in Double(Int.random(in: 0...1, using: &random)) }
                treatment[0] = 1
                treatment[1] = 0
                let trial = try Trial(score: score, treatment: treatment, outcome: outcome)
                // Swift's sort is stable; reversing the rows first puts ties in reverse input order.
                let order = (0..<count).reversed().sorted { score[$0] > score[$1] }
                for threads in [1, 2, 5] {
                    let ranked = RankedTrial(trial, threads: threads)
                    // A Bool: the library would look long for the difference of long arrays.
                    let same = ranked.order == order
                    #expect(same, "\(name), \(count) rows, \(threads) threads")
                }
            }
        }
    }
}
