import Foundation

/// Whom to treat, by score.
package enum TargetingRule: Sendable, Equatable {
    case nobody
    case everybody
    /// Rows whose score is above the threshold.
    case above(Double)
    /// The best share of the ranking, 0 ... 1 (ties as in `RankedTrial`).
    case top(Double)

    package var name: String {
        switch self {
        case .nobody: return "nobody"
        case .everybody: return "everybody"
        case .above(let threshold): return "score > \(Self.text(threshold))"
        case .top(let share): return "best \(Self.text(share * 100)) %"
        }
    }

    private static func text(_ value: Double) -> String {
        value.formatted(
            .number.precision(.significantDigits(1...4)).grouping(.never).locale(Locale(identifier: "en_US_POSIX")))
    }
}

/// What a targeting rule would have earned per person, estimated from the trial.
package struct TargetingValue: Sendable {
    package let rule: TargetingRule
    /// The share of people (by weight) whom the rule treats.
    package let treatedShare: Double
    /// The mean outcome under the rule, with overlap and warnings.
    package let value: OffPolicyValue
    /// Doubly robust differences to treating nobody and to treating everybody, on the same rows.
    package let gainOverNobody: ValueEstimate
    package let gainOverEverybody: ValueEstimate
}
