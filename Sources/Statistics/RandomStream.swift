import Foundation

/// A seeded stream of random numbers (SplitMix64; Steele, Lea and Flood 2014): one addition and a mix a number.
///
/// Streams made with ``init(seed:lane:)`` from different lanes are independent for simulation, so that what belongs to
/// one user does not depend on who came before.
package struct RandomStream: Sendable {
    private var state: UInt64

    /// - Parameter lane: which stream of the seed: a user's index, or a number kept for a purpose.
    package init(seed: UInt64, lane: UInt64) {
        state = Self.mix(seed ^ Self.mix(lane &* 0xD6E8_FEB8_6659_FD93 &+ 0x2545_F491_4F6C_DD1D))
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Self.mix(state)
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Uniform in (0, 1), never an end, so that logarithms are finite.
    package mutating func uniform() -> Double { (Double(next() >> 12) + 0.5) * 0x1p-52 }

    /// Whether an event of this probability happens.
    package mutating func happens(_ probability: Double) -> Bool { uniform() < probability }

    /// Uniform in 0 ..< bound (Lemire 2019, without the rejection: the bias is below bound / 2^64).
    package mutating func below(_ bound: Int) -> Int { Int(next().multipliedFullWidth(by: UInt64(bound)).high) }

    /// Exponential of this mean.
    package mutating func exponential(mean: Double) -> Double { -mean * log(uniform()) }

    /// Exponential of this mean given that it is below the limit.
    package mutating func exponential(mean: Double, below limit: Double) -> Double {
        -mean * log(1 - uniform() * (1 - exp(-limit / mean)))
    }

    /// Standard normal (Box and Muller 1958, one of the pair).
    package mutating func normal() -> Double { (-2 * log(uniform())).squareRoot() * cos(2 * .pi * uniform()) }

    /// Log-normal of median 1.
    package mutating func logNormal(sigma: Double) -> Double { exp(sigma * normal()) }

    /// How many successes before the first failure, at most `limit`.
    package mutating func geometric(continue probability: Double, limit: Int) -> Int {
        var count = 0
        while count < limit, happens(probability) { count += 1 }
        return count
    }
}
