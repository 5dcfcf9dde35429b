import Base
import Scoring
import Terminal

/// `impactiq models`.
enum ModelsCommand: Command {
    private static let folder: CommandSpecification.Option = .value(
        "models", "FOLDER", "The registry; IMPACTIQ_MODELS, or ./models when not given")
    private static let stage: CommandSpecification.Option = .value(
        "stage", "STAGE", "The stage", default: "production")

    static let specification = CommandSpecification(
        "models", "A folder of models with versions and stages; name@stage may stand wherever a model's path may",
        subcommands: [
            CommandSpecification(
                "list", "Every version: stage, kind, metric, lineage",
                options: [folder, .flag("json", "Print one JSON object")],
                examples: [.init("impactiq models list", "what there is")]),
            CommandSpecification(
                "add", "Copy a model into the registry under its own name and version", options: [folder],
                arguments: [.init("MODEL", "The model file")],
                examples: [.init("impactiq models add purchase.model", "to ./models/purchase/1.model")]),
            CommandSpecification(
                "promote", "Put a version at a stage", options: [folder, stage],
                arguments: [.init("NAME@VERSION", "Which one; NAME@STAGE takes what stands there")],
                examples: [.init("impactiq models promote purchase@2 --stage production", "version 2 goes live")]),
            CommandSpecification(
                "rollback", "Put the version that stood at a stage before back there", options: [folder, stage],
                arguments: [.init("NAME", "The model")],
                examples: [.init("impactiq models rollback purchase", "production is what it was before")]),
        ])

    static func run(_ command: ParsedCommand) throws {
        let registry = ModelRegistry(folder: command.text("models") ?? ModelRegistry.usualFolder)
        let output = Terminal.Stream.output
        switch command.path.last {
        case "add":
            let entry = try registry.add(command.arguments[0])
            output.write("\(entry.name) \(entry.version) is in \(entry.path)\n")
        case "promote":
            let parts = command.arguments[0].split(separator: "@", maxSplits: 1).map(String.init)
            guard parts.count == 2 else {
                throw ImpactError(.usage, code: "invalid_argument", "say which version: NAME@VERSION")
            }
            let version = try registry.stages(parts[0]).stages[parts[1]] ?? parts[1]
            let stage = command.text("stage") ?? "production"
            let old = try registry.promote(parts[0], version, to: stage)
            output.write("\(parts[0]) \(version) is at \(stage)\(old.map { ", where \($0) was" } ?? "")\n")
        case "rollback":
            let stage = command.text("stage") ?? "production"
            let version = try registry.rollback(command.arguments[0], stage: stage)
            output.write("\(command.arguments[0]) \(version) is back at \(stage)\n")
        default: output.write(try list(registry, json: command.flag("json")))
        }
    }

    private static func list(_ registry: ModelRegistry, json: Bool) throws -> String {
        let entries = try registry.list()
        if json {
            let models: [JSONOutput] = entries.map { entry in
                [
                    "name": .text(entry.name), "version": .text(entry.version), "file": .text(entry.path),
                    "stages": .array(entry.stages.map { .text($0) }), "kind": .text(entry.model.kind),
                    "sha256": .text(entry.model.sha256), "provenance": .text(entry.model.provenance),
                    "metrics": entry.model.metrics.map { .text($0) } ?? .null,
                ]
            }
            return JSONOutput.object([(name: "models", value: .array(models))]).line + "\n"
        }
        guard !entries.isEmpty else {
            return "\(registry.folder) holds no models; put one there with `impactiq models add FILE`\n"
        }
        var table = Table(
            .text("model"), .text("version"), .text("stage"), .text("kind"), .text("predicts"), .text("sha256"),
            .text("from"))
        for entry in entries {
            let data = ProvenanceText.lines(entry.model).first { $0.contains("data") }?.split(separator: " ").last
            table.add(
                entry.name, entry.version, entry.stages.joined(separator: ", "), entry.model.kind,
                entry.model.outcomes.joined(separator: ", "), String(entry.model.sha256.prefix(12)),
                data.map(String.init) ?? "–")
        }
        return table.text()
    }
}
