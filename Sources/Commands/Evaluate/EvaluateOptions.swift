import Base
import Evaluation
import Report
import Statistics
import Terminal

/// The options of `evaluate`, read into the library's own.
enum EvaluateOptions {
    static let all: [CommandSpecification.Option] = [
        .value("score", "COLUMN", "The predicted effect; rows are targeted from the highest down", default: "uplift"),
        .value("treatment", "COLUMN", "The arm", default: "treatment"),
        .value("outcome", "COLUMN", "The outcome: 0/1, or any number", default: "outcome"),
        .value("treated", "LABEL", "The arm that means treated; default 1, true, yes, treated, treatment"),
        .value("control", "LABEL", "The arm that means control; default 0, false, no, control, none"),
        .value("weight", "COLUMN", "How much a row counts"),
        .value("propensity", "COLUMN", "Probability of being treated; a column named propensity is read by itself"),
        .value("std-error", "COLUMN", "The score's standard error; a column named std_error is read by itself"),
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
        .value("threads", "N", "Threads; 0 is one a processor; never changes a number", default: "0"),
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
        columns.score = command.text("score") ?? columns.score
        columns.treatment = command.text("treatment") ?? columns.treatment
        columns.outcome = command.text("outcome") ?? columns.outcome
        columns.weight = command.text("weight")
        columns.propensity = command.text("propensity")
        columns.standardError = command.text("std-error")
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
        return options
    }
}
