import Base
import Foundation
import Propensity
import Scoring
import Terminal

/// `impactiq quadrants`: propensity without an ad × uplift.
enum QuadrantsCommand: Command {
    static let specification = CommandSpecification(
        "quadrants", "Persuadables, sure things, lost causes, sleeping dogs: propensity without an ad × uplift",
        discussion: """
            Scores every customer with a response model trained on people who saw no ad (the control rows of a trial) and \
            with a model of the ad's effect, and counts the four groups. Columns that hold the two numbers already do as well \
            (--propensity, --uplift).
            """,
        options: [
            .value("propensity-model", "MODEL", "A response model of people without an ad"),
            .value("uplift-model", "MODEL", "A model of the ad's effect"),
            ModelKey.option,
            .value("propensity", "COLUMN", "The column of the propensity, instead of a model"),
            .value("uplift", "COLUMN", "The column of the uplift, instead of a model"),
            .value("cut", "P", "The propensity from which a customer buys anyway", default: "0.5"),
            .value("effect", "UPLIFT", "The uplift above which an ad helps; within ± it does nothing", default: "0"),
            .value("report", "FILE.html", "Write one page"), .flag("json", "Print one JSON object"),
        ], arguments: [.init("CUSTOMERS.csv", "One row a customer")],
        examples: [
            .init(
                "impactiq quadrants customers.csv --propensity-model control.model --uplift-model spring.model "
                    + "--report quadrants.html", "two models, one page")
        ])

    static func run(_ command: ParsedCommand) throws {
        let cut = try command.number("cut") ?? 0.5
        guard (0...1).contains(cut) else { throw command.invalid("cut", "must be 0 to 1") }
        let effect = try command.number("effect") ?? 0
        guard effect >= 0 else { throw command.invalid("effect", "must not be negative") }
        let path = command.arguments[0]
        let propensity = try numbers("propensity", path, command)
        let uplift = try numbers("uplift", path, command)
        let known = zip(propensity.values, uplift.values).count { $0.isFinite && $1.isFinite }
        guard known > 0 else {
            throw ImpactError(
                .badInput, code: "no_estimates", "\(path): no row has both a propensity and an uplift")
        }
        let quadrants = Quadrants(
            propensity: propensity.values, uplift: uplift.values, propensityCut: cut,
            upliftCut: effect)
        if let page = command.text("report") {
            try EvaluateCommand.write(
                quadrants.html(facts: [
                    ("Customers", path), ("Propensity", propensity.source), ("Uplift", uplift.source),
                    ("Command", EvaluateCommand.commandLine), ("Made", Date().formatted(.iso8601)),
                ]), to: page)
        }
        Terminal.Stream.output.write(command.flag("json") ? quadrants.json.line + "\n" : quadrants.text)
    }

    /// One number per row, from a model or a column.
    private static func numbers(
        _ name: String, _ path: String, _ command: ParsedCommand
    ) throws -> (values: [Double], source: String) {
        if let file = command.text("\(name)-model") {
            guard !command.isGiven(name) else { throw command.invalid(name, "give a column or a model, not both") }
            let model = try ModelKey.open(file, command)
            guard name != "propensity" || model.predictsProbabilities else {
                throw command.invalid("propensity-model", "must be a model of 'impactiq train --kind response'")
            }
            guard name != "uplift" || !model.isResponse else {
                throw command.invalid("uplift-model", "it predicts the outcome, not the effect of an ad on it")
            }
            let rows = try ModelRows(path: path, model: model)
            let estimates = rows.estimates(model)
            let values = rows.texts.indices.map { estimates[$0 * model.effectCount].effect }
            return (values, "\(model.name) \(model.version), sha256 \(model.sha256)")
        }
        guard let column = command.text(name) else {
            throw command.invalid("\(name)-model", "name a model, or a column with --\(name)")
        }
        let rows = try ModelRows(path: path)
        let place = try rows.column(column, for: name)
        let values = try rows.texts.enumerated().map { row, fields -> Double in
            guard let value = Double(fields[place]), value.isFinite else {
                throw ImpactError(
                    .badInput, code: "csv_value",
                    "line \(rows.lines[row]), column '\(column)': \"\(fields[place].prefix(40))\" is not a number")
            }
            guard name != "propensity" || (0...1).contains(value) else {
                throw ImpactError(
                    .badInput, code: "csv_value",
                    "line \(rows.lines[row]), column '\(column)': \(fields[place].prefix(40)) is not a probability")
            }
            return value
        }
        return (values, "column \(column)")
    }
}
