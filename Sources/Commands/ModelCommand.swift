import Terminal

/// `impactiq model`: import a forest, look at a model, score a CSV, explain its scores.
enum ModelCommand: CommandGroup {
    static let subcommands: [any Command.Type] = [
        ModelImportCommand.self, ModelInspectCommand.self, ModelScoreCommand.self, ModelExplainCommand.self,
    ]
    static let specification = CommandSpecification(
        "model", "Import a forest, inspect a model, score a CSV, explain its scores",
        subcommands: subcommands.specifications)
}
