import Terminal

/// `impactiq model`: import a forest, look at a model, score a CSV.
enum ModelCommand: CommandGroup {
    static let subcommands: [any Command.Type] = [
        ModelImportCommand.self, ModelInspectCommand.self, ModelScoreCommand.self,
    ]
    static let specification = CommandSpecification(
        "model", "Import a forest, inspect a model, score a CSV", subcommands: subcommands.specifications)
}
