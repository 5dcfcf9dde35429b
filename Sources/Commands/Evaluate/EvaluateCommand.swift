import Base
import Evaluation
import Foundation
import Report
import Terminal

/// `impactiq evaluate`: does targeting by these scores pay?
enum EvaluateCommand: Command {
    static let specification = CommandSpecification(
        "evaluate", "Qini, AUUC, AUTOC, uplift@k, calibration, costs, arms and the value of targeting rules",
        discussion: """
            Reads a CSV with a heading: one row per person of a randomised trial, with the model's score, the arm and the \
            outcome. Prints every number with its interval; --report writes them as one HTML page that needs nothing \
            else, --plot draws the Qini curve, --json is for machines. Qini, AUUC and uplift@k are scikit-uplift's. \
            Intervals of groups and of policy values are analytic, those of areas and curves are bootstrap percentiles; \
            equal seeds give equal numbers. Rows of one user are not independent: say --cluster. A file of 'impactiq rows' \
            is read as it is: arm, arm_propensity, experiment, censored; several experiments are compared within each. With a \
            score for each arm (uplift:OUTCOME:ARM, as 'model score' and 'rows --scores' write them) each arm is \
            evaluated, and the choice of the best arm for each person. --challenger COLUMN compares two scores, paired.

            With --policy the CSV is a log of decisions instead (--action, --outcome as the reward, --propensity of the \
            action taken, --stratum where actions mean another thing): what would another policy have earned? Estimated \
            by IPS, self-normalised IPS and doubly robust, with effective sample size and a warning on poor overlap; --report writes a page of its own. \
            A policy is uniform, always:ACTION, log:OTHER.csv (what another log did, by stratum), or columns:PREFIX (its \
            probability of action A stands in column PREFIX A, without a space).

            With --topic there is no CSV: each assignment in a range of the input topic is joined with the score published for \
            it and with its outcomes (as 'impactiq rows --scores' does), and the trial is evaluated.
            """,
        options: EvaluateOptions.all + TopicEvaluation.options,
        arguments: [.init("FILE.csv", "The rows; - is standard input; none with --topic", optional: true)],
        examples: [
            .init("impactiq evaluate scored.csv --plot", "columns uplift, treatment, outcome"),
            .init(
                "impactiq evaluate scored.csv --score uplift --treatment arm --treated ad --outcome visit "
                    + "--report report.html", "own names, and the page"),
            .init(
                "impactiq evaluate rows-scored.csv --treated ad --cluster user_id --covariates recency,clicks_7d --cost 0.05 "
                    + "--outcome-value 12", "a file of 'impactiq rows' with scores; balance and costs"),
            .init(
                "impactiq evaluate log.csv --policy uniform --action item_id --outcome click "
                    + "--propensity propensity_score --stratum position", "off-policy value of a log of decisions"),
            .init(
                "impactiq evaluate --topic uplift-scores --outcome visit --treated ad --report report.html",
                "what was published, against what happened"),
        ])

    static func run(_ command: ParsedCommand) throws {
        if let topic = command.text("topic") {
            guard command.arguments.isEmpty else { throw command.invalid("topic", "takes no CSV beside it") }
            return try TopicEvaluation.run(command, topic: topic)
        }
        guard let path = command.arguments.first else {
            throw ImpactError(
                .usage, code: "missing_argument", "FILE.csv is missing, or --topic\nsee 'impactiq evaluate --help'")
        }
        if command.isGiven("policy") { return try OffPolicyEvaluation.run(command, path: path) }
        for option in ["action", "stratum", "actions"] where command.isGiven(option) {
            throw command.invalid(option, "belongs to off-policy evaluation: say --policy too")
        }
        let options = try EvaluateOptions.evaluation(command)
        let reading = try TrialReader.read(path, EvaluateOptions.columns(command))
        var provenance = EvaluationProvenance(reading)
        provenance.dataSHA256 = try FileHash.sha256(path)
        try write(reading, options, provenance, command)
    }

    /// Computes the report and writes it as the command line asks.
    static func write(
        _ reading: TrialReading, _ options: EvaluationOptions, _ given: EvaluationProvenance, _ command: ParsedCommand
    ) throws {
        var provenance = given
        if let title = command.text("title") { provenance.title = title }
        if provenance.model == nil, let name = command.text("model-name") { provenance.model = name }
        provenance.command = commandLine
        provenance.time = Date().formatted(.iso8601)
        let report = try EvaluationReport.compute(
            reading.trial, options: options, provenance: provenance, extras: reading.extras)
        if let page = command.text("report") { try write(report.html, to: page) }
        let width = Terminal.Stream.output.windowSize?.columns ?? 100
        if command.flag("json") {
            Terminal.Stream.output.write(report.json.line + "\n")
        } else {
            Terminal.Stream.output.write(report.text(width: width))
            if command.flag("plot") { Terminal.Stream.output.write("\n" + report.plot(width: min(width, 100))) }
        }
    }
}

extension EvaluateCommand {
    /// As it was typed, for a report's provenance.
    static var commandLine: String {
        (["impactiq"] + Secrets.masked(commandLine: Array(CommandLine.arguments.dropFirst()))).joined(separator: " ")
    }

    static func write(_ page: String, to path: String) throws {
        try OutputFile.write(Array(page.utf8), to: path, access: .shared)
    }
}

/// The SHA-256 of a file's bytes, for provenance.
enum FileHash {
    /// In hexadecimal; nil for standard input, which can be read once only.
    static func sha256(_ path: String) throws(ImpactError) -> String? {
        guard path != "-" else { return nil }
        let sum = SHA256()
        do throws(ImpactError) {
            try OpenFile(reading: path).forEachChunk { sum.update($0) }
        } catch {
            // A named pipe was read by now: what is left has no hash of its own.
            return nil
        }
        return SHA256.hex(sum.finalize())
    }
}
