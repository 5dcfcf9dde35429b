/// What a command accepts: the parser, the help text and the suggestions for mistakes all follow from it.
///
/// Commands nest (`model import econml`): a command either has subcommands or options and arguments of its own.
package struct CommandSpecification: Sendable {
    /// An option, `--name VALUE` or `--name=VALUE`, or a flag, `--name`.
    package struct Option: Sendable {
        /// The name without its dashes.
        package var name: String
        /// A one-letter form, `-h`; nil when there is none.
        package var short: Character?
        /// What the help text calls the value; nil makes the option a flag.
        package var value: String?
        /// One sentence without a full stop.
        package var help: String
        /// The text of the default, both shown in help and returned when the option is absent.
        package var defaultValue: String?
        /// Whether it may be given more than once (`--set a=1 --set b=2`).
        package var isRepeated = false
        package var isRequired = false

        /// An option with a value.
        package static func value(
            _ name: String, _ value: String, short: Character? = nil, _ help: String,
            default defaultValue: String? = nil,
            repeated: Bool = false, required: Bool = false
        ) -> Option {
            Option(
                name: name, short: short, value: value, help: help, defaultValue: defaultValue, isRepeated: repeated,
                isRequired: required)
        }

        /// An option without a value.
        package static func flag(_ name: String, short: Character? = nil, _ help: String) -> Option {
            Option(name: name, short: short, value: nil, help: help)
        }
    }

    /// A positional argument.
    package struct Argument: Sendable {
        /// The placeholder in upper case, `FILE`.
        package var name: String
        package var help: String
        package var isOptional: Bool
        /// Whether it takes all that follow; only for the last one.
        package var isRepeated: Bool

        package init(_ name: String, _ help: String, optional: Bool = false, repeated: Bool = false) {
            self.name = name
            self.help = help
            isOptional = optional
            isRepeated = repeated
        }
    }

    /// A command line that works as it stands, with what it does.
    package struct Example: Sendable {
        package var commandLine: String
        package var does: String

        package init(_ commandLine: String, _ does: String) {
            self.commandLine = commandLine
            self.does = does
        }
    }

    package var name: String
    /// One line, shown in the list of commands.
    package var summary: String
    /// Paragraphs below the summary in the command's own help; lines are wrapped to the terminal.
    package var discussion: String
    package var options: [Option]
    /// Options that every subcommand below takes too.
    package var sharedOptions: [Option]
    package var arguments: [Argument]
    package var examples: [Example]
    package var subcommands: [CommandSpecification]
    /// Whether the command runs without a subcommand although it has some.
    package var runsAlone: Bool

    package init(
        _ name: String, _ summary: String, discussion: String = "", options: [Option] = [],
        sharedOptions: [Option] = [],
        arguments: [Argument] = [], examples: [Example] = [], subcommands: [CommandSpecification] = [],
        runsAlone: Bool = false
    ) {
        self.name = name
        self.summary = summary
        self.discussion = discussion
        self.options = options
        self.sharedOptions = sharedOptions
        self.arguments = arguments
        self.examples = examples
        self.subcommands = subcommands
        self.runsAlone = runsAlone
    }

    /// Every command has it.
    package static let help = Option.flag("help", short: "h", "Show this help")
}
