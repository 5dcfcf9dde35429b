import Base
import Features
import JSON
import Scoring

/// `GET /v1/model`: the model's card.
struct ModelRoute: Sendable {
    let served: ServedModel

    func answer(_ exchange: Exchange) throws(Problem) { write(to: exchange.out) }

    /// The model in brief, as `/health` has it.
    func writeBrief(to out: ByteBuffer) {
        let model = served.model
        out.append("{\"name\":")
        out.appendJSONString(model.name)
        out.append(",\"version\":")
        out.appendJSONString(model.version)
        out.append(",\"sha256\":")
        out.appendJSONString(model.sha256)
        out.append(",\"trees\":")
        out.append(Int64(model.treeCount))
        out.append(",\"features\":")
        out.append(Int64(model.featureCount))
        out.append("}")
    }

    private func write(to out: ByteBuffer) {
        let model = served.model
        out.append("{\"name\":")
        out.appendJSONString(model.name)
        out.append(",\"version\":")
        out.appendJSONString(model.version)
        out.append(",\"sha256\":")
        out.appendJSONString(model.sha256)
        names("treatments", model.treatments, out)
        names("outcomes", model.outcomes, out)
        out.append(",\"missing_values\":")
        out.appendJSONString(model.missingValues == .route ? "route" : "refuse")
        flag("intervals", model.hasStandardErrors, out)
        flag("scores_events", !model.specificationJSON.isEmpty, out)
        out.append(",\"ci_level\":")
        out.append(served.level.level)
        out.append(",\"threshold\":")
        out.append(served.threshold)
        out.append(",\"bytes\":")
        out.append(Int64(model.byteCount))
        out.append(",\"kernel\":")
        out.appendJSONString(Kernel.best.rawValue)
        out.append(",\"forests\":[")
        for (index, forest) in model.summaries.enumerated() {
            if index > 0 { out.append(",") }
            out.append("{\"outcome\":")
            out.appendJSONString(forest.outcome)
            out.append(",\"kind\":")
            out.appendJSONString(forest.kind)
            out.append(",\"trees\":")
            out.append(Int64(forest.trees))
            out.append(",\"nodes\":")
            out.append(Int64(forest.nodes))
            out.append(",\"leaves\":")
            out.append(Int64(forest.leaves))
            out.append("}")
        }
        out.append("],\"features\":[")
        let importance = Self.importance(model)
        for index in model.featureNames.indices {
            if index > 0 { out.append(",") }
            feature(index, importance[index], out)
        }
        out.append("],\"provenance\":")
        // A JSON object, which the model's builder has checked.
        out.append(Array((model.provenance.isEmpty ? "{}" : model.provenance).utf8))
        out.append(",\"specification\":")
        out.append(model.specificationJSON.isEmpty ? Array("null".utf8) : model.specificationJSON)
        out.append("}")
    }

    private func feature(_ index: Int, _ importance: Double, _ out: ByteBuffer) {
        let range = served.ranges[index]
        out.append("{\"name\":")
        out.appendJSONString(served.model.featureNames[index])
        if let feature = served.model.specification?.features[index] {
            out.append(",\"meaning\":")
            out.appendJSONString(FeatureMeaning.words(feature))
        }
        out.append(",\"importance\":")
        out.append(importance)
        out.append(",\"default\":")
        out.append(Double(served.defaults[index]))
        out.append(",\"low\":")
        out.append(range.low)
        out.append(",\"high\":")
        out.append(range.high)
        out.append(",\"typical\":")
        out.append(range.typical)
        flag("whole", range.isWhole, out)
        out.append(",\"choices\":")
        if let choices = range.choices {
            out.append("[")
            for (number, choice) in choices.enumerated() {
                if number > 0 { out.append(",") }
                out.append(choice)
            }
            out.append("]")
        } else {
            out.append("null")
        }
        out.append(",\"range_from\":")
        out.appendJSONString(range.source)
        out.append("}")
    }

    /// Mean over the outcomes of the split importance.
    static func importance(_ model: Model) -> [Double] {
        let all = model.summaries.map(\.splitImportance)
        return model.featureNames.indices.map { i in all.reduce(0) { $0 + $1[i] } / Double(max(1, all.count)) }
    }

    private func names(_ member: String, _ names: [String], _ out: ByteBuffer) {
        out.append(",")
        out.appendJSONString(member)
        out.append(":[")
        for (index, name) in names.enumerated() {
            if index > 0 { out.append(",") }
            out.appendJSONString(name)
        }
        out.append("]")
    }

    private func flag(_ name: String, _ value: Bool, _ out: ByteBuffer) {
        out.append(",")
        out.appendJSONString(name)
        if value { out.append(":true") } else { out.append(":false") }
    }
}

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
