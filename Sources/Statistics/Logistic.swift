/// The logistic function, the same bits on every machine.
///
/// The C library's `exp` picks a variant by processor (with or without fused multiply-add), whose results may differ in
/// the last bit; scores must not depend on the machine. Here are only IEEE 754 additions, multiplications and divisions.
package enum Logistic {
    /// 1 / (1 + e^−x); 0 and 1 at the far ends, NaN for NaN.
    package static func sigmoid(_ x: Double) -> Double {
        guard !x.isNaN else { return .nan }
        let small = expOfNegative(x < 0 ? x : -x)
        return x < 0 ? small / (1 + small) : 1 / (1 + small)
    }

    /// e^x for x ≤ 0; 0 below −708. Relative error < 1e-15.
    package static func expOfNegative(_ x: Double) -> Double {
        guard x > -708 else { return 0 }
        // x = n ln 2 + r with |r| ≤ ln 2 / 2; e^r by its Taylor polynomial, whose next term is below 5e-18.
        let n = (x * 1.4426950408889634).rounded()
        let r = (x - n * 6.93147180369123816490e-1) - n * 1.90821492927058770002e-10
        var p = 1.0 / 6_227_020_800
        p = p * r + 1.0 / 479_001_600
        p = p * r + 1.0 / 39_916_800
        p = p * r + 1.0 / 3_628_800
        p = p * r + 1.0 / 362_880
        p = p * r + 1.0 / 40_320
        p = p * r + 1.0 / 5_040
        p = p * r + 1.0 / 720
        p = p * r + 1.0 / 120
        p = p * r + 1.0 / 24
        p = p * r + 1.0 / 6
        p = p * r + 0.5
        p = p * r + 1
        p = p * r + 1
        return p * Double(sign: .plus, exponent: Int(n), significand: 1)
    }
}
