import CNumeric

/// Powers of one half, the same bits on every machine.
///
/// The C library's `exp2` picks a variant by processor (with or without fused multiply-add), whose results may differ
/// in the last bit; scores must not depend on the machine. Only IEEE 754 additions, multiplications and one division.
public enum Exponential {
    /// 2^(−elapsed / halfLife), for elapsed ≥ 0 and halfLife > 0 in one unit; 0 below 2^−1022. A half-life of 0 stands for
    /// one that never ends: 1. Relative error < 1e-15.
    @inline(__always)
    public static func decay(elapsed: Int64, halfLife: Int64) -> Double {
        guard elapsed > 0, halfLife > 0 else { return 1 }
        let whole = elapsed / halfLife
        guard whole < 1_022 else { return 0 }
        let fraction = Double(elapsed &- whole &* halfLife) / Double(halfLife)
        // Sixteenths from a table; the rest r < 1/16 as exp(−r ln 2) by its Taylor polynomial, whose ninth term is
        // below 2e-18. Summed in pairs, not in a chain: each step of a chain would wait for the one before.
        let sixteenths = Int64(fraction * 16)
        let y = (fraction - Double(sixteenths) * 0.0625) * -0.693147180559945309417232121458
        let y2 = y * y
        let low = (1 + y) + y2 * (0.5 + y * (1.0 / 6))
        let middle = (1.0 / 24 + y * (1.0 / 120)) + y2 * (1.0 / 720 + y * (1.0 / 5_040))
        let y4 = y2 * y2
        let rest = low + y4 * (middle + y4 * (1.0 / 40_320))
        return rest * cnumeric_half_power(sixteenths) * Double(bitPattern: UInt64(1_023 &- whole) << 52)
    }
}
