import Foundation

extension Configuration {
    /// One line of `impactiq config`; secrets are masked.
    package struct Line: Sendable, Equatable {
        package var name: String
        package var value: String
        package var origin: String
        package var summary: String
    }

    /// The effective values in the order of ``ConfigurationKey/all``, then the pass-through keys by name.
    package var listing: [Line] {
        let own = ConfigurationKey.all.map { key in line(key.name, summary: key.summary) }
        let names = Set(ConfigurationKey.all.map(\.name))
        let others = entries.keys.filter { !names.contains($0) }.sorted()
        return own + others.map { line($0, summary: "given to librdkafka") }
    }

    private func line(_ name: String, summary: String) -> Line {
        let entry = entries[name] ?? Entry(value: "", origin: .builtIn)
        return Line(
            name: name, value: Self.masked(name, entry.value), origin: entry.origin.description, summary: summary)
    }

    /// The value with its secrets hidden: passwords and keys wholly, a database URL's password within it.
    package static func masked(_ name: String, _ value: String) -> String {
        let lower = name.lowercased()
        let isSecret = ["password", "secret", "jaas", "private.key", "key.pem", "oauthbearer.config"]
            .contains { lower.contains($0) }
        if isSecret { return value.isEmpty ? "" : "********" }
        guard let scheme = value.range(of: "://"), let at = value.lastIndex(of: "@"), scheme.upperBound < at,
            let colon = value[scheme.upperBound..<at].firstIndex(of: ":")
        else { return value }
        return value[...colon] + "********" + value[at...]
    }
}
