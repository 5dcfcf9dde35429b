/// The help of one command as text: summary, usage, arguments, options, commands, examples.
struct HelpText {
    let command: CommandSpecification
    let path: [String]
    let sharedOptions: [CommandSpecification.Option]

    func rendered(width: Int) -> String {
        var lines = [command.summary, "", "Usage: \(usage)"]
        if !command.discussion.isEmpty {
            lines.append("")
            for paragraph in command.discussion.split(separator: "\n", omittingEmptySubsequences: false) {
                lines += TextLayout.wrap(String(paragraph), width: width)
            }
        }
        section("Commands", command.subcommands.map { ($0.name, $0.summary) }, width, &lines)
        section("Arguments", command.arguments.map { ($0.name, $0.help) }, width, &lines)
        section("Options", command.options.map { (Self.left($0), Self.right($0)) }, width, &lines)
        let common = sharedOptions + [CommandSpecification.help]
        section(
            command.options.isEmpty ? "Options" : "Common options", common.map { (Self.left($0), Self.right($0)) },
            width,
            &lines)
        if !command.examples.isEmpty {
            lines += ["", command.examples.count == 1 ? "Example:" : "Examples:"]
            for example in command.examples {
                lines += TextLayout.wrap("# \(example.does)", width: width - 2).map { "  \($0)" }
                lines.append("  \(example.commandLine)")
            }
        }
        if !command.subcommands.isEmpty {
            lines += ["", "'\(path.joined(separator: " ")) COMMAND --help' tells more about each."]
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private var usage: String {
        var words = path
        if !command.subcommands.isEmpty { words.append(command.runsAlone ? "[COMMAND]" : "COMMAND") }
        for option in command.options where option.isRequired { words.append("--\(option.name) \(option.value ?? "")") }
        for argument in command.arguments {
            let name = argument.isRepeated ? "\(argument.name)..." : argument.name
            words.append(argument.isOptional ? "[\(name)]" : name)
        }
        words.append("[OPTIONS]")
        return words.joined(separator: " ")
    }

    private static func left(_ option: CommandSpecification.Option) -> String {
        let short = option.short.map { "-\($0), " } ?? ""
        return "\(short)--\(option.name)" + (option.value.map { " \($0)" } ?? "")
    }

    private static func right(_ option: CommandSpecification.Option) -> String {
        var notes: [String] = []
        if option.isRequired { notes.append("required") }
        if let value = option.defaultValue { notes.append("default: \(value)") }
        if option.isRepeated { notes.append("may be repeated") }
        return notes.isEmpty ? option.help : "\(option.help) (\(notes.joined(separator: "; ")))"
    }

    /// Two columns; a left part too long for its column has the right part on the next line.
    private func section(
        _ title: String, _ rows: [(left: String, right: String)], _ width: Int, _ lines: inout [String]
    ) {
        guard !rows.isEmpty else { return }
        let column = min(rows.map(\.left.count).max() ?? 0, 30)
        lines += ["", "\(title):"]
        for (left, right) in rows {
            let indent = String(repeating: " ", count: column + 4)
            let wrapped = TextLayout.wrap(right, width: max(width - column - 4, 20))
            if left.count > column {
                lines.append("  \(left)")
                lines += wrapped.map { indent + $0 }
            } else {
                lines.append("  " + left.padding(to: column) + "  " + (wrapped.first ?? ""))
                lines += wrapped.dropFirst().map { indent + $0 }
            }
        }
    }
}
