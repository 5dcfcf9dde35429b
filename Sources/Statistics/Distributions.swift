import Foundation

extension Normal {
    /// P(|Z| > |z|): the two-sided p-value of a normal test statistic.
    package static func twoSided(_ z: Double) -> Double { erfc(abs(z) / 2.0.squareRoot()) }
}

/// Student's t distribution: means of few units.
package enum StudentT {
    /// t with P(T < t) = p for p strictly between 0 and 1; the normal quantile when there are very many degrees.
    ///
    /// - Parameter degrees: degrees of freedom, over 0; not necessarily whole (Welch).
    package static func quantile(_ p: Double, degrees: Double) -> Double {
        guard degrees < 1e7 else { return Normal.quantile(p) }
        guard p != 0.5 else { return 0 }
        let tail = p < 0.5 ? p : 1 - p
        // The upper tail falls in t: doubled until it is passed, then halved.
        var low = 0.0
        var high = 1.0
        while upperTail(high, degrees: degrees) > tail, high < 1e300 { (low, high) = (high, high * 2) }
        for _ in 0..<200 where high - low > 1e-14 * high {
            let middle = (low + high) / 2
            if upperTail(middle, degrees: degrees) > tail { low = middle } else { high = middle }
        }
        let t = (low + high) / 2
        return p < 0.5 ? -t : t
    }

    /// t such that an estimate ± t standard errors covers with probability `level`.
    package static func t(level: Double, degrees: Double) -> Double { quantile(0.5 + level / 2, degrees: degrees) }

    /// P(|T| > |t|).
    package static func twoSided(_ t: Double, degrees: Double) -> Double {
        degrees < 1e7 ? 2 * upperTail(abs(t), degrees: degrees) : Normal.twoSided(t)
    }

    /// P(T > t) for t at least 0.
    private static func upperTail(_ t: Double, degrees: Double) -> Double {
        SpecialFunction.incompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5) / 2
    }
}

/// The chi-squared distribution.
package enum ChiSquared {
    /// P(X > x): the p-value of a chi-squared statistic; 1 without degrees of freedom.
    package static func upperTail(_ x: Double, degrees: Int) -> Double {
        guard degrees > 0, x > 0 else { return 1 }
        return SpecialFunction.upperGamma(Double(degrees) / 2, x / 2)
    }
}

/// What the distributions are made of (Abramowitz and Stegun 1964, chapters 6 and 26), to about 1e-12.
enum SpecialFunction {
    private static let limit = 10_000
    private static let tiny = 1e-300

    /// ln Γ(x), x over 0: Stirling's series after a shift above 10.
    static func logGamma(_ x: Double) -> Double {
        var shift = 0.0
        var z = x
        while z < 10 {
            shift += log(z)
            z += 1
        }
        let inverse = 1 / z
        let square = inverse * inverse
        let series =
            inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188))))
        return (z - 0.5) * log(z) - z + 0.5 * log(2 * Double.pi) + series - shift
    }

    /// Q(a, x) = Γ(a, x) / Γ(a): series below a + 1, continued fraction above.
    static func upperGamma(_ a: Double, _ x: Double) -> Double {
        guard x > 0 else { return 1 }
        let scale = exp(a * log(x) - x - logGamma(a))
        if x < a + 1 {
            var term = 1 / a
            var sum = term
            for n in 1...limit {
                term *= x / (a + Double(n))
                sum += term
                if term < sum * 1e-16 { break }
            }
            return max(0, 1 - scale * sum)
        }
        var b = x + 1 - a
        var c = 1 / tiny
        var d = 1 / b
        var fraction = d
        for n in 1...limit {
            let step = -Double(n) * (Double(n) - a)
            b += 2
            d = 1 / nonzero(step * d + b)
            c = nonzero(b + step / c)
            fraction *= d * c
            if abs(d * c - 1) < 1e-15 { break }
        }
        return scale * fraction
    }

    /// The regularised incomplete beta function I_x(a, b), by its continued fraction.
    static func incompleteBeta(_ x: Double, _ a: Double, _ b: Double) -> Double {
        guard x > 0 else { return 0 }
        guard x < 1 else { return 1 }
        if x > (a + 1) / (a + b + 2) { return 1 - incompleteBeta(1 - x, b, a) }
        let scale = exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * log(x) + b * log1p(-x)) / a
        var c = 1.0
        var d = 1 / nonzero(1 - (a + b) * x / (a + 1))
        var fraction = d
        for n in 1...limit {
            let m = Double(n)
            let even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
            d = 1 / nonzero(1 + even * d)
            c = nonzero(1 + even / c)
            fraction *= d * c
            let odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
            d = 1 / nonzero(1 + odd * d)
            c = nonzero(1 + odd / c)
            fraction *= d * c
            if abs(d * c - 1) < 1e-15 { break }
        }
        return scale * fraction
    }

    private static func nonzero(_ value: Double) -> Double { abs(value) < tiny ? tiny : value }
}
