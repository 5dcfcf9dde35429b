import Base
import CPostgres

/// A connection URL (`postgresql://user@host:port/database?options`), checked, and a form of it without secrets.
///
/// The password may stand in the URL, in `PGPASSWORD` or in the file that `PGPASSFILE` names
/// (https://www.postgresql.org/docs/15/libpq-connect.html). Only ``display`` is ever shown.
package struct PostgreSQLAddress: Sendable {
    let url: String
    /// `postgresql://host:port/database`, as far as the URL states them.
    package let display: String
    /// Seconds that connecting may take.
    let connectTimeout: Double
    /// What must not appear in a message, should the server or libpq repeat it.
    private let password: String?

    package init(_ url: String) throws(LogStoreError) {
        self.url = url
        // A password with a bare @, / or : would land in the host's name, and from there in messages.
        let authority = url.split(separator: "://", maxSplits: 1).last?.prefix { !"/?".contains($0) } ?? ""
        guard authority.filter({ $0 == "@" }).count <= 1 else {
            throw Self.malformed("the user or the password has an @: write it as %40")
        }
        var said: UnsafeMutablePointer<CChar>?
        // libpq's own message repeats pieces of the URL, perhaps of the password.
        guard let options = PQconninfoParse(url, &said) else {
            PQfreemem(said)
            throw Self.malformed("percent-encode what is special in it (a / in a password is %2F)")
        }
        defer { PQconninfoFree(options) }
        var values: [String: String] = [:]
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { values[String(cString: keyword)] = String(cString: value) }
            option += 1
        }
        if let port = values["port"], port.split(separator: ",").contains(where: { UInt16($0) == nil }) {
            throw Self.malformed("its port is not a number (a : or / in the password is %3A or %2F)")
        }
        let host = values["host"] ?? values["hostaddr"] ?? "localhost"
        let port = values["port"].map { ":\($0)" } ?? ""
        display = "postgresql://\(host)\(port)/\(values["dbname"] ?? values["user"] ?? "")"
        connectTimeout = max(values["connect_timeout"].flatMap(Double.init) ?? 10, 1)
        password = values["password"].flatMap { $0.isEmpty ? nil : $0 }
    }

    private static func malformed(_ advice: String) -> LogStoreError {
        LogStoreError(
            "log_store_url",
            "log.store is not a connection URL like postgresql://user:password@host:5432/database: \(advice)",
            kind: .badConfiguration)
    }

    /// The text without the password.
    func scrubbed(_ text: String) -> String {
        guard let password else { return text }
        return text.split(separator: password, omittingEmptySubsequences: false).joined(separator: "***")
    }
}
