import Base
import Foundation
import Report
import Statistics
import Terminal

/// What a policy would have earned, for a terminal and for machines.
package struct OffPolicyReport: Sendable {
    package let value: OffPolicyValue
    package let reading: DecisionReading
    package let level: Double

    package let provenance: OffPolicyProvenance

    package init(
        value: OffPolicyValue, reading: DecisionReading, level: Double, provenance: OffPolicyProvenance = .init()
    ) {
        self.value = value
        self.reading = reading
        self.level = level
        self.provenance = provenance
    }

    var estimates: [(name: String, label: String, estimate: ValueEstimate)] {
        [
            ("logged", "the log itself", value.logged),
            ("ips", "IPS", value.ips),
            ("snips", "self-normalised IPS", value.selfNormalized),
            ("doubly_robust", "doubly robust", value.doublyRobust),
            ("direct", "direct (reward model alone)", value.direct),
        ]
    }

    package func text(width: Int = 100) -> String {
        var table = Table(
            .text("mean reward a decision"), .number("value"), .number("std error"),
            .number("\(Figure.share(level)) interval"))
        for (_, label, estimate) in estimates {
            table.add(
                label, Figure.fixed(estimate.value, 6), Figure.fixed(estimate.standardError, 6),
                "\(Figure.fixed(estimate.interval.lower, 6)) to \(Figure.fixed(estimate.interval.upper, 6))")
        }
        var out = "Value of the policy \(value.policy), from \(reading.source)\n\n" + table.text(width: width)
        out += "\n\(verdict)\n"
        out +=
            "\(Figure.count(Double(value.decisions))) decisions of \(reading.log.actionCount) actions"
            + (reading.strata.count > 1 ? " in \(reading.strata.count) strata" : "")
            + ", worth \(Figure.count(value.effectiveSampleSize.rounded())) of the policy's own; importance weights: mean "
            + "\(Figure.fixed(value.meanWeight, 3)), largest \(Figure.fixed(value.largestWeight, 1)); "
            + "\(Figure.share(value.unmatchedShare)) of the decisions it would never take\n"
        if reading.rowsMissing > 0 { out += "\(reading.rowsMissing) rows with missing values are left out\n" }
        for warning in value.warnings { out += "warning: \(warning)\n" }
        return out
    }

    /// What the doubly robust estimate says of the policy beside the log, in a sentence.
    var verdict: String {
        let gain = value.gainOverLog
        let range =
            "(doubly robust: \(number(gain.value, sign: true)) a decision, \(Figure.share(level)) interval "
            + "\(number(gain.interval.lower, sign: true)) to \(number(gain.interval.upper, sign: true)))."
        if gain.interval.lower > 0 { return "The policy would have earned more than the log \(range)" }
        if gain.interval.upper < 0 { return "The policy would have earned less than the log \(range)" }
        return "The policy is not shown to earn more or less than the log \(range)"
    }

    /// A mean reward, with two digits of its standard error and `more`.
    func number(_ value: Double, sign: Bool = false, more: Int = 0) -> String {
        let error = self.value.doublyRobust.standardError
        let decimals =
            error > 0 && error.isFinite ? min(9, max(0, 1 - Int(saturating: log10(error).rounded(.down)))) : 6
        return Figure.fixed(value, decimals + more, sign: sign)
    }

    package var json: JSONOutput {
        var members: [(name: String, value: JSONOutput)] = [
            ("policy", .text(value.policy)), ("data", .text(reading.source)), ("decisions", .integer(value.decisions)),
            ("actions", .integer(reading.log.actionCount)), ("strata", .integer(reading.strata.count)),
            ("rows_missing", .integer(reading.rowsMissing)), ("level", .number(level)),
        ]
        for (name, estimate) in estimates.map({ ($0.name, $0.estimate) }) + [("gain_over_log", value.gainOverLog)] {
            members.append(
                (
                    name,
                    .object([
                        ("value", .number(estimate.value)), ("std_error", .number(estimate.standardError)),
                        ("interval", .array([.number(estimate.interval.lower), .number(estimate.interval.upper)])),
                    ])
                ))
        }
        members += [
            ("effective_sample_size", .number(value.effectiveSampleSize)),
            ("mean_weight", .number(value.meanWeight)), ("largest_weight", .number(value.largestWeight)),
            ("unmatched_share", .number(value.unmatchedShare)),
            ("warnings", .array(value.warnings.map { .text($0) })),
        ]
        return .object(members)
    }
}
