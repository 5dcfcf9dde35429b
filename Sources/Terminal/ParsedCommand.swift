import Base

/// A command line that was read: the command and the values of its options, typed on request.
///
/// Asking for an option the specification does not have is a mistake of the program; it stops a debug build and
/// returns nothing in a release build.
package struct ParsedCommand: Sendable {
    /// The command's words, the program's name first: `["impactiq", "model", "inspect"]`.
    package let path: [String]
    /// The positional arguments, in order.
    package let arguments: [String]
    package let options: [CommandSpecification.Option]
    private let values: [String: [String]]
    private let flags: Set<String>

    init(
        path: [String], options: [CommandSpecification.Option], values: [String: [String]], flags: Set<String>,
        arguments: [String]
    ) {
        self.path = path
        self.options = options
        self.values = values
        self.flags = flags
        self.arguments = arguments
    }

    /// The same command with values for options that were not given.
    package func completed(values more: [String: [String]], flags moreFlags: Set<String>) -> ParsedCommand {
        let known = Set(options.map(\.name))
        return ParsedCommand(
            path: path, options: options,
            values: values.merging(more.filter { known.contains($0.key) }) { given, _ in given },
            flags: flags.union(moreFlags.intersection(known)), arguments: arguments)
    }

    /// The command without the program's name: `model inspect`.
    package var name: String { path.dropFirst().joined(separator: " ") }

    /// Whether the flag was given.
    package func flag(_ name: String) -> Bool {
        check(name)
        return flags.contains(name)
    }

    /// Whether the option was given on the command line; a default does not count.
    package func isGiven(_ name: String) -> Bool {
        check(name)
        return values[name] != nil || flags.contains(name)
    }

    /// The value given, else the default, else nil.
    package func text(_ name: String) -> String? {
        check(name)
        return values[name]?.last ?? options.first { $0.name == name }?.defaultValue
    }

    /// Every value of a repeated option, in order; the default alone when none was given.
    package func texts(_ name: String) -> [String] {
        check(name)
        return values[name] ?? options.first { $0.name == name }?.defaultValue.map { [$0] } ?? []
    }

    /// A whole number: `1000`, `10k`, `1e6`, `2.5M`.
    package func count(_ name: String) throws(ImpactError) -> Int? { try typed(name, Quantity.count) }

    /// A duration in milliseconds: `250ms`, `30s`, `5m`, `12h`, `7d`.
    package func milliseconds(_ name: String) throws(ImpactError) -> Int64? { try typed(name, Quantity.milliseconds) }

    /// A size in bytes: `512`, `64KiB`, `1MiB`, `2GB`.
    package func bytes(_ name: String) throws(ImpactError) -> Int? { try typed(name, Quantity.bytes) }

    /// A finite decimal number.
    package func number(_ name: String) throws(ImpactError) -> Double? { try typed(name, Quantity.number) }

    /// A number of 64 bits, decimal or `0x…`: a seed.
    package func seed(_ name: String) throws(ImpactError) -> UInt64? { try typed(name, Quantity.seed) }

    /// A value that the command itself finds wrong.
    package func invalid(_ option: String, _ why: String) -> ImpactError {
        let given = text(option).map { " '\(Secrets.masked(option, $0))'" } ?? ""
        return ImpactError(
            .usage, code: "invalid_option_value",
            "--\(option)\(given): \(why)\nsee '\(path.joined(separator: " ")) --help'")
    }

    private func typed<Value>(
        _ name: String, _ read: (String) throws(ImpactError) -> Value
    ) throws(ImpactError) -> Value? {
        guard let text = text(name) else { return nil }
        do {
            return try read(text)
        } catch {
            throw invalid(name, error.message)
        }
    }

    private func check(_ name: String) {
        assert(options.contains { $0.name == name }, "'\(self.name)' has no option --\(name)")
    }
}
