import Base
import Explain
import Report
import Scoring
import Terminal

/// `impactiq model explain`: which features moved each row's effect, exactly.
enum ModelExplainCommand: Command {
    static let specification = CommandSpecification(
        "explain", "Exact Shapley values: what each feature adds to a row's effect or probability",
        discussion: """
            For each row: the effect of a row of which nothing is known (the base), what each feature adds, and the row's own \
            effect, which is their sum. Response models and learners that are sums of trees or linear are explained by \
            TreeSHAP and coefficient × deviation; those with a logistic link in log odds. For causal forests the values are path-dependent Shapley values (Lundberg and others 2020) of the \
            game v(S) = base + w (A_S - J_S base): numerator A and denominator J of the forest's effect, averaged over its \
            trees with only the features of S known, w the inverse denominator at the row (docs/explain.md).

            How often a split sends rows to either side is counted on --background rows: those that the model was trained \
            on, or like them. Without the option rows are drawn from the quantiles of the training data, which 'train' keeps in \
            the model file; of a model without them the file's own rows serve when there are 100 or more, else each split \
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
    static let leastBackground = 100

    static func run(_ command: ParsedCommand) throws {
        guard let path = command.text("model") else { throw command.invalid("model", "name the model file") }
        let model = try ModelKey.open(path, command)
        let effect =
            try place("treatment", model.treatments, command) * model.outcomes.count
            + place("outcome", model.outcomes, command)
        let shown = try command.count("rows") ?? 5
        let top = try command.count("top") ?? 10
        let threads = try command.count("threads") ?? 0
        let input = command.arguments[0]
        let rows = try FeatureRows(path: input, model: model)
        let given = command.text("background")
        let background = try Self.background(model, given, own: rows)
        let explainer = try ModelExplainer(model, over: background, threads: threads)
        let count = command.flag("json") ? rows.count : min(shown, rows.count)
        let answers = rows.values.withUnsafeBufferPointer { values in
            values.baseAddress.map { explainer.explain(rows: $0, stride: rows.stride, count: count, threads: threads) }
                ?? []
        }
        let scores = Self.scores(rows, count, model, effect)
        let names = (
            model.treatments[effect / model.outcomes.count], model.outcomes[effect % model.outcomes.count]
        )
        let scale = explainer.scales[effect]
        if command.flag("json") {
            for (row, answer) in answers.enumerated() {
                Terminal.Stream.output.write(
                    json(row, answer?[effect], scores[row], model, names, explainer, effect).line + "\n")
            }
            return
        }
        let cover = background.words + (given.map { $0 == "none" ? "" : " of \($0)" } ?? "")
        Terminal.Stream.output.show(
            (model.isResponse ? "\(names.1): what adds to \(scale.words)" : "Effect of \(names.0) on \(names.1)")
                + " by model \(model.name) \(model.version); \(cover)\n")
        for (row, answer) in answers.enumerated() {
            Terminal.Stream.output.show(
                text(row, answer?[effect], rows, model, top: top, explainer, effect))
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

    /// The rows of a file; none; or, when nobody says, the training data as the model file describes it, else the file's own
    /// rows when they are enough.
    static func background(
        _ model: Model, _ given: String?, own: @autoclosure () -> FeatureRows
    ) throws(ImpactError) -> Background {
        switch given {
        case "none": return .even
        case let file?: return Background(try FeatureRows(path: file, model: model))
        case nil:
            if let training = Background.training(model) { return training }
            let own = own()
            return own.count >= leastBackground ? Background(own) : .even
        }
    }

    /// What the scorer says of each row, to the bit.
    private static func scores(_ rows: FeatureRows, _ count: Int, _ model: Model, _ effect: Int) -> [Double] {
        let scorer = Scorer(model: model, maxRows: 1)
        var row = [Float](repeating: 0, count: model.rowStride)
        var estimates = [Estimate](repeating: Estimate(effect: 0, standardError: 0), count: model.effectCount)
        return (0..<count).map { number in
            for feature in 0..<rows.stride { row[feature] = rows.values[number * rows.stride + feature] }
            _ = scorer.score(rows: row, stride: model.rowStride, count: 1, into: &estimates)
            return estimates[effect].effect
        }
    }

    private static func text(
        _ row: Int, _ answer: Explanation?, _ rows: FeatureRows, _ model: Model, top: Int, _ explainer: ModelExplainer,
        _ effect: Int
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
                model.featureNames[feature], shown(value, model, feature),
                signed(answer.contributions[feature]))
        }
        if order.count > top {
            let rest = order.dropFirst(top).reduce(0) { $0 + answer.contributions[$1] }
            table.add("\(order.count - top) others", "", signed(rest))
        }
        let scale = explainer.scales[effect]
        let result =
            scale == .logOdds
            ? "probability \(Figure.significant(explainer.value(effect, of: answer))), log odds "
                + Figure.significant(answer.value) : "\(scale.rawValue) \(signed(answer.value))"
        return "\nrow \(row + 1): \(result) = base \(signed(answer.base)) and\n" + table.text(width: width)
    }

    /// A value as the rows have it: of a category its text.
    private static func shown(_ value: Double, _ model: Model, _ feature: Int) -> String {
        if value.isNaN { return "missing" }
        guard let levels = model.levels(feature: feature) else { return Figure.significant(value) }
        return levels.indices.contains(Int(value)) ? levels[Int(value)] : "unknown"
    }

    private static func signed(_ value: Double) -> String { (value > 0 ? "+" : "") + Figure.significant(value) }

    private static func json(
        _ row: Int, _ answer: Explanation?, _ score: Double, _ model: Model, _ names: (String, String),
        _ explainer: ModelExplainer, _ effect: Int
    ) -> JSONOutput {
        var members: [(name: String, value: JSONOutput)] = [("row", .integer(row + 1))]
        if !model.isResponse { members.append(("treatment", .text(names.0))) }
        members.append(("outcome", .text(names.1)))
        // A response model's number has its own name, and the scale of its contributions is told.
        let name = model.isResponse ? model.responseName : "uplift"
        if model.isResponse { members.append(("scale", .text(explainer.scales[effect].rawValue))) }
        guard let answer else {
            return .object(members + [("base", .null), (name, .null), ("contributions", .null)])
        }
        members.append(("base", .number(answer.base)))
        if explainer.scales[effect] == .logOdds { members.append(("log_odds", .number(answer.value))) }
        members.append((name, .number(score)))
        members.append(
            (
                "contributions",
                .object(model.featureNames.enumerated().map { ($1, .number(answer.contributions[$0])) })
            ))
        return .object(members)
    }
}
