import Base
import Terminal

/// A command of `impactiq`: what it accepts, and what it does.
protocol Command: Sendable {
    static var specification: CommandSpecification { get }

    /// Commands below this one, which its specification lists. Each word of a command line is one step down.
    static var subcommands: [any Command.Type] { get }

    /// Does the work; throws an `ImpactError` whose kind is the exit status.
    static func run(_ command: ParsedCommand) throws
}

extension Command {
    static var subcommands: [any Command.Type] { [] }
}

/// A word that only gathers the commands below it: `impactiq model`.
protocol CommandGroup: Command {}

extension CommandGroup {
    /// Not reached: the parser asks for one of the subcommands.
    static func run(_ command: ParsedCommand) throws {
        throw ImpactError(.usage, code: "missing_command", "'\(command.name)' needs a subcommand; see --help")
    }
}

extension [any Command.Type] {
    var specifications: [CommandSpecification] { map { $0.specification } }
}
