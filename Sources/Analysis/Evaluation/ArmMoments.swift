/// What one arm's rows of a group add up to: enough for a mean and its standard error. Groups add.
///
/// Second moments are taken about `center`, so that a large mean does not swallow a small variance.
struct ArmMoments: Sendable {
    var rows = 0
    /// Σ w
    var weight = 0.0
    /// Σ w y
    var outcome = 0.0
    /// Σ w (y - c)²
    var spread = 0.0
    /// Σ w²
    var squaredWeight = 0.0
    /// Σ w² (y - c)
    var squaredWeightOutcome = 0.0
    /// Σ w² (y - c)²
    var squaredWeightSpread = 0.0

    @inline(__always)
    mutating func add(weight w: Double, outcome y: Double, center: Double) {
        let distance = y - center
        weight += w
        outcome += w * y
        spread += w * distance * distance
        squaredWeight += w * w
        squaredWeightOutcome += w * w * distance
        squaredWeightSpread += w * w * distance * distance
    }

    static func += (a: inout ArmMoments, b: ArmMoments) {
        a.rows += b.rows
        a.weight += b.weight
        a.outcome += b.outcome
        a.spread += b.spread
        a.squaredWeight += b.squaredWeight
        a.squaredWeightOutcome += b.squaredWeightOutcome
        a.squaredWeightSpread += b.squaredWeightSpread
    }
}

/// One arm's share of a group: how many rows, their mean outcome, and how sure that mean is.
package struct ArmSummary: Sendable, Equatable {
    /// Rows that begin in the group (a weighted row that a boundary cuts counts where it begins).
    package let rows: Int
    package let weight: Double
    /// The weighted mean outcome; nil without rows.
    package let mean: Double?
    /// The variance of `mean`: p (1 - p) / n for a binary outcome without weights, as scikit-uplift has it; nil when
    /// one row of a non-binary outcome leaves it unknown.
    package let variance: Double?
    /// The number of equally weighted rows that would be as sure.
    let effectiveSize: Double
    /// What degrees of freedom are counted by.
    var size: Double { max(1, effectiveSize) }
    /// Independent units: clusters when the trial has them, else rows.
    package let units: Int

    init(_ moments: ArmMoments, center: Double, binary: Bool, meaning: WeightMeaning) {
        rows = moments.rows
        units = moments.rows
        weight = moments.weight
        guard moments.weight > 0 else {
            mean = nil
            variance = nil
            effectiveSize = 0
            return
        }
        let mean = moments.outcome / moments.weight
        self.mean = mean
        let size =
            meaning == .frequency ? moments.weight : moments.weight * moments.weight / moments.squaredWeight
        // Equal weights of 1 give n itself; the two readings part only when weights differ.
        let equalWeights = moments.squaredWeight == moments.weight && size == moments.weight
        let distance = mean - center
        if binary && (equalWeights || meaning == .frequency) {
            variance = mean * ((1 - mean) / moments.weight)
            effectiveSize = moments.weight
            return
        }
        // Mean square distance from the mean (frequency), or the sandwich Σ w² (y - m)² / (Σ w)² (sampling).
        let raw =
            meaning == .frequency
            ? max(0, moments.spread / moments.weight - distance * distance) / moments.weight
            : max(
                0,
                moments.squaredWeightSpread - 2 * distance * moments.squaredWeightOutcome
                    + distance * distance * moments.squaredWeight) / (moments.weight * moments.weight)
        effectiveSize = size
        if binary { variance = raw } else { variance = size > 1 ? raw * size / (size - 1) : nil }
    }
    /// The same arm with a variance that knows which rows belong together.
    ///
    /// - Parameters:
    ///   - variance: of the mean, summed over clusters; nil when one cluster leaves it unknown.
    ///   - shrink: by how much the arms' own variances are to be scaled, so that they add up to the difference's.
    func clustered(variance: Double?, units: Int, binary: Bool, shrink: Double) -> ArmSummary {
        ArmSummary(self, variance: variance.map { $0 * shrink }, units: units, binary: binary)
    }

    private init(_ plain: ArmSummary, variance: Double?, units: Int, binary: Bool) {
        rows = plain.rows
        weight = plain.weight
        mean = plain.mean
        self.units = units
        guard let mean = plain.mean, let variance, units > 1 else {
            self.variance = nil
            effectiveSize = min(plain.effectiveSize, Double(units))
            return
        }
        self.variance = variance
        let spread = mean * (1 - mean)
        // Where no outcome differs, clusters say nothing about each other: each counts once.
        effectiveSize =
            binary && spread > 0 && variance > 0
            ? min(plain.effectiveSize, spread / variance) : min(plain.effectiveSize, Double(units))
    }
}
