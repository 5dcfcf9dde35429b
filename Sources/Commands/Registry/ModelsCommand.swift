import Base
import Foundation
import JSON
import Scoring
import Terminal

/// `impactiq models`: a folder of models with versions and stages.
enum ModelsCommand: CommandGroup {
    static let subcommands: [any Command.Type] = [
        ModelsListCommand.self, ModelsAddCommand.self, ModelsPromoteCommand.self, ModelsRollbackCommand.self,
    ]
    static let specification = CommandSpecification(
        "models", "A folder of models with versions and stages; name@stage may stand wherever a model's path may",
        sharedOptions: [
            .value("models", "FOLDER", "The registry; IMPACTIQ_MODELS, or ./models when not given")
        ], subcommands: subcommands.specifications)

    static let stage: CommandSpecification.Option = .value("stage", "STAGE", "The stage", default: "production")

    static func registry(_ command: ParsedCommand) throws(ImpactError) -> ModelRegistry {
        let registry = ModelRegistry(folder: command.text("models") ?? ModelRegistry.usualFolder)
        try registry.checkFolder()
        return registry
    }
}

/// `impactiq models add`.
enum ModelsAddCommand: Command {
    static let specification = CommandSpecification(
        "add", "Copy a model into the registry under its own name and version", options: [ModelKey.option],
        arguments: [.init("MODEL", "The model file")],
        examples: [.init("impactiq models add purchase.model", "to ./models/purchase/1.model")])

    static func run(_ command: ParsedCommand) throws {
        _ = try ModelKey.open(command.arguments[0], command)
        let entry = try ModelsCommand.registry(command).add(command.arguments[0])
        Terminal.Stream.output.write("\(entry.name) \(entry.version) is in \(entry.path)\n")
    }
}

/// `impactiq models promote`.
enum ModelsPromoteCommand: Command {
    static let specification = CommandSpecification(
        "promote", "Put a version at a stage", options: [ModelsCommand.stage],
        arguments: [.init("NAME@VERSION", "Which one; NAME@STAGE takes what stands there")],
        examples: [.init("impactiq models promote purchase@2 --stage production", "version 2 goes live")])

    static func run(_ command: ParsedCommand) throws {
        let registry = try ModelsCommand.registry(command)
        let parts = command.arguments[0].split(separator: "@", maxSplits: 1).map(String.init)
        guard parts.count == 2 else {
            throw ImpactError(.usage, code: "invalid_argument", "say which version: NAME@VERSION")
        }
        let version = try registry.stages(parts[0]).stages[parts[1]] ?? parts[1]
        let stage = command.text("stage") ?? "production"
        // NAME@STAGE and NAME@VERSION are written alike.
        if (try? registry.entry(parts[0], stage)) != nil {
            throw command.invalid("stage", "\(parts[0]) has a version of that name; choose another name for the stage")
        }
        // Promoted once more, a rollback would put back what stands there already.
        if try registry.stages(parts[0]).stages[stage] == version {
            Terminal.Stream.output.write("\(parts[0]) \(version) is at \(stage) already\n")
            return
        }
        let old = try registry.promote(parts[0], version, to: stage)
        Terminal.Stream.output.write("\(parts[0]) \(version) is at \(stage)\(old.map { ", where \($0) was" } ?? "")\n")
    }
}

/// `impactiq models rollback`.
enum ModelsRollbackCommand: Command {
    static let specification = CommandSpecification(
        "rollback", "Put the version that stood at a stage before back there", options: [ModelsCommand.stage],
        arguments: [.init("NAME", "The model")],
        examples: [.init("impactiq models rollback purchase", "production is what it was before")])

    static func run(_ command: ParsedCommand) throws {
        let stage = command.text("stage") ?? "production"
        let version = try ModelsCommand.registry(command).rollback(command.arguments[0], stage: stage)
        Terminal.Stream.output.write("\(command.arguments[0]) \(version) is back at \(stage)\n")
    }
}

/// `impactiq models list`.
enum ModelsListCommand: Command {
    static let specification = CommandSpecification(
        "list", "Every version: stage, kind, what it predicts, lineage",
        options: [.flag("json", "Print one JSON object")],
        examples: [.init("impactiq models list", "what there is")])

    static func run(_ command: ParsedCommand) throws {
        Terminal.Stream.output.write(try list(try ModelsCommand.registry(command), json: command.flag("json")))
    }

    private static func list(_ registry: ModelRegistry, json: Bool) throws -> String {
        let (entries, faults) = try registry.list()
        if json {
            let models: [JSONOutput] = entries.map { entry in
                [
                    "name": .text(entry.name), "version": .text(entry.version), "file": .text(entry.path),
                    "stages": .array(entry.stages.map { .text($0) }), "kind": .text(entry.model.kind),
                    "sha256": .text(entry.model.sha256), "provenance": object(entry.model.provenance),
                    "metrics": entry.model.metrics.map(object) ?? .null,
                ]
            }
            return JSONOutput.object([
                (name: "models", value: .array(models)),
                (
                    name: "faults",
                    value: .array(faults.map { ["name": .text($0.name), "what": .text($0.what)] })
                ),
            ]).line + "\n"
        }
        let wrong = faults.map { "\($0.name): \($0.what)\n" }.joined()
        guard !entries.isEmpty || !faults.isEmpty else {
            return "\(registry.folder) holds no models; put one there with `impactiq models add FILE`\n"
        }
        var table = Table(
            .text("model"), .text("version"), .text("stage"), .text("kind"), .text("predicts"), .text("ROC AUC, F1"),
            .text("sha256"),
            .text("from"))
        for entry in entries {
            let data = ProvenanceText.lines(entry.model).lazy.compactMap { line in
                line.range(of: "data: ").map { line[$0.upperBound...] }
            }.first
            table.add(
                entry.name, entry.version, entry.stages.joined(separator: ", "), entry.model.kind,
                entry.model.outcomes.joined(separator: ", "), metrics(entry.model),
                String(entry.model.sha256.prefix(12)),
                data.map(String.init) ?? "–")
        }
        return (entries.isEmpty ? "" : table.text()) + (wrong.isEmpty ? "" : "\n" + wrong)
    }

    /// A text of the file that is JSON, as such.
    private static func object(_ text: String) -> JSONOutput {
        func output(_ value: JSONValue) -> JSONOutput {
            switch value {
            case .null: .null
            case .bool(let truth): .bool(truth)
            case .number(let number): Int(exactly: number).map(JSONOutput.integer) ?? .number(number)
            case .string(let text): .text(text)
            case .array(let items): .array(items.map(output))
            case .object(let members): .object(members.map { ($0.name, output($0.value)) })
            }
        }
        return (try? JSONValue(parsing: Array(text.utf8), name: "the model")).map(output) ?? .null
    }

    /// How a response model did on its test rows, outcome by outcome.
    private static func metrics(_ model: Model) -> String {
        guard let text = model.metrics, let all = try? JSONValue(parsing: Array(text.utf8), name: "metrics"),
            let outcomes = all["outcomes"]?.array
        else { return "–" }
        return outcomes.map { outcome in
            ["roc_auc", "f1"].map { name in
                outcome["test"]?[name]?.number.map { HumanNumber.decimals($0, 3) } ?? "–"
            }.joined(separator: ", ")
        }.joined(separator: "; ")
    }
}
