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
    /// Other outcomes: effect ± z standard errors. Weights enter through the effective number of rows.
    package let interval: Interval?

    /// Why there is no effect, or no interval; nil when there are both.
    package var remark: String? {
        switch (treated.mean, control.mean) {
        case (nil, nil): return "no rows"
        case (nil, _): return "no treated rows"
        case (_, nil): return "no control rows"
        default: return interval == nil ? "one row in an arm: no interval" : nil
        }
    }

    init(treated: ArmSummary, control: ArmSummary, binary: Bool, level: Double) {
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
            let wilsonA = GroupEffect.wilson(a, treated.effectiveSize, z)
            let wilsonB = GroupEffect.wilson(b, control.effectiveSize, z)
            interval = Interval(
                lower: effect - hypot(a - wilsonA.lower, wilsonB.upper - b),
                upper: effect + hypot(wilsonA.upper - a, b - wilsonB.lower))
        } else {
            interval = Interval(lower: effect - z * standardError, upper: effect + z * standardError)
        }
    }

    /// Wilson's score interval of a proportion.
    private static func wilson(_ p: Double, _ n: Double, _ z: Double) -> Interval {
        let center = (p + z * z / (2 * n)) / (1 + z * z / n)
        let half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
        return Interval(lower: max(0, center - half), upper: min(1, center + half))
    }
}
