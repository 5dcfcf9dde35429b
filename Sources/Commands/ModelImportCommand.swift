import Base
import Features
import Foundation
import ModelImport
import Scoring
import Terminal

/// `impactiq model import`: one command for each library.
enum ModelImportCommand: CommandGroup {
    static let subcommands: [any Command.Type] = [EconMLImportCommand.self, GRFImportCommand.self]
    static let specification = CommandSpecification(
        "import", "Turn a forest fitted with EconML or grf into a model file", subcommands: subcommands.specifications)

    static let options: [CommandSpecification.Option] = [
        .value("features", "SPEC.json", "The feature specification; without it the model can score rows only"),
        .value("out", "MODEL", "The model file to write", required: true),
        .value("name", "NAME", "The model's name; the output file's when not given"),
        .value("version", "V", "The model's version", default: "1"),
        .value("outcome", "NAME", "Outcome to import, or a name for it; repeat for several", repeated: true),
        .value("treatment", "NAME", "A name for each treatment, in order", repeated: true),
        .flag("json", "Print one JSON object"),
    ]

    static func run(_ kind: ImportKind, _ command: ParsedCommand) throws {
        guard let output = command.text("out") else { throw command.invalid("out", "name the model file to write") }
        let stem = URL(filePath: output).deletingPathExtension().lastPathComponent
        var request = ImportRequest(
            kind: kind, input: command.arguments[0], output: output, name: command.text("name") ?? stem,
            version: command.text("version") ?? "1")
        if let path = command.text("features") {
            let specification = try FeatureSpecification(json: try OpenFile.contents(of: path), name: path)
            request.featureNames = specification.names
            request.specification = specification.canonicalJSON
        }
        if command.isGiven("outcome") { request.outcomes = command.texts("outcome") }
        if command.isGiven("treatment") { request.treatments = command.texts("treatment") }
        let progress = ProgressLine("import", unit: "trees")
        let summary = try ModelImporter.run(request) { progress.update($0.trees) }
        print(summary, command)
    }

    private static func print(_ summary: ImportSummary, _ command: ParsedCommand) {
        if command.flag("json") {
            let object: JSONOutput = [
                "model": .text(summary.output), "sha256": .text(summary.sha256), "trees": .integer(summary.trees),
                "nodes": .integer(summary.nodes), "features": .array(summary.features.map { .text($0) }),
                "treatments": .array(summary.treatments.map { .text($0) }),
                "outcomes": .array(summary.outcomes.map { .text($0) }), "intervals": .bool(summary.hasIntervals),
            ]
            Terminal.Stream.output.write(object.line + "\n")
            return
        }
        Terminal.Stream.output.write(
            "\(summary.output): \(HumanNumber.grouped(summary.trees)) trees, \(HumanNumber.grouped(summary.nodes)) nodes, "
                + "\(summary.features.count) features, effect of \(summary.treatments.joined(separator: ", ")) on "
                + "\(summary.outcomes.joined(separator: ", "))"
                + (summary.hasIntervals ? "" : "; fitted without little bags: no intervals")
                + "\nsha256 \(summary.sha256)\n")
    }
}

/// `impactiq model import econml`.
enum EconMLImportCommand: Command {
    static let specification = CommandSpecification(
        "econml", "Import a CausalForestDML or CausalForest written by exporters/econml_export.py",
        options: ModelImportCommand.options, arguments: [.init("FILE", "The .npz file of the exporter")],
        examples: [
            .init(
                "impactiq model import econml spring.npz --features features.json --name spring --out spring.model",
                "a model that `run` can use")
        ])

    static func run(_ command: ParsedCommand) throws { try ModelImportCommand.run(.econml, command) }
}

/// `impactiq model import grf`.
enum GRFImportCommand: Command {
    static let specification = CommandSpecification(
        "grf", "Import a causal_forest written by exporters/grf_export.R",
        options: ModelImportCommand.options,
        arguments: [.init("FILE", "The text file of the exporter, plain or gzipped")],
        examples: [.init("impactiq model import grf forest.txt.gz --out forest.model", "scores rows only")])

    static func run(_ command: ParsedCommand) throws { try ModelImportCommand.run(.grf, command) }
}
