import Base

extension Configuration {
    /// One line of `impactiq config`; secrets are masked.
    package struct Line: Sendable, Equatable {
        package var name: String
        package var value: String
        package var origin: String
        package var summary: String
    }

    /// The effective values in the order of ``keys``, then the pass-through keys by name.
    package var listing: [Line] {
        let own = keys.map { key in line(key.name, summary: key.summary) }
        let names = Set(keys.map(\.name))
        let others = entries.keys.filter { !names.contains($0) }.sorted()
        return own + others.map { line($0, summary: "given to librdkafka") }
    }

    private func line(_ name: String, summary: String) -> Line {
        let entry = entries[name] ?? Entry(value: "", origin: .builtIn)
        return Line(
            name: name, value: Secrets.masked(name, entry.value), origin: entry.origin.description, summary: summary)
    }
}
