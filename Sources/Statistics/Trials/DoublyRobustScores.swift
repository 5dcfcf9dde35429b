/// Doubly robust scores of a treatment's effect (AIPW; Robins, Rotnitzky and Zhao 1994): one number per row whose mean over
/// any group of rows, chosen without their outcomes, is that group's average effect when the propensities or the outcome
/// models are right.
package enum DoublyRobustScores {
    /// - Parameters:
    ///   - outcome: what came.
    ///   - treatment: 1 treated, 0 control.
    ///   - propensity: the probability of treatment, strictly between 0 and 1.
    ///   - treatedMean, controlMean: the expected outcome under each arm, predicted without the row's own outcome.
    /// - Returns: μ₁ - μ₀ + t (y - μ₁) / e - (1 - t) (y - μ₀) / (1 - e).
    package static func effects(
        outcome: [Double], treatment: [UInt8], propensity: [Double], treatedMean: [Double], controlMean: [Double]
    ) -> [Double] {
        outcome.indices.map { row in
            let correction =
                treatment[row] == 1
                ? (outcome[row] - treatedMean[row]) / propensity[row]
                : -(outcome[row] - controlMean[row]) / (1 - propensity[row])
            return treatedMean[row] - controlMean[row] + correction
        }
    }

    /// The scores of every arm's mean outcome: `armCount` numbers per row, row by row.
    ///
    /// - Parameters:
    ///   - arm: the arm taken, 0 ..< `armCount`.
    ///   - propensity: the probability of the arm taken, over 0: no other arm's is needed.
    ///   - means: the expected outcome under each arm, `armCount` numbers per row, without the row's own outcome.
    /// - Returns: μ_a + 1{arm = a} (y - μ_a) / e.
    package static func arms(
        outcome: [Double], arm: [Int32], armCount: Int, propensity: [Double], means: [Double]
    ) -> [Double] {
        var scores = means
        for row in outcome.indices {
            let cell = row * armCount + Int(arm[row])
            scores[cell] += (outcome[row] - means[cell]) / propensity[row]
        }
        return scores
    }
}
