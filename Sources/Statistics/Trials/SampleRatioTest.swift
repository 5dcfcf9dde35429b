/// Did the experiment assign as it says? Arms that are larger or smaller than their propensities allow (a sample-ratio
/// mismatch) mean lost or doubled rows, and no effect can be trusted (Fabijan and others 2019).
package struct SampleRatioTest: Sendable, Equatable {
    /// Rows of each arm.
    package let observed: [Double]
    /// What the propensities promise.
    package let expected: [Double]
    package let chiSquared: Double
    package let degreesOfFreedom: Int
    package let pValue: Double

    /// Below it, the trial is not to be trusted; low, because the test is run on every trial.
    package static let alarm = 0.001
    package var isMismatch: Bool { pValue < Self.alarm }

    /// Pearson's test of counts against fixed shares.
    ///
    /// - Parameters:
    ///   - observed: rows of each arm.
    ///   - shares: what each arm should get; over 0, scaled to sum to 1.
    package init(observed: [Int], shares: [Double]) {
        let rows = Double(observed.reduce(0, +))
        let sum = shares.reduce(0, +)
        self.observed = observed.map(Double.init)
        expected = shares.map { rows * $0 / sum }
        chiSquared = zip(self.observed, expected).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) / $1.1 }
        degreesOfFreedom = max(0, observed.count - 1)
        pValue = ChiSquared.upperTail(chiSquared, degrees: degreesOfFreedom)
    }

    /// From each row's own propensity, which may differ from row to row: the rows of an arm, each divided by its
    /// propensity, should add up to all rows. A Wald test whose variance sums over clusters.
    ///
    /// - Parameters:
    ///   - arm: the arm taken, 0 ..< `armCount`.
    ///   - propensity: the probability of the arm taken, over 0, at most 1.
    ///   - clusters: rows assigned together.
    package init(arm: [Int32], armCount: Int, propensity: [Double], clusters: Clusters? = nil) {
        let rows = Double(arm.count)
        var counts = [Double](repeating: 0, count: armCount)
        var inverse = counts
        for row in arm.indices {
            counts[Int(arm[row])] += 1
            inverse[Int(arm[row])] += 1 / propensity[row]
        }
        let arms = (0..<armCount).filter { counts[$0] > 0 }
        let test = WaldTest(
            columns: arms.map { a in
                arm.indices.map { (Int(arm[$0]) == a ? 1 / propensity[$0] : 0) - 1 }
            }, clusters: clusters)
        observed = counts
        expected = (0..<armCount).map { inverse[$0] > 0 ? counts[$0] * rows / inverse[$0] : 0 }
        chiSquared = test.chiSquared
        degreesOfFreedom = test.degreesOfFreedom
        pValue = test.pValue
    }
}
