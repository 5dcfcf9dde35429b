import Base
import Evaluation
import Foundation
import Report
import Statistics
import Terminal

/// The options of `evaluate`, read into the library's own.
enum EvaluateOptions {
    static let all: [CommandSpecification.Option] = [
        .value(
            "score", "COLUMN",
            "The predicted effect, highest targeted first; default uplift, or uplift:OUTCOME:ARM of the treated arm"),
        .value("challenger", "COLUMN", "A second score, compared with the first on the same rows"),
        .value("treatment", "COLUMN", "The arm; default treatment, or arm in a file of 'impactiq rows'"),
        .value(
            "outcome", "COLUMN",
            "The outcome, with --policy the reward: 0/1, or any number; default outcome, or conversion; with --policy reward"
        ),
        .value("treated", "LABEL", "The arm that means treated; default 1, true, yes, treated, treatment"),
        .value("control", "LABEL", "The arm that means control; default 0, false, no, control, none"),
        .value("weight", "COLUMN", "How much a row counts"),
        .value(
            "propensity", "COLUMN",
            "Probability of being treated, or a number for every row; a column named propensity is read by itself"),
        .value(
            "arm-propensity", "COLUMN",
            "Probability of the arm taken; a column named arm_propensity is read by itself"),
        .value("std-error", "COLUMN", "The score's standard error; std_error of uplift is read by itself"),
        .value(
            "cluster", "COLUMN",
            "Rows of one value (a user, a household) are not independent; default user_id with --topic"),
        .value("experiment", "ID", "Only rows of this experiment; several are compared within each"),
        .value(
            "experiment-column", "COLUMN", "What tells experiments apart; a column named experiment is read by itself"),
        .value(
            "covariates", "COLUMNS", "Known before the treatment: tested for balance, used by doubly robust estimates"),
        .value("cost", "COST", "Cost of one treatment, or ARM=COST of each arm", repeated: true),
        .value("cost-column", "COLUMN", "The cost that each row brought, when costs are measured"),
        .value(
            "outcome-value", "VALUE", "What one unit of the outcome is worth, in the unit of the costs", default: "1"),
        .flag("skip-missing", "Leave out rows with a missing value instead of refusing the file"),
        .value("k", "SHARES", "Shares of uplift@k", default: "0.1,0.2,0.3,0.5"),
        .value("bins", "N", "Bins of the ranking", default: "10"),
        .value("level", "LEVEL", "Level of every interval", default: "0.95"),
        .value(
            "replicates", "N", "Bootstrap replicates; 0 leaves the intervals of areas and curves out", default: "200"),
        .value("seed", "S", "Seed of the bootstrap and of cross-fitting", default: "1"),
        .value("weights", "MEANING", "What weights are: sampling or frequency", default: "sampling"),
        .flag("no-propensity-weights", "Do not weight rows by inverse propensity when propensities differ"),
        .value("threshold", "EFFECT", "The targeting rule treats scores above it", default: "0"),
        .value("threads", "N", "Threads; 0 is one per processor; never changes a number", default: "0"),
        .value("policy", "POLICY", "Off-policy: uniform, always:ACTION, log:OTHER.csv, columns:PREFIX"),
        .value("action", "COLUMN", "Off-policy: the action taken; default action"),
        .value("stratum", "COLUMN", "Off-policy: where the same action has another worth, such as a position"),
        .value("actions", "N", "Off-policy: how many actions there are, when the log has not taken all"),
        .value("report", "FILE", "Write the HTML page"),
        .value("title", "TEXT", "Heading of the report"),
        .value("model-name", "TEXT", "Name of the model, for the report's provenance"),
        .flag("plot", "Draw the Qini curve in the terminal"),
        .flag("json", "Print one JSON object"),
    ]

    static func columns(_ command: ParsedCommand) throws(ImpactError) -> TrialColumns {
        var columns = TrialColumns()
        columns.score = command.text("score")
        columns.challenger = command.text("challenger")
        columns.treatment = command.text("treatment")
        columns.outcome = command.text("outcome")
        columns.weight = command.text("weight")
        columns.repeatsRows = columns.weight != nil && command.text("weights") == "frequency"
        columns.propensity = command.text("propensity")
        columns.armPropensity = command.text("arm-propensity")
        columns.standardError = command.text("std-error")
        columns.cluster = command.text("cluster")
        columns.experiment = command.text("experiment")
        columns.experimentColumn = command.text("experiment-column")
        columns.cost = command.text("cost-column")
        columns.covariates = (command.text("covariates") ?? "").split(separator: ",").map {
            $0.trimmingCharacters(in: .whitespaces)
        }.filter { !$0.isEmpty }
        columns.treated = command.text("treated")
        columns.control = command.text("control")
        columns.skipsMissing = command.flag("skip-missing")
        return columns
    }

    static func evaluation(_ command: ParsedCommand) throws(ImpactError) -> EvaluationOptions {
        var options = EvaluationOptions()
        var fractions: [Double] = []
        for text in (command.text("k") ?? "").split(separator: ",") {
            guard let share = Double(text), share > 0, share < 1 else {
                throw command.invalid("k", "each share must be strictly between 0 and 1")
            }
            fractions.append(share)
        }
        if !fractions.isEmpty { options.fractions = fractions }
        options.bins = try command.count("bins") ?? options.bins
        options.level = try command.number("level") ?? options.level
        options.replicates = try command.count("replicates") ?? options.replicates
        options.seed = try command.seed("seed") ?? options.seed
        guard let meaning = WeightMeaning(rawValue: command.text("weights") ?? "sampling") else {
            throw command.invalid("weights", "must be sampling or frequency")
        }
        options.weightMeaning = meaning
        options.adjustsForPropensity = !command.flag("no-propensity-weights")
        options.threshold = try command.number("threshold") ?? options.threshold
        options.threads = try command.count("threads") ?? options.threads
        for text in command.texts("cost") {
            let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
            guard let last = parts.last, let cost = Double(last), cost > 0, cost.isFinite else {
                throw command.invalid("cost", "must be a number over 0, or ARM=NUMBER")
            }
            options.costs[parts.count == 2 ? parts[0] : ""] = cost
        }
        options.outcomeValue = try command.number("outcome-value") ?? options.outcomeValue
        guard options.outcomeValue > 0 else { throw command.invalid("outcome-value", "must be over 0") }
        return options
    }
}
