import Evaluation
import Foundation
import TestSupport
import Testing

/// A made-up randomised trial; score and effect are related, ties as many as asked for.
struct RandomTrial {
    var score: [Double] = []
    var treatment: [UInt8] = []
    var outcome: [Double] = []

    /// - Parameters:
    ///   - levels: how many different scores; nil makes (almost surely) every score different.
    ///   - binary: outcomes of 0 and 1, else amounts.
    init(
        _ count: Int, levels: Int? = nil, binary: Bool = true, share: Double = 0.5, useful: Bool = true,
        _ random: inout SeededGenerator
    ) {
        for _ in 0..<count {
            let raw = Double.random(in: -0.1...0.3, using: &random)
            let value = levels.map { (raw * Double($0)).rounded() / Double($0) } ?? raw
            let treated = Double.random(in: 0..<1, using: &random) < share
            let rate = 0.2 + (treated && useful ? max(-0.15, value) : 0)
            let responded = Double.random(in: 0..<1, using: &random) < rate
            score.append(value)
            treatment.append(treated ? 1 : 0)
            outcome.append(responded ? (binary ? 1 : Double.random(in: 1...80, using: &random)) : 0)
        }
        // Both arms, whatever chance says.
        treatment[0] = 1
        treatment[1] = 0
    }

    func trial(weight: [Double]? = nil, propensity: [Double]? = nil) throws -> Trial {
        try Trial(score: score, treatment: treatment, outcome: outcome, weight: weight, propensity: propensity)
    }

    func taking(_ rows: [Int]) -> RandomTrial {
        var taken = self
        taken.score = rows.map { score[$0] }
        taken.treatment = rows.map { treatment[$0] }
        taken.outcome = rows.map { outcome[$0] }
        return taken
    }
}

/// Whether two numbers agree to a relative `tolerance` (absolute near 0).
func near(_ a: Double?, _ b: Double?, _ tolerance: Double = 1e-10) -> Bool {
    guard let a, let b else { return a == nil && b == nil }
    return abs(a - b) <= tolerance * max(1, abs(a), abs(b))
}
