import Base
import Explain
import Report
import Scoring
import Terminal

/// `impactiq model explain`: which features moved each row's effect, exactly.
enum ModelExplainCommand: Command {
    static let specification = CommandSpecification(
        "explain", "Exact Shapley values: what each feature adds to a row's effect",
        discussion: """
            For each row: the effect of a row of which nothing is known (the base), what each feature adds, and the row's own \
            effect, which is their sum. The values are path-dependent Shapley values (Lundberg and others 2020) of the \
            game v(S) = base + w (A_S - J_S base): numerator A and denominator J of the forest's effect, averaged over its \
            trees with only the features of S known, w the inverse denominator at the row (docs/explain.md).

            How often a split sends rows to either side is counted on --background rows: those that the model was trained \
            on, or like them. Without the option the file's own rows serve when there are 100 or more, else each split \
            counts as even.

            Text shows the first rows, --json one object a row for all of them.
            """,
        options: [
            .value("model", "MODEL", "The model file", required: true),
            .value("background", "FILE.csv", "Rows that say how common each value is; none: even splits"),
            .value("treatment", "NAME", "Of a model with several: whose effect; default the first"),
            .value("outcome", "NAME", "Of a model with several: the effect on what; default the first"),
            .value("rows", "N", "Rows that text shows", default: "5"),
            .value("top", "N", "Features that text shows for each row", default: "10"),
            .value("threads", "N", "Threads; 0 is one per processor; never changes a number", default: "0"),
            .flag("json", "Print one JSON object per row"),
            ModelKey.option,
        ],
        arguments: [.init("FILE.csv", "The rows, with a column for each feature; - is standard input")],
        examples: [
            .init("impactiq model explain --model spring.model customers.csv", "the first five rows, for a person"),
            .init(
                "impactiq model explain --model spring.model --background training.csv --json customers.csv",
                "every row, for a machine"),
        ])

    /// Rows of the file itself that are enough to count by.
    private static let leastBackground = 100

    static func run(_ command: ParsedCommand) throws {
        guard let path = command.text("model") else { throw command.invalid("model", "name the model file") }
        let model = try ModelKey.open(path, command)
        guard model.composition == nil else {
            throw ImpactError(
                .badInput, code: "not_explained",
                "\(path) is a \(model.kind) model; `model explain` takes causal forests. For a logistic response model "
                    + "`impactiq impact --model` says what each feature adds")
        }
        let effect = EffectExplainer.Effect(
            treatment: try place("treatment", model.treatments, command),
            outcome: try place("outcome", model.outcomes, command))
        let shown = try command.count("rows") ?? 5
        let top = try command.count("top") ?? 10
        let threads = try command.count("threads") ?? 0
        let input = command.arguments[0]
        let rows = try FeatureRows(path: input, features: model.featureNames)
        let given = command.text("background")
        let background: FeatureRows? =
            switch given {
            case "none": nil
            case let file?: try FeatureRows(path: file, features: model.featureNames)
            case nil: rows.count >= leastBackground ? rows : nil
            }
        let explainer =
            background.map { background in
                background.values.withUnsafeBufferPointer { values in
                    EffectExplainer(
                        model, background: values.baseAddress.map { ($0, background.stride, background.count) },
                        threads: threads)
                }
            } ?? EffectExplainer(model, threads: threads)
        let index = explainer.effects.firstIndex(of: effect) ?? 0
        let count = command.flag("json") ? rows.count : min(shown, rows.count)
        let answers = rows.values.withUnsafeBufferPointer { values in
            values.baseAddress.map { explainer.explain(rows: $0, stride: rows.stride, count: count, threads: threads) }
                ?? []
        }
        let names = (model.treatments[effect.treatment], model.outcomes[effect.outcome])
        if command.flag("json") {
            for (row, answer) in answers.enumerated() {
                Terminal.Stream.output.write(json(row, answer?[index], rows, model, names).line + "\n")
            }
            return
        }
        let cover =
            background.map { "splits as common as in \(HumanNumber.grouped($0.count)) rows of \(given ?? input)" }
            ?? "every split taken as even (name rows with --background)"
        Terminal.Stream.output.show(
            "Effect of \(names.0) on \(names.1) by model \(model.name) \(model.version); \(cover)\n")
        for (row, answer) in answers.enumerated() {
            Terminal.Stream.output.show(text(row, answer?[index], rows, model, top: top))
        }
        if rows.count > count {
            let rest = rows.count - count
            Terminal.Stream.output.write(
                "\n\(HumanNumber.grouped(rest)) more \(rest == 1 ? "row" : "rows"); --rows N or --json\n")
        }
    }

    private static func place(_ option: String, _ names: [String], _ command: ParsedCommand) throws(ImpactError) -> Int
    {
        guard let name = command.text(option) else { return 0 }
        guard let place = names.firstIndex(of: name) else {
            throw command.invalid(option, "must be one of \(NameList.text(names))")
        }
        return place
    }

    private static func text(
        _ row: Int, _ answer: Explanation?, _ rows: FeatureRows, _ model: Model, top: Int
    ) -> String {
        guard let answer else {
            return "\nrow \(row + 1): no estimate, because the model takes no missing or infinite value\n"
        }
        let order = answer.contributions.indices.sorted {
            (abs(answer.contributions[$0]), $1) > (abs(answer.contributions[$1]), $0)
        }
        let width = Terminal.Stream.output.windowSize?.columns ?? 100
        var table = Table(.text("feature"), .number("value"), .number("adds"))
        for feature in order.prefix(top) {
            let value = Double(rows.values[row * rows.stride + feature])
            table.add(
                model.featureNames[feature], value.isNaN ? "missing" : Figure.significant(value),
                signed(answer.contributions[feature]))
        }
        if order.count > top {
            let rest = order.dropFirst(top).reduce(0) { $0 + answer.contributions[$1] }
            table.add("\(order.count - top) others", "", signed(rest))
        }
        return "\nrow \(row + 1): effect \(signed(answer.value)) = base \(signed(answer.base)) and\n"
            + table.text(width: width)
    }

    private static func signed(_ value: Double) -> String { (value > 0 ? "+" : "") + Figure.significant(value) }

    private static func json(
        _ row: Int, _ answer: Explanation?, _ rows: FeatureRows, _ model: Model, _ names: (String, String)
    ) -> JSONOutput {
        var members: [(name: String, value: JSONOutput)] = [
            ("row", .integer(row + 1)), ("treatment", .text(names.0)), ("outcome", .text(names.1)),
        ]
        guard let answer else {
            return .object(members + [("base", .null), ("uplift", .null), ("contributions", .null)])
        }
        members += [("base", .number(answer.base)), ("uplift", .number(answer.value))]
        members.append(
            (
                "contributions",
                .object(model.featureNames.enumerated().map { ($1, .number(answer.contributions[$0])) })
            ))
        return .object(members)
    }
}
