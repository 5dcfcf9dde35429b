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
            .text("mean reward per decision"), .number("value"), .number("std error"),
            .number("\(Figure.share(level)) interval"))
        for (_, label, estimate) in estimates {
            table.add(
                label, Figure.fixed(estimate.value, 6), estimate.standardError.map { Figure.fixed($0, 6) } ?? "–",
                estimate.interval.map { "\(Figure.fixed($0.lower, 6)) to \(Figure.fixed($0.upper, 6))" } ?? "–")
        }
        var out = "Value of the policy \(value.policy), from \(reading.source)\n\n" + table.text(width: width)
        out += "\n\(verdict)\n"
        let strata = reading.strata.count > 1 ? " in \(reading.strata.count) strata" : ""
        out += "\(Figure.count(Double(value.decisions))) decisions of \(reading.log.actionCount) actions\(strata), "
        out += "worth \(Figure.count(value.effectiveSampleSize.rounded())) of the policy's own; importance weights: "
        out += "mean \(Figure.fixed(value.meanWeight, 3)), largest \(Figure.fixed(value.largestWeight, 1)); "
        out += "\(Figure.share(value.unmatchedShare)) of the decisions it would never take\n"
        if let clusters = reading.log.clusters {
            out += "intervals count \(Figure.count(Double(clusters.count))) clusters\n"
        }
        if reading.rowsMissing > 0 { out += "\(reading.rowsMissing) rows with missing values are left out\n" }
        for warning in value.warnings { out += "warning: \(warning)\n" }
        return out
    }

    /// What the doubly robust estimate says of the policy beside the log, in a sentence.
    var verdict: String {
        let gain = value.gainOverLog
        if let lacking = value.evidence { return "No verdict: \(lacking)." }
        guard let interval = gain.interval else {
            return "No verdict: the policy's value and the log's do not differ in any row."
        }
        let range =
            "(doubly robust: \(number(gain.value, sign: true)) per decision, \(Figure.share(level)) interval "
            + "\(number(interval.lower, sign: true)) to \(number(interval.upper, sign: true)))."
        if interval.lower > 0 { return "The policy would have earned more than the log \(range)" }
        if interval.upper < 0 { return "The policy would have earned less than the log \(range)" }
        return "The policy is not shown to earn more or less than the log \(range)"
    }

    /// A mean reward, with two digits of its standard error and `more`.
    func number(_ value: Double, sign: Bool = false, more: Int = 0) -> String {
        let error = self.value.doublyRobust.standardError ?? 0
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
        for (name, _, estimate) in estimates { members.append((name, Self.json(estimate))) }
        members.append(("gain_over_log", Self.json(value.gainOverLog)))
        let lacking: JSONOutput = value.evidence.map { .text($0) } ?? .null
        let clusters: JSONOutput = reading.log.clusters.map { .integer($0.count) } ?? .null
        members.append(("lacking", lacking))
        members.append(("clusters", clusters))
        members.append(("effective_sample_size", .number(value.effectiveSampleSize)))
        members.append(("mean_weight", .number(value.meanWeight)))
        members.append(("largest_weight", .number(value.largestWeight)))
        members.append(("unmatched_share", .number(value.unmatchedShare)))
        members.append(("warnings", .array(value.warnings.map { .text($0) })))
        return .object(members)
    }

    private static func json(_ estimate: ValueEstimate) -> JSONOutput {
        let error: JSONOutput = estimate.standardError.map { .number($0) } ?? .null
        let interval: JSONOutput = estimate.interval.map { .array([.number($0.lower), .number($0.upper)]) } ?? .null
        return .object([("value", .number(estimate.value)), ("std_error", error), ("interval", interval)])
    }
}
