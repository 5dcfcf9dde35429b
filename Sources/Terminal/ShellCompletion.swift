import Base

/// Completion scripts for shells, from the same specifications as the parser and the help.
///
/// Each script knows for every command (`model inspect`) its subcommands and options; a file is completed wherever an
/// option's value or an argument is.
package enum ShellCompletion: String, CaseIterable, Sendable {
    case bash, zsh, fish

    package func script(for root: CommandSpecification) -> String {
        let commands = Self.commands(root, path: [], inherited: [])
        return switch self {
        case .bash: Self.bash(root.name, commands)
        // zsh runs bash's completions after this.
        case .zsh:
            "#compdef \(root.name)\nautoload -U +X bashcompinit && bashcompinit\n" + Self.bash(root.name, commands)
        case .fish: Self.fish(root.name, commands)
        }
    }

    private struct Entry {
        var path: [String]
        var summary: String
        var subcommands: [CommandSpecification]
        var options: [CommandSpecification.Option]
    }

    private static func commands(
        _ command: CommandSpecification, path: [String], inherited: [CommandSpecification.Option]
    ) -> [Entry] {
        let shared = inherited + command.sharedOptions
        let own = Entry(
            path: path, summary: command.summary, subcommands: command.subcommands,
            options: command.options + shared + [CommandSpecification.help])
        return [own]
            + command.subcommands.flatMap { commands($0, path: path + [$0.name], inherited: shared) }
    }

    private static func bash(_ name: String, _ commands: [Entry]) -> String {
        var script = """
            # Completion of \(name) for bash: source <(\(name) completion bash)
            _\(name)() {
                local current="${COMP_WORDS[COMP_CWORD]}" path="" word words=""
                for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
                    case "$path/$word" in

            """
        for command in commands where !command.path.isEmpty {
            script +=
                "            \"/\(command.path.joined(separator: "/"))\") path=\"/\(command.path.joined(separator: "/"))\" ;;\n"
        }
        script += """
                    esac
                done
                case "$path" in

            """
        for command in commands {
            let path = command.path.map { "/" + $0 }.joined()
            let words = command.subcommands.map(\.name) + command.options.map { "--" + $0.name }
            script += "        \"\(path)\") words=\"\(words.joined(separator: " "))\" ;;\n"
        }
        script += """
                esac
                COMPREPLY=($(compgen -W "$words" -- "$current"))
            }
            complete -o default -F _\(name) \(name)

            """
        return script
    }

    private static func fish(_ name: String, _ commands: [Entry]) -> String {
        func quoted(_ text: String) -> String { "'" + text.replacing("'", with: "\\'") + "'" }
        var script = "# Completion of \(name) for fish: \(name) completion fish | source\n"
        for command in commands {
            // Seen all words of the command, and none of its subcommands.
            var conditions = command.path.map { "__fish_seen_subcommand_from \($0)" }
            if !command.subcommands.isEmpty {
                conditions.append(
                    "not __fish_seen_subcommand_from \(command.subcommands.map(\.name).joined(separator: " "))")
            }
            let when = conditions.isEmpty ? "" : " -n \(quoted(conditions.joined(separator: "; and ")))"
            for subcommand in command.subcommands {
                script += "complete -c \(name) -f\(when) -a \(subcommand.name) -d \(quoted(subcommand.summary))\n"
            }
            for option in command.options {
                let value = option.value == nil ? "" : " -r"
                script += "complete -c \(name)\(when) -l \(option.name)\(value) -d \(quoted(option.help))\n"
            }
        }
        return script
    }
}
