import Base
import Terminal

/// `impactiq completion`: completion scripts for shells.
enum CompletionCommand: Command {
    static let specification = CommandSpecification(
        "completion", "Print a completion script for bash, zsh or fish",
        discussion: """
            Commands, subcommands and options, from the same source as this help. Put the line for your shell into its \
            start-up file.
            """,
        arguments: [.init("SHELL", "bash, zsh or fish")],
        examples: [
            .init("source <(impactiq completion bash)", "for this shell; zsh the same with zsh"),
            .init("impactiq completion fish | source", "fish"),
        ])

    static func run(_ command: ParsedCommand) throws {
        guard let shell = ShellCompletion(rawValue: command.arguments[0]) else {
            throw ImpactError(
                .usage, code: "unknown_shell", "no completion for '\(command.arguments[0])': name bash, zsh or fish")
        }
        Terminal.Stream.output.writeRaw(shell.script(for: CommandLineTool.root))
    }
}
