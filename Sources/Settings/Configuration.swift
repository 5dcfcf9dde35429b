import Base
import Foundation

/// The effective configuration: defaults, then the file, then the environment, then `--set`; the last one wins.
///
/// Keys are in Kafka's dotted style. Unknown keys and unfit values are errors that name where they stand. A value is read
/// by its property in a ``SettingGroup``: `configuration.inputTopics`.
@dynamicMemberLookup
package struct Configuration: Sendable {
    /// Where a value came from.
    package enum Origin: Sendable, Equatable, CustomStringConvertible {
        case builtIn
        case file(path: String, line: Int)
        case environment(variable: String)
        case commandLine
        case secretFile(path: String)

        package var description: String {
            switch self {
            case .builtIn: "default"
            case .file(let path, let line): "\(path):\(line)"
            case .environment(let variable): variable
            case .commandLine: "--set"
            case .secretFile(let path): "file \(path)"
            }
        }
    }

    /// A value as it was written, and its origin.
    package struct Entry: Sendable, Equatable {
        package var value: String
        package var origin: Origin
    }

    /// Every key, in the order in which `impactiq config` prints them.
    package let keys: [any AnySettingKey]
    private(set) var entries: [String: Entry] = [:]
    /// Values that are set, parsed, by key.
    private var parsed: [String: any Sendable] = [:]

    /// Prefixes whose keys go to librdkafka as they are, the prefix removed.
    package static let passThroughPrefixes = ["kafka.consumer.", "kafka.producer.", "kafka."]

    /// The defaults alone.
    /// - Parameter groups: the modules' keys; ``ApplicationSettings`` comes first by itself.
    package init(groups: [any SettingGroup]) {
        keys = ([ApplicationSettings.shared] + groups).flatMap(\.keys)
        for key in keys { entries[key.name] = Entry(value: key.defaultText, origin: .builtIn) }
    }

    /// - Parameters:
    ///   - file: path of a `.properties` file, or nil.
    ///   - environment: variables that begin with `IMPACTIQ_` set keys.
    ///   - overrides: `key=value` texts of `--set`.
    package init(
        groups: [any SettingGroup], file: String?, environment: [String: String], overrides: [String]
    ) throws(ImpactError) {
        self.init(groups: groups)
        if let file { try read(file: file) }
        try read(environment: environment)
        for text in overrides {
            guard let equals = text.firstIndex(of: "=") else {
                throw ImpactError(.usage, code: "bad_override", "--set \(Self.shownName(text)): write it as key=value")
            }
            let name = text[..<equals].trimmingCharacters(in: .whitespaces)
            try set(name, String(text[text.index(after: equals)...]), origin: .commandLine)
        }
    }

    /// Sets one key; the value is checked.
    package mutating func set(_ name: String, _ value: String, origin: Origin = .commandLine) throws(ImpactError) {
        let value = value.trimmingCharacters(in: .whitespaces)
        if let target = secretTarget(ofFile: name) { return try set(target, contentsOf: value, origin: origin) }
        if let key = keys.first(where: { $0.name == name }) {
            do throws(SettingProblem) {
                parsed[name] = try key.parseAny(value)
            } catch {
                throw ImpactError(
                    .badConfiguration, code: "bad_value",
                    "\(origin): \(name)=\(Secrets.masked(name, value)): \(error.words)")
            }
        } else if !Self.passThroughPrefixes.contains(where: { name.hasPrefix($0) && name != $0 }) {
            let hint = NearestName.find(name, among: keys.map(\.name))
            throw ImpactError(
                .badConfiguration, code: "unknown_key",
                "\(origin): unknown configuration key '\(name.prefix { !$0.isWhitespace })'"
                    + (hint.map { "; did you mean '\($0)'?" } ?? "; 'impactiq config' lists them all"))
        }
        entries[name] = Entry(value: value, origin: origin)
    }

    /// The key that `KEY.file=PATH` sets: a secret may stand in a file of its own instead of the configuration.
    private func secretTarget(ofFile name: String) -> String? {
        guard name.hasSuffix(".file") else { return nil }
        let target = String(name.dropLast(".file".count))
        let isOurs = keys.contains { $0.name == target } && (Secrets.isSecret(target) || target == "log.store")
        let isKafkas = Self.passThroughPrefixes.contains { target.hasPrefix($0) } && Secrets.isSecret(target)
        return isOurs || isKafkas ? target : nil
    }

    /// - Parameter path: `credentials:NAME` is a systemd credential, a file in `$CREDENTIALS_DIRECTORY`.
    private mutating func set(_ name: String, contentsOf path: String, origin: Origin) throws(ImpactError) {
        var file = path
        if path.hasPrefix("credentials:") {
            guard let folder = ProcessInfo.processInfo.environment["CREDENTIALS_DIRECTORY"] else {
                throw ImpactError(
                    .badConfiguration, code: "no_credentials",
                    "\(origin): \(name).file=\(path): systemd gave this process no credentials (LoadCredential=)")
            }
            file = folder + "/" + path.dropFirst("credentials:".count)
        }
        if FileManager.default.fileExists(atPath: file), !OpenFile.isRegular(file) {
            throw ImpactError(
                .badConfiguration, code: "secret_file", "\(origin): \(name).file: \(file) is not a regular file")
        }
        let bytes: [UInt8]
        do throws(ImpactError) { bytes = try OpenFile.contents(of: file, atMost: 2 << 20) } catch {
            throw ImpactError(.badConfiguration, code: "secret_file", "\(origin): \(name).file: \(error.message)")
        }
        let value = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        guard !value.isEmpty, bytes.count <= 1 << 20 else {
            throw ImpactError(
                .badConfiguration, code: "secret_file", "\(origin): \(name).file: \(file) is empty or larger than 1 MiB"
            )
        }
        try set(name, value, origin: .secretFile(path: file))
    }

    /// What of a setting without `=` may be shown: its name, when it looks like one, for the rest may be a secret.
    private static func shownName(_ text: String) -> String {
        let name = text.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }
        return name.contains(".") && name.count < text.count ? name + "…" : "…"
    }

    /// The value and origin of a key; nil for a pass-through key that is not set.
    package func entry(_ name: String) -> Entry? { entries[name] }

    /// The value of a key: what was set, or its default.
    package subscript<Value>(key: SettingKey<Value>) -> Value {
        guard let value = parsed[key.name] else { return key.defaultValue }
        return value as? Value ?? key.defaultValue
    }

    package subscript<Value>(dynamicMember path: KeyPath<ApplicationSettings, SettingKey<Value>>) -> Value {
        self[ApplicationSettings.shared[keyPath: path]]
    }

    /// The value of `name`, or the error that says how to set it.
    package func required(_ name: String) throws(ImpactError) -> String {
        let value = entries[name]?.value ?? ""
        guard value.isEmpty else { return value }
        throw ImpactError(
            .badConfiguration, code: "missing_value",
            "\(name) is not set: give it in the configuration file, as \(Self.environmentVariable(for: name)), "
                + "or with --set \(name)=…")
    }

    /// Settings that go to librdkafka as they are: those for every client, then those for the one asked for.
    /// - Parameter client: `consumer` or `producer`.
    package func passThrough(client: String) -> [(key: String, value: String)] {
        var settings: [String: String] = [:]
        for (name, entry) in entries where name.hasPrefix("kafka.") {
            let isOfOneClient = name.hasPrefix("kafka.consumer.") || name.hasPrefix("kafka.producer.")
            if !isOfOneClient { settings[String(name.dropFirst("kafka.".count))] = entry.value }
        }
        let prefix = "kafka.\(client)."
        for (name, entry) in entries where name.hasPrefix(prefix) {
            settings[String(name.dropFirst(prefix.count))] = entry.value
        }
        return settings.sorted { $0.key < $1.key }.map { (key: $0.key, value: $0.value) }
    }

    package static func environmentVariable(for name: String) -> String {
        "IMPACTIQ_" + name.uppercased().map { $0 == "." ? "_" : String($0) }.joined()
    }

    private mutating func read(file: String) throws(ImpactError) {
        func unreadable(_ reason: String) -> ImpactError {
            ImpactError(
                .badConfiguration, code: "unreadable_configuration",
                "cannot read the configuration file \(file): \(reason)")
        }
        let bytes: [UInt8]
        do throws(ImpactError) { bytes = try SmallFile.read(file, limit: 1 << 20) } catch {
            if error.code == "file_too_large" { throw unreadable("it has more than a megabyte") }
            throw unreadable(access(file, R_OK) == 0 ? "it is not a file" : String(cString: strerror(errno)))
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw unreadable("it is no UTF-8 text") }
        for property in try PropertiesFile.parse(text, path: file) {
            try set(property.key, property.value, origin: .file(path: file, line: property.line))
        }
    }

    private mutating func read(environment: [String: String]) throws(ImpactError) {
        let known = Dictionary(keys.map { ($0.environmentVariable, $0.name) }, uniquingKeysWith: { first, _ in first })
        for (variable, value) in environment.sorted(by: { $0.key < $1.key }) where variable.hasPrefix("IMPACTIQ_") {
            if Self.isReserved(variable) { continue }
            let dotted = variable.dropFirst("IMPACTIQ_".count).lowercased().replacingOccurrences(of: "_", with: ".")
            let ofFile = variable.hasSuffix("_FILE") ? known[String(variable.dropLast("_FILE".count))] : nil
            let own = known[variable] ?? ofFile.map { $0 + ".file" }
            guard let name = own ?? (dotted.hasPrefix("kafka.") ? dotted : nil) else {
                let hint = NearestName.find(variable, among: known.keys.sorted())
                throw ImpactError(
                    .badConfiguration, code: "unknown_key",
                    "unknown environment variable \(variable)" + (hint.map { "; did you mean \($0)?" } ?? ""))
            }
            try set(name, value, origin: .environment(variable: variable))
        }
    }

    /// Variables that steer the process but are not configuration: the log's level, the kernel, kill points, the tests.
    private static func isReserved(_ variable: String) -> Bool {
        ["IMPACTIQ_LOG", "IMPACTIQ_KERNEL", "IMPACTIQ_SHARED", KillPoint.variable].contains(variable)
            || variable.hasPrefix("IMPACTIQ_TEST_")
    }
}
