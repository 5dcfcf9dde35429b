import Base
import Evaluation
import Foundation
import Terminal

/// `impactiq evaluate --policy`: the value of a policy from another one's log.
enum OffPolicyEvaluation {
    static func run(_ command: ParsedCommand, path: String) throws {
        for option in [
            "score", "challenger", "treatment", "treated", "control", "std-error", "arm-propensity", "experiment",
            "experiment-column", "covariates", "cost", "cost-column", "outcome-value",
        ] where command.isGiven(option) {
            throw command.invalid(option, "belongs to the evaluation of a trial, not to --policy")
        }
        if command.flag("plot") {
            throw command.invalid("plot", "belongs to the evaluation of a trial, not to --policy")
        }
        var columns = DecisionColumns()
        columns.action = command.text("action") ?? columns.action
        columns.reward = command.isGiven("outcome") ? command.text("outcome") ?? "" : columns.reward
        columns.propensity = command.text("propensity") ?? columns.propensity
        columns.stratum = command.text("stratum")
        columns.weight = command.text("weight")
        columns.cluster = command.text("cluster")
        columns.skipsMissing = command.flag("skip-missing")
        let level = try command.number("level") ?? 0.95
        guard level > 0, level < 1 else { throw command.invalid("level", "must be strictly between 0 and 1") }
        let policy = try policy(command)
        if case .columns(let prefix) = policy { columns.policyPrefix = prefix }
        let reading = try DecisionLogReader.read(
            path, columns, policyLog: policy.path, extraAction: policy.action, actions: try command.count("actions"))
        let seed = try command.seed("seed") ?? 1
        let value = try OffPolicyValue(reading.policy(policy), reading.log, seed: seed, level: level)
        var provenance = OffPolicyProvenance()
        provenance.title = command.text("title")
        provenance.columns = columns
        provenance.dataSHA256 = try FileHash.sha256(path)
        provenance.policySHA256 = try policy.path.flatMap { path throws(ImpactError) in try FileHash.sha256(path) }
        provenance.seed = seed
        provenance.command = EvaluateCommand.commandLine
        provenance.time = Date().formatted(.iso8601)
        let report = OffPolicyReport(value: value, reading: reading, level: level, provenance: provenance)
        if let page = command.text("report") { try EvaluateCommand.write(report.html, to: page) }
        let width = Terminal.Stream.output.windowSize?.columns ?? 100
        Terminal.Stream.output.write(command.flag("json") ? report.json.line + "\n" : report.text(width: width))
    }

    private static func policy(_ command: ParsedCommand) throws(ImpactError) -> LoggedPolicy {
        let text = command.text("policy") ?? ""
        if text == "uniform" { return .uniform }
        for (prefix, make) in [
            ("always:", LoggedPolicy.always), ("log:", LoggedPolicy.log), ("columns:", LoggedPolicy.columns),
        ] where text.hasPrefix(prefix) && text.count > prefix.count {
            return make(String(text.dropFirst(prefix.count)))
        }
        throw command.invalid("policy", "must be uniform, always:ACTION, log:OTHER.csv or columns:PREFIX")
    }
}
