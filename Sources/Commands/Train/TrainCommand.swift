import Base
import Scoring
import Terminal
import Training

/// `impactiq train`: a model from rows.
enum TrainCommand: Command {
    static let specification = CommandSpecification(
        "train", "Train a model on labelled rows, into a model file that every other command takes",
        discussion: """
            Reads a CSV (plain, gzip or zstd; columns in any order). Rows of `impactiq rows` need no option but --out. The \
            default is an honest causal forest: nuisances by models that have not seen a row, intervals from little bags, \
            and the questions of a referee. The same seed gives the same bits for any number of threads.
            """,
        options: CausalOptions.all + ResponseTraining.options.filter { !CausalOptions.names.contains($0.name) },
        arguments: [.init("ROWS.csv", "The labelled rows")],
        examples: [
            .init("impactiq train rows.csv --out spring.model", "rows as `impactiq rows` writes them"),
            .init(
                "impactiq train hillstrom.csv --treatment segment --control 'No E-Mail' --arm 'Womens E-Mail' "
                    + "--outcome visit --ignore conversion --ignore spend --propensity 0.5 --tune --report email.html "
                    + "--out email.model", "any CSV; texts become features of 0 and 1"),
            .init(
                "impactiq train rows.csv --compare --out spring.model",
                "which learner, and does it beat a response model?"),
            .init(
                "impactiq train sessions.csv --kind response --outcome purchase --id customer_id --seed 42 "
                    + "--out purchase.model --report purchase.html", "who will buy"),
        ])

    static func run(_ command: ParsedCommand) throws {
        let kind = command.text("kind") ?? CausalTraining.forest
        // The registry would refuse them later, when the training is done.
        for option in ["name", "version"] {
            guard let text = command.text(option), !ModelRegistry.isSafe(text) else { continue }
            throw command.invalid(
                option, "letters, digits, - _ and . alone, 100 at the most, as the registry takes them")
        }
        if command.isGiven("features"), command.isGiven("feature") {
            throw command.invalid("feature", "--features names the features already; give one of the two")
        }
        if kind == EffectLearner.response.rawValue {
            try refuse(CausalOptions.names.subtracting(ResponseTraining.shared), command, kind)
            return try ResponseTraining.run(command)
        }
        guard kind == CausalTraining.forest || EffectLearner(rawValue: kind) != nil else {
            throw command.invalid(
                "kind",
                "choose \(([CausalTraining.forest] + EffectLearner.allCases.map(\.rawValue)).joined(separator: ", "))")
        }
        try refuse(
            Set(ResponseTraining.options.map(\.name)).subtracting(CausalOptions.names).subtracting(["id"]), command,
            kind)
        if kind != CausalTraining.forest { try refuse(CausalOptions.forestAlone, command, kind) }
        try CausalTraining.run(command, kind: kind)
    }

    /// An option that would change nothing is an error: whoever gives it means something by it.
    private static func refuse(_ names: Set<String>, _ command: ParsedCommand, _ kind: String) throws(ImpactError) {
        let given = names.filter { command.isGiven($0) }.sorted()
        guard !given.isEmpty else { return }
        throw ImpactError(
            .usage, code: "invalid_option",
            "\(given.map { "--\($0)" }.joined(separator: ", ")): \(given.count == 1 ? "it means" : "they mean") nothing to "
                + "--kind \(kind); leave \(given.count == 1 ? "it" : "them") out")
    }
}
