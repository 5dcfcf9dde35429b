/// Powers of one half, the same bits on every machine.
///
/// The C library's `exp2` picks a variant by processor (with or without fused multiply-add), whose results may differ
/// in the last bit; scores must not depend on the machine. Only IEEE 754 additions, multiplications and one division.
package enum Exponential {
    /// 2^(−elapsed / halfLife), for elapsed ≥ 0 and halfLife > 0 in one unit; 0 below 2^−1022. Relative error < 1e-15.
    package static func decay(elapsed: Int64, halfLife: Int64) -> Double {
        let elapsed = max(0, elapsed)
        let whole = elapsed / halfLife
        guard whole < 1_022 else { return 0 }
        let fraction = Double(elapsed &- whole &* halfLife) / Double(halfLife)
        // exp(−y) for y in [0, ln 2) as exp(−y/2)², by its Taylor polynomial: |y/2| < 0.35, 14 terms leave 1e-18.
        let y = fraction * -0.346573590279972654708616060729
        var sum = 1.0
        var k = 14.0
        while k >= 1 {
            sum = 1 + sum * y / k
            k -= 1
        }
        return sum * sum * Double(bitPattern: UInt64(1_023 &- whole) << 52)
    }
}
