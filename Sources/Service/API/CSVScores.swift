import Base
import JSON
import Scoring
import Tabular

/// Scores as CSV, in the columns of `model score --columns minimal`.
enum CSVScores {
    static func writeHeader(_ model: Model, into out: ByteBuffer) {
        if model.isResponse {
            for (index, name) in model.responseColumns.enumerated() {
                if index > 0 { out.append(",") }
                append(name, out)
            }
            return out.append("\n")
        }
        out.append("uplift,std_error,ci_lower,ci_upper,decision")
        if model.effectCount > 1 {
            out.append(",treatment,outcome")
            for treatment in model.treatments {
                for outcome in model.outcomes {
                    for name in ["uplift", "std_error", "ci_lower", "ci_upper"] {
                        out.append(",")
                        append("\(name):\(outcome):\(treatment)", out)
                    }
                }
            }
        }
        out.append("\n")
    }

    static func write(_ session: ScoringSession, _ row: Int, into out: ByteBuffer) {
        let model = session.served.model
        if model.isResponse { return writeResponse(session, row, into: out) }
        let decided = session.decidedEffect(row)
        let estimate = session.estimate(row, effect: decided)
        append(estimate, session, out)
        out.append(",")
        switch session.decision(estimate) {
        case .treat: out.append("treat")
        case .suppress: out.append("suppress")
        case .uncertain: out.append("uncertain")
        }
        if model.effectCount > 1 {
            for name in [model.treatments[decided / model.outcomes.count], model.outcomes[0]] {
                out.append(",")
                append(name, out)
            }
            for effect in 0..<model.effectCount {
                out.append(",")
                append(session.estimate(row, effect: effect), session, out)
            }
        }
        out.append("\n")
    }

    private static func writeResponse(_ session: ScoringSession, _ row: Int, into out: ByteBuffer) {
        let model = session.served.model
        func value(_ outcome: Int) -> Double { session.estimate(row, effect: outcome).effect }
        func decision(_ outcome: Int) -> Decision {
            model.responseDecision(value(outcome), outcome: outcome, threshold: session.served.threshold)
        }
        if model.outcomes.count == 1 {
            if value(0).isFinite { out.append(value(0)) }
            out.append(",")
            out.append(Array("\(decision(0))".utf8))
        } else {
            append(
                model.outcomes.indices.filter { decision($0) == .treat }.map { model.outcomes[$0] }.joined(
                    separator: "|"), out)
            for outcome in model.outcomes.indices {
                out.append(",")
                if value(outcome).isFinite { out.append(value(outcome)) }
            }
        }
        out.append("\n")
    }

    private static func append(_ estimate: Estimate, _ session: ScoringSession, _ out: ByteBuffer) {
        let (lower, upper) = session.served.level.interval(estimate)
        var isFirst = true
        for value in [estimate.effect, estimate.standardError, lower, upper] {
            if !isFirst { out.append(",") }
            isFirst = false
            if value.isFinite { out.append(value) }
        }
    }

    private static func append(_ name: String, _ out: ByteBuffer) {
        let needsQuotes = name.utf8.contains { ",\"\r\n".utf8.contains($0) }
        out.append(Array((needsQuotes ? "\"\(name.replacing("\"", with: "\"\""))\"" : name).utf8))
    }
}
