import Base
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
        if kind == EffectLearner.response.rawValue { return try ResponseTraining.run(command) }
        guard kind == CausalTraining.forest || EffectLearner(rawValue: kind) != nil else {
            throw command.invalid(
                "kind",
                "choose \(([CausalTraining.forest] + EffectLearner.allCases.map(\.rawValue)).joined(separator: ", "))")
        }
        try CausalTraining.run(command, kind: kind)
    }
}
