import AttributionStore
import Base
import JSON
import Terminal

/// The options of a run that decide its numbers, kept beside the results: a report of them is made with the same.
struct AskedOptions {
    private static let names =
        ["model"] + (AttributeOptions.journeys + AttributeOptions.models).map(\.name).filter { $0 != "lock-wait" }
    /// Options whose value is a file: kept is what it says.
    private static let files: Set<String> = ["channel-rules", "ihc"]

    private(set) var values: [String: [String]] = [:]
    private(set) var flags: Set<String> = []

    init(_ command: ParsedCommand) throws(ImpactError) {
        for option in command.options where Self.names.contains(option.name) && command.isGiven(option.name) {
            let name = option.name
            if option.value == nil {
                flags.insert(name)
            } else if Self.files.contains(name), let path = command.text(name) {
                values[name] = [String(decoding: try AttributeOptions.bytes(path), as: UTF8.self)]
            } else {
                values[name] = command.texts(name)
            }
        }
    }

    /// - Returns: nil for what an earlier version left, which kept none.
    init?(json text: String?) {
        guard let text, let document = try? JSONValue(parsing: Array(text.utf8), name: "asked", maxBytes: 256 << 20)
        else { return nil }
        for member in document["values"]?.members ?? [] {
            values[member.name] = member.value.array?.compactMap(\.string)
        }
        flags = Set(document["flags"]?.array?.compactMap(\.string) ?? [])
    }

    var json: String {
        JSONOutput.object([
            (
                "values",
                .object(
                    values.sorted { $0.key < $1.key }.map { ($0.key, .array($0.value.map { JSONOutput.text($0) })) })
            ), ("flags", .array(flags.sorted().map { JSONOutput.text($0) })),
        ]).line
    }

    /// As they would stand on a command line; nil when none was given.
    var words: String? {
        var words: [String] = []
        for (name, values) in values.sorted(by: { $0.key < $1.key }) {
            words += values.map { Self.files.contains(name) ? "--\(name) (a file)" : "--\(name) \($0)" }
        }
        words += flags.sorted().map { "--\($0)" }
        return words.isEmpty ? nil : words.joined(separator: " ")
    }

    /// Options that a command line gives otherwise.
    func differing(from command: ParsedCommand) -> [String] {
        command.options.map(\.name).filter { name in
            guard Self.names.contains(name), command.isGiven(name) else { return false }
            return Self.files.contains(name) || !flags.contains(name) && values[name] != command.texts(name)
        }
    }
}
