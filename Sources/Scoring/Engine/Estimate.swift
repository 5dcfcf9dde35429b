/// A treatment effect and its standard error, both in units of the outcome.
package struct Estimate: Sendable, Equatable {
    /// The conditional average treatment effect. NaN when the row has no estimate (`Scorer.refusedFeature`).
    package var effect: Double
    /// NaN when the forest was fitted without little bags, or was not asked for it.
    package var standardError: Double

    package init(effect: Double, standardError: Double) {
        self.effect = effect
        self.standardError = standardError
    }
}

/// What an estimate advises about its user.
package enum Decision: UInt8, Sendable, CaseIterable {
    /// The whole interval is above the threshold.
    case treat = 0
    /// The whole interval is below the threshold.
    case suppress = 1
    /// The threshold is inside the interval, or there is no interval.
    case uncertain = 2

    /// As scores, tables and metrics say it; part of the score's format.
    package var name: String {
        switch self {
        case .treat: "treat"
        case .suppress: "suppress"
        case .uncertain: "uncertain"
        }
    }

    package init(lower: Double, upper: Double, threshold: Double) {
        if lower > threshold {
            self = .treat
        } else if upper < threshold {
            self = .suppress
        } else {
            self = .uncertain
        }
    }
}
