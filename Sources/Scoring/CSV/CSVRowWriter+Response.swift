extension Model {
    /// The columns of a response model's scores in a CSV.
    package var responseColumns: [String] {
        outcomes.count > 1 ? ["ads"] + outcomes.map { "\(responseName):\($0)" } : [responseName, "decision"]
    }
}

/// Rows of a response model: the outcomes' own predictions and the ads that follow, instead of effects and intervals.
///
/// One outcome: `probability,decision` (`treat` above the model's threshold). Several: `ads` (the outcomes above their
/// thresholds, `|` between them), then one `probability:OUTCOME` each. `prediction` stands for `probability` when the model
/// predicts an amount.
extension CSVRowWriter {
    /// Whether the outcome's prediction is above its threshold.
    private func isShown(_ outcome: Int, _ estimates: UnsafePointer<Estimate>) -> Bool {
        estimates[outcome].effect
            > (model.predictsProbabilities ? model.adThreshold(outcome: outcome) : options.threshold)
    }

    func responseDecision(_ estimates: UnsafePointer<Estimate>) -> Decision {
        if estimates[0].effect.isNaN { return .uncertain }
        return (0..<model.outcomes.count).contains { isShown($0, estimates) } ? .treat : .suppress
    }

    mutating func writeResponseCSV(_ estimates: UnsafePointer<Estimate>, _ decision: Decision) {
        guard model.outcomes.count > 1 else {
            append(estimates[0].effect, "")
            append(",")
            append(name(decision))
            return
        }
        let ads = model.outcomes.indices.filter { isShown($0, estimates) }.map { model.outcomes[$0] }
            .joined(separator: "|")
        let needsQuotes = ads.utf8.contains { ",\"\r\n".utf8.contains($0) }
        append(needsQuotes ? "\"\(ads.replacing("\"", with: "\"\""))\"" : ads)
        for outcome in model.outcomes.indices {
            append(",")
            append(estimates[outcome].effect, "")
        }
    }

    /// The members of a JSON line, without braces.
    mutating func writeResponseJSON(_ estimates: UnsafePointer<Estimate>, _ decision: Decision) {
        guard model.outcomes.count > 1 else {
            append("\"\(model.responseName)\":")
            append(estimates[0].effect, "null")
            append(",\"decision\":\"")
            append(name(decision))
            append("\"")
            return
        }
        append("\"ads\":[")
        var isFirst = true
        for outcome in model.outcomes.indices where isShown(outcome, estimates) {
            if !isFirst { append(",") }
            isFirst = false
            output += Self.json(Array(model.outcomes[outcome].utf8))
        }
        append("],\"\(model.responseName)\":{")
        for (outcome, text) in model.outcomes.enumerated() {
            if outcome > 0 { append(",") }
            output += Self.json(Array(text.utf8))
            append(":")
            append(estimates[outcome].effect, "null")
        }
        append("}")
    }
}
