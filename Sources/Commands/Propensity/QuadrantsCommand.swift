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
            .value(
                "effect", "UPLIFT",
                "The uplift above which an ad helps; within ± it does nothing. When not given: an uplift whose interval includes 0 is none"
            ),
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
            propensity: propensity.values, uplift: uplift.values,
            isDoubtful: command.isGiven("effect") ? nil : uplift.isDoubtful, propensityCut: cut, upliftCut: effect)
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
    ) throws -> (values: [Double], isDoubtful: [Bool]?, source: String) {
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
            let estimates = rows.estimates(model, standardErrors: name == "uplift")
            let own = rows.texts.indices.map { estimates[$0 * model.effectCount] }
            let isDoubtful = own.map { estimate in
                let (lower, upper) = ConfidenceLevel.usual.interval(estimate)
                return lower <= 0 && upper >= 0
            }
            return (
                own.map(\.effect), model.hasStandardErrors ? isDoubtful : nil,
                "\(model.name) \(model.version), sha256 \(model.sha256)"
            )
        }
        guard let column = command.text(name) else {
            throw command.invalid("\(name)-model", "name a model, or a column with --\(name)")
        }
        let rows = try ModelRows(path: path)
        let place = try rows.column(column, for: name)
        func number(_ row: Int, _ place: Int) throws(ImpactError) -> Double {
            let text = rows.texts[row][place]
            if text.allSatisfy({ $0 == " " }) { return .nan }
            guard let value = Double(text), value.isFinite else {
                throw rows.fault(row, place, "\"\(text.prefix(40))\" is not a number")
            }
            return value
        }
        let values = try rows.texts.indices.map { row throws(ImpactError) -> Double in
            let value = try number(row, place)
            guard name != "propensity" || value.isNaN || (0...1).contains(value) else {
                throw rows.fault(row, place, "\(rows.texts[row][place].prefix(40)) is not a probability")
            }
            return value
        }
        // The interval that `model score` writes beside its uplift.
        if name == "uplift", column == "uplift", let lower = rows.columns.firstIndex(of: "ci_lower"),
            let upper = rows.columns.firstIndex(of: "ci_upper")
        {
            let isDoubtful = try rows.texts.indices.map { row throws(ImpactError) -> Bool in
                let (low, high) = (try number(row, lower), try number(row, upper))
                return low <= 0 && high >= 0
            }
            return (values, isDoubtful, "column \(column), with its interval")
        }
        return (values, nil, "column \(column)")
    }
}
