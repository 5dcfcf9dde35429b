import Foundation

/// How often each row is drawn in one replicate of a Poisson bootstrap (Chamandy and others 2012).
///
/// The count of a row is a pure function of seed, replicate and row: nothing is stored, any thread may ask in any order,
/// and the same seed gives the same replicates on every machine and for any number of threads.
package struct ReplicateWeights: Sendable {
    private let base: UInt64
    private let table: [UInt8]

    package init(seed: UInt64, replicate: Int, table: [UInt8] = ReplicateWeights.leadingByteTable) {
        base = Self.mix(seed &+ Self.mix(UInt64(replicate) &+ 1))
        self.table = table
    }

    /// 64 uniform bits for `row` (SplitMix64, Steele, Lea and Flood 2014, entered at the row's step).
    @inline(__always)
    private func bits(_ row: Int) -> UInt64 { Self.mix(base &+ UInt64(row) &* 0x9E37_79B9_7F4A_7C15) }

    /// A Poisson(1) count.
    @inline(__always)
    package func count(_ row: Int) -> Int {
        let bits = bits(row)
        let count = table[Int(bits >> 56)]
        return count != Self.undecided ? Int(count) : Self.inverse(Double(bits >> 11) * 0x1p-53, mean: 1)
    }

    /// A Poisson(`weight`) count: `weight` rows drawn each on its own; a normal approximation past 30.
    package func count(_ row: Int, weight: Double) -> Double {
        let uniform = Double(bits(row) >> 11) * 0x1p-53
        if weight <= 30 { return Double(Self.inverse(uniform, mean: weight)) }
        let clamped = min(max(uniform, 0x1p-53), 1 - 0x1p-53)
        return max(0, (weight + weight.squareRoot() * Normal.quantile(clamped)).rounded())
    }

    private static let undecided: UInt8 = 255

    /// The Poisson(1) count by the leading byte of the uniform number, where that byte decides.
    package static let leadingByteTable: [UInt8] = (0..<256).map { byte in
        let low = inverse(Double(byte) / 256, mean: 1)
        let high = inverse((Double(byte) + 1) / 256 - 0x1p-53, mean: 1)
        return low == high ? UInt8(low) : undecided
    }

    /// The least k with P(K <= k) > uniform.
    private static func inverse(_ uniform: Double, mean: Double) -> Int {
        var term = exp(-mean)
        var below = term
        var count = 0
        while uniform >= below && count < 200 {
            count += 1
            term *= mean / Double(count)
            below += term
        }
        return count
    }

    @inline(__always)
    private static func mix(_ value: UInt64) -> UInt64 {
        var z = value &+ 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
