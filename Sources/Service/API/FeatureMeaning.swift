import Features

/// What a feature of a specification means, in words.
enum FeatureMeaning {
    static func words(_ f: FeatureSpecification.Feature) -> String {
        let events =
            f.events.map { $0.map { $0.replacing("_", with: " ") + " events" }.joined(separator: ", ") } ?? "events"
        let field = f.field.map { $0.replacing("properties.", with: "").replacing("_", with: " ") } ?? "value"
        let window = f.window.map { " in the last \(span($0))" } ?? ""
        let operands = (f.operands ?? []).map { operand in
            switch operand {
            case .feature(let name): name.replacing("_", with: " ")
            case .number(let number): number == number.rounded() ? "\(Int(exactly: number) ?? 0)" : "\(number)"
            }
        }
        var text: String
        switch f.aggregate {
        case .count: text = "number of \(events)\(window)"
        case .sum: text = "sum of \(field) over \(events)\(window)"
        case .mean: text = "mean \(field) over \(events)\(window)"
        case .min: text = "smallest \(field) over \(events)\(window)"
        case .max: text = "largest \(field) over \(events)\(window)"
        case .last:
            text = f.equals.map { "1 when the last \(field) is \(constant($0)), else 0" } ?? "last \(field) seen"
        case .recency: text = "seconds since the last of the \(events)"
        case .distinct: text = "different values of \(field)\(window)"
        case .decayedCount:
            text = "number of \(events), each worth half as much after \(f.halfLife.map(span) ?? "its half-life")"
        case .decayedSum:
            text = "sum of \(field), each worth half as much after \(f.halfLife.map(span) ?? "its half-life")"
        case .ratio:
            text =
                "\((f.numerator ?? "").replacing("_", with: " ")) divided by \((f.denominator ?? "").replacing("_", with: " "))"
        case .add: text = operands.joined(separator: " + ")
        case .subtract: text = operands.joined(separator: " − ")
        case .multiply: text = operands.joined(separator: " × ")
        case .divide: text = operands.joined(separator: " divided by ")
        case .average: text = "mean of \(operands.joined(separator: ", "))"
        case .scale: text = "\(operands[0]), from 0 at \(f.low ?? 0) to 1 at \(f.high ?? 1)"
        case .clip: text = "\(operands[0]), no further than its bounds"
        case .compare: text = "1 when \(operands.joined(separator: " \(f.comparison?.rawValue ?? "=") ")), else 0"
        case .choose: text = "which of \(operands.joined(separator: ", ")) is the first to hold, from 0"
        }
        if let condition = f.condition {
            let groups = condition.groups.map { group in
                group.map { test in
                    let field = test.field.replacing("properties.", with: "").replacing("_", with: " ")
                    return "\(field) is \(constant(test.equals))"
                }.joined(separator: " or ")
            }
            text += " where " + groups.joined(separator: " and ")
        }
        return text
    }

    private static func span(_ span: TimeSpan) -> String {
        func text(_ count: Int64, _ unit: String) -> String { "\(count) \(unit)\(count == 1 ? "" : "s")" }
        if span.minutes % 1_440 == 0 { return text(span.minutes / 1_440, "day") }
        if span.minutes % 60 == 0 { return text(span.minutes / 60, "hour") }
        return text(span.minutes, "minute")
    }

    private static func constant(_ constant: FeatureSpecification.Constant) -> String {
        switch constant {
        case .text(let text): text
        case .number(let number): number == number.rounded() && abs(number) < 1e15 ? "\(Int(number))" : "\(number)"
        case .bool(let truth): "\(truth)"
        }
    }
}
