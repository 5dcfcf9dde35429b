import Base
import Foundation

/// The effective configuration: defaults, then the file, then the environment, then `--set`; the last one wins.
///
/// Keys are in Kafka's dotted style. Unknown keys and unfit values are errors that name where they stand.
package struct Configuration: Sendable {
    /// Where a value came from.
    package enum Origin: Sendable, Equatable, CustomStringConvertible {
        case builtIn
        case file(path: String, line: Int)
        case environment(variable: String)
        case commandLine

        package var description: String {
            switch self {
            case .builtIn: "default"
            case .file(let path, let line): "\(path):\(line)"
            case .environment(let variable): variable
            case .commandLine: "--set"
            }
        }
    }

    /// A value and its origin.
    package struct Entry: Sendable, Equatable {
        package var value: String
        package var origin: Origin
    }

    private(set) var entries: [String: Entry] = [:]

    /// The defaults alone.
    package init() {
        for key in ConfigurationKey.all { entries[key.name] = Entry(value: key.defaultValue, origin: .builtIn) }
    }

    /// - Parameters:
    ///   - file: path of a `.properties` file, or nil.
    ///   - environment: variables that begin with `IMPACTIQ_` set keys.
    ///   - overrides: `key=value` texts of `--set`.
    package init(file: String?, environment: [String: String], overrides: [String]) throws(ImpactError) {
        self.init()
        if let file { try read(file: file) }
        try read(environment: environment)
        for text in overrides {
            guard let equals = text.firstIndex(of: "=") else {
                throw ImpactError(.usage, code: "bad_override", "--set \(text): write it as key=value")
            }
            let name = text[..<equals].trimmingCharacters(in: .whitespaces)
            try set(name, String(text[text.index(after: equals)...]), origin: .commandLine)
        }
    }

    /// Sets one key; the value is checked.
    package mutating func set(_ name: String, _ value: String, origin: Origin = .commandLine) throws(ImpactError) {
        let value = value.trimmingCharacters(in: .whitespaces)
        if let key = ConfigurationKey.all.first(where: { $0.name == name }) {
            if let problem = key.problem(with: value) {
                throw ImpactError(.badConfiguration, code: "bad_value", "\(origin): \(name)=\(value): \(problem)")
            }
        } else if !ConfigurationKey.passThroughPrefixes.contains(where: { name.hasPrefix($0) && name != $0 }) {
            let hint = NearestName.find(name, among: ConfigurationKey.all.map(\.name))
            throw ImpactError(
                .badConfiguration, code: "unknown_key",
                "\(origin): unknown configuration key '\(name)'"
                    + (hint.map { "; did you mean '\($0)'?" } ?? "; 'impactiq config' lists them all"))
        }
        entries[name] = Entry(value: value, origin: origin)
    }

    /// The value and origin of a key; nil for a pass-through key that is not set.
    package func entry(_ name: String) -> Entry? { entries[name] }

    private mutating func read(file: String) throws(ImpactError) {
        let text: String
        do { text = try String(contentsOfFile: file, encoding: .utf8) } catch {
            let reason = access(file, R_OK) == 0 ? "it is no UTF-8 text" : String(cString: strerror(errno))
            throw ImpactError(
                .badConfiguration, code: "unreadable_configuration",
                "cannot read the configuration file \(file): \(reason)")
        }
        for property in try PropertiesFile.parse(text, path: file) {
            try set(property.key, property.value, origin: .file(path: file, line: property.line))
        }
    }

    private mutating func read(environment: [String: String]) throws(ImpactError) {
        let known = ConfigurationKey.namesByVariable
        for (variable, value) in environment.sorted(by: { $0.key < $1.key }) where variable.hasPrefix("IMPACTIQ_") {
            if Self.isReserved(variable) { continue }
            let dotted = variable.dropFirst("IMPACTIQ_".count).lowercased().replacingOccurrences(of: "_", with: ".")
            guard let name = known[variable] ?? (dotted.hasPrefix("kafka.") ? dotted : nil) else {
                let hint = NearestName.find(variable, among: known.keys.sorted())
                throw ImpactError(
                    .badConfiguration, code: "unknown_key",
                    "unknown environment variable \(variable)" + (hint.map { "; did you mean \($0)?" } ?? ""))
            }
            try set(name, value, origin: .environment(variable: variable))
        }
    }

    /// Variables that steer the process but are no configuration: the log's level, the kernel, kill points, the tests.
    private static func isReserved(_ variable: String) -> Bool {
        ["IMPACTIQ_LOG", "IMPACTIQ_KERNEL", "IMPACTIQ_SHARED", KillPoint.variable].contains(variable)
            || variable.hasPrefix("IMPACTIQ_TEST_")
    }
}
