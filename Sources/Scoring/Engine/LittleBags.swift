import CForest
import Foundation

/// The variance of an estimate by the bag of little bootstraps (Sexton and Laake 2009; Athey, Tibshirani and Wager 2019,
/// section 4), with the objective-Bayes debiasing that EconML and grf share.
///
/// A little bag is a group of trees on one half-sample. The variance between bag means, less the part of it that is
/// noise of single trees, can be negative; the posterior mean under a flat prior on positive values stands for it.
package enum LittleBags {
    /// The variance from one row's sums over its bags of `size` trees; NaN when there is none.
    static func variance(_ bags: cforest_bags, size: Int, kind: ForestKind) -> Double {
        guard size > 1, bags.bags > 0 else { return .nan }
        let n = Double(bags.bags)
        let second = bags.second / n
        let mean = bags.mean / n
        // grf does not subtract the mean, which the pooled solution makes zero up to rounding and empty leaves.
        let between = kind == .grf ? second : second - mean * mean
        let noise = (bags.total / n - second) / Double(size - 1)
        return debiased(between: between, noise: noise, bags: n, kind: kind)
    }

    /// The posterior mean of a variance whose unbiased estimate is `between - noise`.
    package static func debiased(between: Double, noise: Double, bags: Double, kind: ForestKind) -> Double {
        let naive = between - noise
        let error = max(between, noise) * (2 / bags).squareRoot()
        if kind == .grf, abs(error) < 1e-10 { return 0 }
        let z = kind == .grf ? naive / error : naive / max(error, 1e-10)
        guard z < -25 else {
            let density = exp(-z * z / 2) / (2 * Double.pi).squareRoot()
            return naive + error * density / NormalDistribution.cumulative(z)
        }
        // Far in the tail density and probability vanish together (both references give NaN below −38). Laplace's
        // continued fraction: z + φ(z)/Φ(z) = 1/(x + 2/(x + 3/(x + …))) for x = −z.
        let x = -z
        var tail = x
        for level in stride(from: 20.0, through: 2, by: -1) { tail = x + level / tail }
        return error / tail
    }
}
