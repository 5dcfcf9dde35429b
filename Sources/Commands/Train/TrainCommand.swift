import Base
import Terminal

/// `impactiq train`.
enum TrainCommand: Command {
    static let specification = CommandSpecification(
        "train", "Train a model on labelled rows, into a model file that every other command takes",
        options: [
            .value("kind", "KIND", "response: the outcome itself", default: "response"),
            .value("out", "MODEL", "The model file to write", required: true),
            .value("outcome", "COLUMN", "The outcome's column; repeat for several", repeated: true),
            .value("features", "SPEC.json", "The feature specification; it goes into the model"),
            .value("feature", "COLUMN", "A feature's column; all that are nothing else when not given", repeated: true),
            .value("ignore", "COLUMN", "A column that is no feature", repeated: true),
            .value("name", "NAME", "The model's name; the output file's when not given"),
            .value("version", "V", "The model's version", default: "1"),
            .value("trees", "N", "Trees", default: "500"), .value("seed", "N", "The seed", default: "1"),
            .value("threads", "N", "Threads; one a core when not given; never changes a bit"),
            .flag("json", "Print one JSON object"),
        ] + ResponseTraining.options, arguments: [.init("ROWS.csv", "The labelled rows")],
        examples: [
            .init(
                "impactiq train sessions.csv --kind response --outcome purchase --id customer_id --seed 42 "
                    + "--out purchase.model --report purchase.html", "who will buy")
        ])

    static func run(_ command: ParsedCommand) throws {
        guard command.text("kind") == "response" else { throw command.invalid("kind", "choose response") }
        try ResponseTraining.run(command)
    }
}
