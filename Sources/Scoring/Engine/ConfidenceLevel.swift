import Base
import Foundation

/// A two-sided confidence level and its normal quantile.
package struct ConfidenceLevel: Sendable, Equatable {
    /// The share of intervals that hold the true effect, inside 0 … 1; 0.95 is usual.
    package let level: Double
    /// Standard errors from the effect to either end of the interval.
    package let z: Double

    /// - Throws: `invalid_level` unless 0 < level < 1.
    package init(_ level: Double) throws(ImpactError) {
        guard level > 0, level < 1 else {
            throw ImpactError(
                .badConfiguration, code: "invalid_level", "a confidence level lies between 0 and 1; \(level) does not")
        }
        self.init(checked: level)
    }

    private init(checked level: Double) {
        self.level = level
        // The tail (1 − level)/2 is exact for level ≥ 0.5, where 1 − tail would round.
        z = -NormalDistribution.quantile((1 - level) / 2)
    }

    /// 95 %.
    package static let usual = ConfidenceLevel(checked: 0.95)

    package func lower(_ estimate: Estimate) -> Double { estimate.effect - z * estimate.standardError }
    package func upper(_ estimate: Estimate) -> Double { estimate.effect + z * estimate.standardError }

    /// Both ends of the interval, in units of the outcome.
    package func interval(_ estimate: Estimate) -> (lower: Double, upper: Double) {
        (lower(estimate), upper(estimate))
    }
}

/// The standard normal distribution.
package enum NormalDistribution {
    /// P(Z ≤ x).
    package static func cumulative(_ x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }

    /// The x with P(Z ≤ x) = p: −∞ at 0, +∞ at 1, NaN outside.
    ///
    /// Algorithm AS 241 (Wichura, Applied Statistics 37, 1988), PPND16: about 1 part in 10^16.
    package static func quantile(_ p: Double) -> Double {
        guard p >= 0, p <= 1 else { return .nan }
        if p == 0 { return -.infinity }
        if p == 1 { return .infinity }
        let q = p - 0.5
        if abs(q) <= 0.425 {
            let r = 0.180625 - q * q
            return q * ratio(central, r)
        }
        let r = (-log(q < 0 ? p : 1 - p)).squareRoot()
        let x = r <= 5 ? ratio(middle, r - 1.6) : ratio(far, r - 5)
        return q < 0 ? -x : x
    }

    private typealias Coefficients = (over: [Double], under: [Double])

    private static func ratio(_ c: Coefficients, _ r: Double) -> Double {
        c.over.reduce(0) { $0 * r + $1 } / c.under.reduce(0) { $0 * r + $1 }
    }

    // Highest power first.
    private static let central: Coefficients = (
        [
            2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
            1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0,
        ],
        [
            5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
            5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0,
        ]
    )
    private static let middle: Coefficients = (
        [
            7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
            1.27045825245236838258e0, 3.64784832476320460504e0, 5.76949722146069140550e0,
            4.63033784615654529590e0, 1.42343711074968357734e0,
        ],
        [
            1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
            1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940e0,
            2.05319162663775882187e0, 1.0,
        ]
    )
    private static let far: Coefficients = (
        [
            2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
            2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e0,
            5.46378491116411436990e0, 6.65790464350110377720e0,
        ],
        [
            2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
            7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
            5.99832206555887937690e-1, 1.0,
        ]
    )
}
