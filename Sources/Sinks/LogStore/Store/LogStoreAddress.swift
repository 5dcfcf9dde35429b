import Base
import Settings

/// A kind of log store: how its addresses look, and how a store is made of one.
///
/// A new store is a folder with an implementation of ``LogStore`` and its kind, and one line in ``LogStores/kinds``; the
/// conformance tests run on every kind.
package struct LogStoreKind: Sendable {
    /// What addresses begin with: `sqlite:`.
    package var prefixes: [String]
    /// An address as help and messages show it: `sqlite:PATH`.
    package var form: String
    /// Reads an address that begins with one of the prefixes.
    package var parse: @Sendable (_ text: String) throws(SettingProblem) -> LogStoreAddress

    package init(
        prefixes: [String], form: String,
        parse: @escaping @Sendable (_ text: String) throws(SettingProblem) -> LogStoreAddress
    ) {
        self.prefixes = prefixes
        self.form = form
        self.parse = parse
    }
}

/// The registry of log stores.
package enum LogStores {
    package static let kinds: [LogStoreKind] = [
        .sqlite,
        .postgresql,
    ]

    static var forms: [String] { kinds.map(\.form) }
}

/// How a store's tables are laid out.
package struct LogStoreOptions: Sendable {
    /// Keeps an index on `user_id`: look-ups of one user become fast, writing becomes slower, with SQLite several times.
    /// An index that is there already is kept.
    package var userIndex = false

    package init(userIndex: Bool = false) { self.userIndex = userIndex }
}

/// Where a log store is: the setting `log.store`, and the place that a replay writes to.
package struct LogStoreAddress: Sendable, CustomStringConvertible {
    /// For people: without user and password.
    package let description: String
    /// The path of a store that is one file, beside which a replay may keep its own; nil for a server.
    package let path: String?
    private let factory: @Sendable (LogStoreOptions) throws(LogStoreError) -> any LogStore

    package init(
        description: String, path: String? = nil,
        factory: @escaping @Sendable (LogStoreOptions) throws(LogStoreError) -> any LogStore
    ) {
        self.description = description
        self.path = path
        self.factory = factory
    }

    /// - Parameter text: `sqlite:PATH`, `postgresql://…`: any of ``LogStores/kinds``.
    /// - Throws: without repeating a URL, which may hold a password.
    package init(parsing text: String) throws(SettingProblem) {
        guard let kind = LogStores.kinds.first(where: { $0.prefixes.contains { text.hasPrefix($0) } }) else {
            throw SettingProblem("must be \(LogStores.forms.joined(separator: ", ")), or none")
        }
        self = try kind.parse(text)
    }

    /// The store, not open yet.
    package func make(_ options: LogStoreOptions = LogStoreOptions()) throws(LogStoreError) -> any LogStore {
        try factory(options)
    }
}
