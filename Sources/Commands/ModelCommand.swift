import Terminal

/// `impactiq model`: import a forest, look at a model, score a CSV, explain its scores, sign it.
enum ModelCommand: CommandGroup {
    static let subcommands: [any Command.Type] = [
        ModelImportCommand.self, ModelInspectCommand.self, ModelScoreCommand.self, ModelExplainCommand.self,
        ModelSignCommand.self, ModelVerifyCommand.self,
    ]
    static let specification = CommandSpecification(
        "model", "Import a forest, inspect a model, score a CSV, explain its scores, sign it",
        subcommands: subcommands.specifications)
}
