import Terminal

/// A command of `impactiq`: what it accepts, and what it does.
protocol Command: Sendable {
    static var specification: CommandSpecification { get }

    /// Does the work; throws an `ImpactError` whose kind is the exit status.
    static func run(_ command: ParsedCommand) throws
}

/// A command's words below the program's name and its implementation: `["model", "import"]`.
struct CommandEntry: Sendable {
    var path: [String]
    var type: any Command.Type
}
