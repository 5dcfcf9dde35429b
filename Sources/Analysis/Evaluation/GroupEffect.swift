import Foundation
import Statistics

/// The difference in mean outcome between the arms of a group of rows (a decile, the top 30 %, everyone).
package struct GroupEffect: Sendable, Equatable {
    package let treated: ArmSummary
    package let control: ArmSummary
    /// Mean treated outcome less mean control outcome; nil when an arm is empty.
    package let effect: Double?
    /// scikit-uplift's `std_uplift` for a binary outcome without weights.
    package let standardError: Double?
    /// Binary outcomes: Newcombe's (1998, method 10) hybrid score interval, which stays honest at rates near 0 and 1.
    /// Other outcomes: effect ± t standard errors, degrees of freedom after Welch (1947). Weights and clusters enter
    /// through the effective number of rows (Korn and Graubard 1998). nil where no outcome of an amount differs.
    package let interval: Interval?

    /// Why there is no effect, or no interval; nil when there are both.
    package var remark: String? {
        switch (treated.mean, control.mean) {
        case (nil, nil): return "no rows"
        case (nil, _): return "no treated rows"
        case (_, nil): return "no control rows"
        default:
            guard interval == nil else { return nil }
            return treated.units < 2 || control.units < 2
                ? "one row in an arm: no interval" : "no outcome differs: no interval"
        }
    }

    init(treated: ArmSummary, control: ArmSummary, binary: Bool, level: Double, isClustered: Bool = false) {
        self.treated = treated
        self.control = control
        guard let a = treated.mean, let b = control.mean else {
            effect = nil
            standardError = nil
            interval = nil
            return
        }
        let effect = a - b
        self.effect = effect
        guard let va = treated.variance, let vb = control.variance else {
            standardError = nil
            interval = nil
            return
        }
        let standardError = (va + vb).squareRoot()
        self.standardError = standardError
        let z = Normal.z(level: level)
        if binary {
            // Few clusters: the rows' worth is itself uncertain, as the t distribution has it.
            func size(_ arm: ArmSummary) -> Double {
                guard isClustered, arm.units > 1 else { return arm.effectiveSize }
                let t = StudentT.t(level: level, degrees: Double(arm.units - 1))
                return arm.effectiveSize * (z / t) * (z / t)
            }
            let wilsonA = GroupEffect.wilson(a, size(treated), z)
            let wilsonB = GroupEffect.wilson(b, size(control), z)
            interval = Interval(
                lower: effect - hypot(a - wilsonA.lower, wilsonB.upper - b),
                upper: effect + hypot(wilsonA.upper - a, b - wilsonB.lower))
        } else if standardError > 0 {
            let degrees =
                (va + vb) * (va + vb)
                / (va * va / max(1, treated.size - 1) + vb * vb / max(1, control.size - 1))
            let half = StudentT.t(level: level, degrees: degrees) * standardError
            interval = Interval(lower: effect - half, upper: effect + half)
        } else {
            interval = nil
        }
    }

    /// Wilson's score interval of a proportion.
    private static func wilson(_ p: Double, _ n: Double, _ z: Double) -> Interval {
        let center = (p + z * z / (2 * n)) / (1 + z * z / n)
        let half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
        return Interval(lower: max(0, center - half), upper: min(1, center + half))
    }
}
