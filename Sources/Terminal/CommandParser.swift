import Base

/// What a command line asks for.
package enum CommandRequest: Sendable {
    /// Print this text to standard output and leave with status 0.
    case help(String)
    /// Run the command.
    case run(ParsedCommand)
}

extension CommandSpecification {
    /// Reads a command line, without the program's own name.
    ///
    /// Options may stand before and after arguments; `--` ends them; a lone `-` is an argument (standard input).
    /// `-h` and `--help` win over mistakes elsewhere on the line, so that help is always one word away.
    ///
    /// - Throws: `.usage` naming the word at fault, the nearest known one and the help command to read.
    package func parse(_ words: [String]) throws(ImpactError) -> CommandRequest {
        var parser = CommandParser(root: self)
        return try parser.parse(words)
    }
}

/// One walk over the words of a command line.
struct CommandParser {
    private var command: CommandSpecification
    private var path: [String]
    private var shared: [CommandSpecification.Option]
    private var values: [String: [String]] = [:]
    private var flags: Set<String> = []
    private var arguments: [String] = []

    init(root: CommandSpecification) {
        command = root
        path = [root.name]
        shared = root.sharedOptions
    }

    mutating func parse(_ words: [String]) throws(ImpactError) -> CommandRequest {
        if let help = helpAsked(words) { return .help(help) }
        var position = 0
        var optionsEnded = false
        while position < words.count {
            let word = words[position]
            position += 1
            if !optionsEnded, word == "--" {
                optionsEnded = true
            } else if !optionsEnded, isOption(word) {
                try readOption(word, words, &position)
            } else if !optionsEnded, arguments.isEmpty, let next = command.subcommands.first(where: { $0.name == word })
            {
                descend(next)
            } else if !command.subcommands.isEmpty, command.arguments.isEmpty {
                throw unknownCommand(word)
            } else {
                arguments.append(word)
            }
        }
        if !command.subcommands.isEmpty, !command.runsAlone, arguments.isEmpty {
            if path.count == 1 { return .help(help) }
            let names = command.subcommands.map(\.name).joined(separator: ", ")
            throw usage("missing_command", "'\(commandLine)' needs one of: \(names)")
        }
        try checkArguments()
        for option in options where option.isRequired && values[option.name] == nil {
            throw usage("missing_option", "--\(option.name) \(option.value ?? "") is required")
        }
        return .run(
            ParsedCommand(path: path, options: options, values: values, flags: flags, arguments: arguments))
    }

    private var options: [CommandSpecification.Option] { command.options + shared + [CommandSpecification.help] }
    private var commandLine: String { path.joined(separator: " ") }
    private var help: String {
        HelpText(command: command, path: path, sharedOptions: shared).rendered(width: Terminal.helpWidth)
    }

    private mutating func descend(_ next: CommandSpecification) {
        command = next
        path.append(next.name)
        shared += next.sharedOptions
    }

    /// The help of the deepest command named before anything else goes wrong, when `-h` or `--help` is on the line.
    private func helpAsked(_ words: [String]) -> String? {
        let before = words.prefix { $0 != "--" }
        guard before.contains("--help") || before.contains("-h") || words.first == "help" else { return nil }
        var deepest = self
        for word in before where word != "help" {
            if let next = deepest.command.subcommands.first(where: { $0.name == word }) { deepest.descend(next) }
        }
        return deepest.help
    }

    /// A number below zero is an argument, not an option.
    private func isOption(_ word: String) -> Bool {
        guard word.hasPrefix("-"), word != "-" else { return false }
        return word.hasPrefix("--") || !word.dropFirst().allSatisfy { $0.isNumber || $0 == "." }
    }

    private mutating func readOption(_ word: String, _ words: [String], _ position: inout Int) throws(ImpactError) {
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let given = String(parts[0])
        let option: CommandSpecification.Option?
        if given.hasPrefix("--") {
            let name = given.dropFirst(2)
            option = options.first { $0.name == name }
        } else {
            option = options.first { $0.short != nil && given == "-\($0.short!)" }
        }
        guard let option else { throw unknownOption(given) }
        guard let placeholder = option.value else {
            guard parts.count == 1 else { throw usage("unexpected_value", "--\(option.name) takes no value") }
            flags.insert(option.name)
            return
        }
        let value: String
        if parts.count == 2 {
            value = String(parts[1])
        } else if position < words.count, !words[position].hasPrefix("--") {
            value = words[position]
            position += 1
        } else {
            throw usage("missing_value", "--\(option.name) needs a value: --\(option.name) \(placeholder)")
        }
        if values[option.name] != nil, !option.isRepeated {
            throw usage("repeated_option", "--\(option.name) is given twice")
        }
        values[option.name, default: []].append(value)
    }

    private func checkArguments() throws(ImpactError) {
        let required = command.arguments.count { !$0.isOptional }
        if arguments.count < required {
            let missing = command.arguments.filter { !$0.isOptional }[arguments.count]
            throw usage("missing_argument", "\(missing.name) is missing (\(missing.help))")
        }
        if command.arguments.last?.isRepeated != true, arguments.count > command.arguments.count {
            throw usage("unexpected_argument", "unexpected argument '\(arguments[command.arguments.count])'")
        }
    }

    private func unknownOption(_ given: String) -> ImpactError {
        let known = NearestName.find(given, among: options.map { "--\($0.name)" })
        let hint = known.map { "; did you mean '\($0)'?" } ?? ""
        return usage("unknown_option", "unknown option '\(given)'\(hint)")
    }

    private func unknownCommand(_ given: String) -> ImpactError {
        let known = NearestName.find(given, among: command.subcommands.map(\.name))
        let hint = known.map { "; did you mean '\($0)'?" } ?? ""
        return usage("unknown_command", "unknown command '\(given)'\(hint)")
    }

    private func usage(_ code: String, _ message: String) -> ImpactError {
        ImpactError(.usage, code: code, "\(message)\nsee '\(commandLine) --help'")
    }
}
