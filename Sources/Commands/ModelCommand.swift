import Base
import Features
import Foundation
import Scoring
import Terminal

/// `impactiq model`: import a forest, look at a model, score a CSV.
enum ModelCommand: Command {
    static let specification = CommandSpecification(
        "model", "Import a forest, inspect a model, score a CSV, explain its scores",
        subcommands: [
            importSpecification, inspectSpecification, scoreSpecification, ModelExplainCommand.specification,
        ])

    static func run(_ command: ParsedCommand) throws {
        switch command.path.dropFirst(2).first {
        case "import": try ModelImportCommand.run(command)
        case "inspect": try ModelInspectCommand.run(command)
        case "explain": try ModelExplainCommand.run(command)
        default: try ModelScoreCommand.run(command)
        }
    }

    private static let importOptions: [CommandSpecification.Option] = [
        .value("features", "SPEC.json", "The feature specification; without it the model can score rows only"),
        .value("out", "MODEL", "The model file to write", required: true),
        .value("name", "NAME", "The model's name; the output file's when not given"),
        .value("version", "V", "The model's version", default: "1"),
        .value("outcome", "NAME", "Outcome to import, or a name for it; repeat for several", repeated: true),
        .value("treatment", "NAME", "A name for each treatment, in order", repeated: true),
        .flag("json", "Print one JSON object"),
    ]

    private static let importSpecification = CommandSpecification(
        "import", "Turn a forest fitted with EconML or grf into a model file",
        subcommands: [
            CommandSpecification(
                "econml", "Import a CausalForestDML or CausalForest written by exporters/econml_export.py",
                options: importOptions, arguments: [.init("FILE", "The .npz file of the exporter")],
                examples: [
                    .init(
                        "impactiq model import econml spring.npz --features features.json --name spring --out spring.model",
                        "a model that `run` can use")
                ]),
            CommandSpecification(
                "grf", "Import a causal_forest written by exporters/grf_export.R",
                options: importOptions, arguments: [.init("FILE", "The text file of the exporter, plain or gzipped")],
                examples: [.init("impactiq model import grf forest.txt.gz --out forest.model", "scores rows only")]),
        ])

    private static let inspectSpecification = CommandSpecification(
        "inspect", "Show what a model is: sizes, features with importance, provenance, checksum",
        options: [
            .flag("json", "Print one JSON object"),
            .value("check", "ROWS.csv", "Time the kernels on these rows and verify that all give the same bits"),
        ],
        arguments: [.init("MODEL", "The model file")],
        examples: [
            .init("impactiq model inspect examples/demo/demo.model", "for a person"),
            .init("impactiq model inspect spring.model --json", "for a machine"),
        ])

    private static let scoreSpecification = CommandSpecification(
        "score", "Score the rows of a CSV: effect, standard error, interval and decision for each",
        discussion: """
            Streams a file of any size with all cores and keeps the order. The header must name every feature of the \
            model; other columns are carried along.
            """,
        options: [
            .value("model", "MODEL", "The model file", required: true),
            .value("format", "FORMAT", "csv or jsonl", default: "csv"),
            .value("columns", "WHICH", "all: the input's columns too; minimal: the new ones only", default: "all"),
            .value("level", "LEVEL", "Confidence level of the interval", default: "0.95"),
            .value("threshold", "EFFECT", "Smallest effect worth treating", default: "0"),
            .flag("covariance", "Write the covariances of the treatments' effects too (slower)"),
            .value("threads", "N", "Threads; one a core when not given"),
        ],
        arguments: [.init("FILE", "The CSV; - is standard input")],
        examples: [
            .init("impactiq model score --model spring.model customers.csv > scored.csv", "all cores, order kept"),
            .init("zcat big.csv.gz | impactiq model score --model spring.model --format jsonl -", "from a pipe"),
        ])
}
