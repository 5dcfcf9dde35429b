import Backtest
import Base
import Evaluation
import Features
import Foundation
import Pipeline
import Terminal

/// `impactiq evaluate --topic`: published scores joined with the outcomes of the event topic.
///
/// The same code as `rows --scores` makes one row an assignment, with the score of the assigning event; the rows go
/// through a file in the temporary folder, so that they are read as any other trial is.
enum TopicEvaluation {
    static let options: [CommandSpecification.Option] =
        ConfigurationOptions.options + BacktestSource.options + BacktestSource.userOptions + RowsCommand.outcomeOptions
        + [
            .value("topic", "TOPIC", "Evaluate the scores in this topic; --outcome is conversion, value or visit then"),
            .value("rows-out", "FILE.csv", "With --topic: keep the joined rows"),
        ]

    static func run(_ command: ParsedCommand, topic: String) throws {
        for option in ["treatment", "covariates", "cost-column"] where command.isGiven(option) {
            throw command.invalid(option, "belongs to the evaluation of a CSV: make one with 'impactiq rows --scores'")
        }
        let configuration = try ConfigurationOptions.load(command)
        let name = command.isGiven("outcome") ? command.text("outcome") ?? "" : "conversion"
        let rule = try rule(name)
        // The rows are about scores: a specification has one feature at least, so it is a cheap one.
        let specification = #"{"features":[{"name":"since_event","aggregate":"recency"}]}"#
        var rows = RowsOptions(specification: try FeatureSpecification(json: Array(specification.utf8)))
        rows.keepsCensored = false
        rows.outcomes = [rule]
        rows.threads = try command.count("threads") ?? 0
        let path =
            command.text("rows-out")
            ?? FileManager.default.temporaryDirectory.appending(path: "impactiq-trial-\(UUID().uuidString).csv").path
        defer { if !command.isGiven("rows-out") { try? FileManager.default.removeItem(atPath: path) } }
        let run = try RowsRun(command, configuration, &rows, scores: topic)
        let counters = try run.write(to: path)
        guard counters.rows > 0 else {
            throw ImpactError(
                .badInput, code: "no_rows",
                "no assignment of \(run.source.description) has both a score in \(topic) and a complete outcome window: "
                    + "\(counters.withoutScore) have no score (score.events must name the type of the assigning events, or "
                    + "say --score-at before), \(counters.censored) are censored (shorten --outcome-window)")
        }
        var columns = try EvaluateOptions.columns(command)
        columns.treatment = "arm"
        columns.outcome = rule.name
        // Assignments of one user are not independent.
        columns.cluster = columns.cluster ?? "user_id"
        let reading = try TrialReader.read(path, columns)
        var provenance = EvaluationProvenance(reading)
        provenance.data = "\(topic) joined with \(run.source.description)"
        let models = counters.models.sorted()
        let parts = models.first?.split(separator: " ").map(String.init) ?? []
        if models.count == 1, parts.count >= 3 {
            provenance.model = parts.dropLast(2).joined(separator: " ")
            provenance.modelVersion = parts[parts.count - 2]
            provenance.modelSHA256 = parts.last
        } else if models.count > 1 {
            provenance.remarks.append("the scores are of \(models.count) models: \(models.joined(separator: "; "))")
        }
        provenance.outcomeName = "\(rule.text) within \(command.text("outcome-window") ?? "")"
        provenance.remarks += remarks(counters)
        try EvaluateCommand.write(reading, try EvaluateOptions.evaluation(command), provenance, command)
    }

    private static func rule(_ text: String) throws(ImpactError) -> OutcomeRule {
        if text.contains("=") { return try OutcomeRule(text) }
        if let rule = OutcomeRule.usual.first(where: { $0.name == text }) { return rule }
        throw ImpactError(
            .usage, code: "invalid_option_value",
            "--outcome '\(text)': with --topic it is conversion, value, visit, or a rule as visits=count:click")
    }

    private static func remarks(_ counters: RowsCounters) -> [String] {
        var remarks: [String] = []
        if counters.censored > 0 {
            remarks.append(
                "\(counters.censored) assignments are left out: their outcome window was not over at the end of the range"
            )
        }
        if counters.withoutScore > 0 { remarks.append("\(counters.withoutScore) assignments have no score: left out") }
        if counters.outOfOrder > 0 {
            remarks.append("\(counters.outOfOrder) assignments arrived after later events of their user: left out")
        }
        return remarks
    }
}
