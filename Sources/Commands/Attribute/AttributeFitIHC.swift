import Attribution
import AttributionStore
import Base
import JSON
import Report
import Terminal

/// `impactiq attribute fit-ihc`: curves from an IHC API's answers.
enum AttributeFitIHC: Command {
    static let specification = CommandSpecification(
        "fit-ihc", "Fit the IHC model's curves to results of an IHC API",
        discussion: """
            RESULTS.json is a list of journeys, each with its sessions: session_id, timestamp, channel_label, \
            holder_engagement, closer_engagement, and the answers initializer, holder, closer and ihc; or one flat list of \
            such sessions with a conversion_id each. Fits the curves over time and phase weights, curves over the position in the \
            journey where journeys that were not used come out better with them, says by cross-validation how well they \
            reproduce journeys that were not used for the fit, and writes the curves fitted to all of them. With --check \
            another file of results is compared with the curves as they are.
            """,
        options: [
            .value("out", "IHC.json", "Write the curves"),
            .value("check", "OTHER.json", "Compare the fitted curves with results that were not used"),
            .value("ihc", "IHC.json", "With --check: use these curves instead of fitting"),
            .value("folds", "N", "Parts of the cross-validation", default: "10"),
            .value("time-zone", "ZONE", "The zone of times that name none", default: "UTC"),
            .flag("json", "Print one JSON object"),
        ],
        arguments: [.init("RESULTS.json", "The results, also as .gz", optional: true)],
        examples: [
            .init("impactiq attribute fit-ihc results.json --out ihc.json", "then run --model ihc --ihc ihc.json")
        ])

    static func run(_ command: ParsedCommand) throws {
        let clock = try LocalClock(named: command.text("time-zone") ?? "UTC")
        var found: IHCParameters?
        var quality: IHCFitQuality?
        if let path = command.text("ihc") {
            found = try IHCParameters(json: try AttributeOptions.json(path), name: path)
        } else if let path = command.arguments.first {
            let answers = try IHCResults.read(path, clock: clock)
            found = try IHCFit.fit(answers)
            let folds = try command.count("folds") ?? 10
            guard folds > 1 else { throw command.invalid("folds", "must be at least 2") }
            quality = try IHCFit.crossValidate(answers, folds: folds)
        }
        guard let parameters = found else {
            throw ImpactError(
                .usage, code: "missing_argument", "RESULTS.json is missing\nsee 'impactiq attribute fit-ihc --help'")
        }
        var checked: IHCFitQuality?
        if let path = command.text("check") {
            checked = IHCFit.compare(IHCModel(parameters), try IHCResults.read(path, clock: clock))
        }
        if let out = command.text("out") {
            try OutputFile.write(Array((AttributeJSON.text(parameters.json(fit: quality)) + "\n").utf8), to: out)
        }
        if command.flag("json") {
            let nothing = JSONValue.null
            let answer = JSONValue.object([
                .init("fit", quality?.json ?? nothing), .init("check", checked?.json ?? nothing),
                .init("parameters", parameters.json(fit: nil)),
            ])
            Terminal.Stream.output.write(AttributeJSON.text(answer) + "\n")
            return
        }
        var text =
            "phase weights: initializer \(Figure.fixed(parameters.initializerWeight, 3)), holder "
            + "\(Figure.fixed(parameters.holderWeight, 3)), closer \(Figure.fixed(parameters.closerWeight, 3)); new start after "
            + (parameters.restartHours.isFinite ? "\(Figure.fixed(parameters.restartHours, 1)) h\n" : "no gap\n")
        let positions = [
            ("initializer", parameters.positions.initializer), ("holder", parameters.positions.holder),
            ("closer", parameters.positions.closer),
        ].filter { $0.1 != nil }.map(\.0)
        text +=
            positions.isEmpty
            ? "the position in the journey makes no difference\n"
            : "curves over the position: \(positions.joined(separator: ", "))\n"
        if let quality { text += line("held out, \(quality.folds) folds", quality) }
        if let checked { text += line("check", checked) }
        Terminal.Stream.output.write(text)
    }

    private static func line(_ name: String, _ quality: IHCFitQuality) -> String {
        "\(name): mean absolute error \(Figure.fixed(quality.meanError, 4)), 95th percentile "
            + "\(Figure.fixed(quality.percentile95, 4)), largest \(Figure.fixed(quality.largest, 4)) over "
            + "\(quality.severalSessions) journeys of several sessions of \(quality.journeys); an equal split errs by "
            + "\(Figure.fixed(quality.equalSplit, 4))\n"
    }
}

/// JSON text of a value.
enum AttributeJSON {
    static func text(_ value: JSONValue) -> String { output(value).line }

    private static func output(_ value: JSONValue) -> JSONOutput {
        switch value {
        case .null: .null
        case .bool(let value): .bool(value)
        case .number(let value): .number(value)
        case .string(let text): .text(text)
        case .array(let values): .array(values.map(output))
        case .object(let members): .object(members.map { ($0.name, output($0.value)) })
        }
    }
}
