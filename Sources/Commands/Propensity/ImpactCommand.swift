import Base
import Explain
import Foundation
import Propensity
import Scoring
import Terminal

/// `impactiq impact`: which parameters move a customer, by a team's weights and by the model itself.
enum ImpactCommand: Command {
    static let specification = CommandSpecification(
        "impact", "What moves each customer: (value − baseline) × weight, beside what the model makes of it",
        discussion: """
            The weights file lists features with a baseline and a weight; a baseline in quotes makes a category, which adds \
            its weight when the value differs. With --model the probability of the outcome stands beside the impacts, and \
            what each feature really adds to it: exact Shapley values (TreeSHAP) of trees, coefficient × deviation from the \
            training mean of a logistic regression; how common values are is counted on --background rows. \
            --history appends one JSON object a customer to a file, so that later runs can be compared.
            """,
        options: [
            .value("weights", "FILE.json", "Weights and baselines", required: true),
            .value("model", "MODEL", "A response model, for the prediction and its reasons"),
            ModelKey.option,
            .value(
                "background", "FILE.csv",
                "Rows that say how common values are; else the training data as the model file has it, or the file's own"
            ),
            .value("id", "COLUMN", "The column that names a customer", default: "customer_id"),
            .value("customer", "ID", "Only this customer; may be repeated", repeated: true),
            .value("history", "FILE.jsonl", "Append each customer's values, impacts and result"),
            .value("report", "FILE.html", "Write one page"), .flag("json", "One JSON object per line"),
        ], arguments: [.init("CUSTOMERS.csv", "One row a customer")],
        examples: [
            .init("impactiq impact customers.csv --weights impact.json", "impacts of every customer"),
            .init(
                "impactiq impact customers.csv --weights impact.json --model purchase.model --customer 17 --report why.html",
                "one customer, with the model's own reasons"),
        ])

    static func run(_ command: ParsedCommand) throws {
        guard let weights = command.text("weights") else { throw command.invalid("weights", "name the file") }
        let analysis = try ImpactAnalysis(json: try OpenFile.contents(of: weights), name: weights)
        let model = try command.text("model").map { try ModelKey.open($0, command) }
        if let model, !model.predictsProbabilities {
            throw command.invalid("model", "must be a model of 'impactiq train --kind response'")
        }
        let rows = try ModelRows(path: command.arguments[0], model: model)
        let id = try rows.column(command.text("id") ?? "customer_id", for: "customer's id")
        var columnOf: [String: Int] = [:]
        for feature in analysis.features {
            columnOf[feature.name] = try rows.column(feature.name, for: "impacts of \(weights)")
        }
        for (index, fields) in rows.texts.enumerated() {
            for (name, column) in columnOf where !analysis.accepts(fields[column], for: name) {
                throw rows.fault(
                    index, column,
                    "\"\(fields[column].prefix(40))\" is not a number, which its baseline in \(weights) is")
            }
        }
        let estimates = model.map { rows.estimates($0) }
        let explained = try model.map { try explain($0, rows, background: command.text("background")) }
        let wanted = Set(command.texts("customer"))
        if let missing = wanted.subtracting(rows.texts.map { $0[id] }).sorted().first {
            throw ImpactError(
                .badInput, code: "no_customer", "\(command.arguments[0]) has no row of the customer '\(missing)'")
        }
        var report = ImpactReport(
            customers: [], outcome: model?.outcomes.first, scale: explained?.scale ?? "",
            time: Date().formatted(.iso8601))
        for (index, fields) in rows.texts.enumerated() where wanted.isEmpty || wanted.contains(fields[id]) {
            var customer = ImpactReport.Customer(
                id: fields[id], impacts: analysis.impacts { name in columnOf[name].map { fields[$0] } })
            if let model, let estimates {
                customer.probability = estimates[index * model.effectCount].effect
                if let explained, let answer = explained.answers[index]?[0] {
                    customer.base = answer.base
                    customer.contributions = zip(model.featureNames, answer.contributions).map { name, value in
                        (name, rows.columns.firstIndex(of: name).map { fields[$0] } ?? "", value)
                    }
                }
            }
            report.customers.append(customer)
        }
        if let history = command.text("history") { try append(report, to: history) }
        if let page = command.text("report") {
            let html = report.html(facts: [
                ("Customers", command.arguments[0]), ("Weights", weights), ("Model", model?.name),
                ("SHA-256 of the model", model?.sha256), ("Command", EvaluateCommand.commandLine),
            ])
            // It names customers: its owner's alone.
            try OutputFile.write(Array(html.utf8), to: page)
        }
        Terminal.Stream.output.write(
            command.flag("json") ? report.customers.map { report.json($0).line + "\n" }.joined() : report.text)
    }

    /// What each feature adds to the first outcome; nil for a row without an estimate.
    private static func explain(
        _ model: Model, _ rows: ModelRows, background: String?
    ) throws -> (answers: [[Explanation]?], scale: String) {
        let count = rows.texts.count
        let own = Background(rows.inputs, stride: model.rowStride, source: .rows)
        let chosen =
            try background.map { Background(try FeatureRows(path: $0, model: model)) } ?? Background.training(model)
            ?? (own.count >= ModelExplainCommand.leastBackground ? own : .even)
        let explainer = try ModelExplainer(model, over: chosen)
        return rows.inputs.withUnsafeBufferPointer { inputs in
            guard let start = inputs.baseAddress else { return ([], "") }
            return (explainer.explain(rows: start, stride: model.rowStride, count: count), explainer.scales[0].words)
        }
    }

    /// One write a run, appended; readable by its owner alone.
    private static func append(_ report: ImpactReport, to path: String) throws {
        let file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else {
            throw ImpactError(.failed, code: "file_failed", "cannot write \(path): \(String(cString: strerror(errno)))")
        }
        defer { close(file) }
        let lines = Array(report.customers.map { report.json($0).line + "\n" }.joined().utf8)
        var done = 0
        while done < lines.count {
            let count = lines.withUnsafeBytes { write(file, $0.baseAddress! + done, $0.count - done) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw ImpactError(
                    .failed, code: "file_failed", "cannot write \(path): \(String(cString: strerror(errno)))")
            }
            done += count
        }
    }
}
