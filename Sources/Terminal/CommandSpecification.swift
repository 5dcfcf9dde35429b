/// What a command accepts: the parser, the help text and the suggestions for mistakes all follow from it.
///
/// Commands nest (`model import econml`): a command either has subcommands or options and arguments of its own.
public struct CommandSpecification: Sendable {
    /// An option, `--name VALUE` or `--name=VALUE`, or a flag, `--name`.
    public struct Option: Sendable {
        /// The name without its dashes.
        public var name: String
        /// A one-letter form, `-h`; nil when there is none.
        public var short: Character?
        /// What the help text calls the value; nil makes the option a flag.
        public var value: String?
        /// One sentence without a full stop.
        public var help: String
        /// The text of the default, both shown in help and returned when the option is absent.
        public var defaultValue: String?
        /// Whether it may be given more than once (`--set a=1 --set b=2`).
        public var isRepeated = false
        public var isRequired = false

        /// An option with a value.
        public static func value(
            _ name: String, _ value: String, short: Character? = nil, _ help: String,
            default defaultValue: String? = nil,
            repeated: Bool = false, required: Bool = false
        ) -> Option {
            Option(
                name: name, short: short, value: value, help: help, defaultValue: defaultValue, isRepeated: repeated,
                isRequired: required)
        }

        /// An option without a value.
        public static func flag(_ name: String, short: Character? = nil, _ help: String) -> Option {
            Option(name: name, short: short, value: nil, help: help)
        }
    }

    /// A positional argument.
    public struct Argument: Sendable {
        /// The placeholder in upper case, `FILE`.
        public var name: String
        public var help: String
        public var isOptional: Bool
        /// Whether it takes all that follow; only for the last one.
        public var isRepeated: Bool

        public init(_ name: String, _ help: String, optional: Bool = false, repeated: Bool = false) {
            self.name = name
            self.help = help
            isOptional = optional
            isRepeated = repeated
        }
    }

    /// A command line that works as it stands, with what it does.
    public struct Example: Sendable {
        public var commandLine: String
        public var does: String

        public init(_ commandLine: String, _ does: String) {
            self.commandLine = commandLine
            self.does = does
        }
    }

    public var name: String
    /// One line, shown in the list of commands.
    public var summary: String
    /// Paragraphs below the summary in the command's own help; lines are wrapped to the terminal.
    public var discussion: String
    public var options: [Option]
    /// Options that every subcommand below takes too.
    public var sharedOptions: [Option]
    public var arguments: [Argument]
    public var examples: [Example]
    public var subcommands: [CommandSpecification]
    /// Whether the command runs without a subcommand although it has some.
    public var runsAlone: Bool

    public init(
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
