import Base
import Foundation

/// The setting `log.store`: which database, or none.
package enum LogStoreAddress: Sendable, Equatable, CustomStringConvertible {
    case none
    case sqlite(path: String)
    case postgresql(url: String)

    /// - Parameter text: `none`, `sqlite:PATH` (a `~/` at its start is the home folder), `postgresql://…`.
    /// - Throws: `badConfiguration`, without repeating a URL, which may hold a password.
    package init(parsing text: String) throws(ImpactError) {
        if text == "none" {
            self = .none
        } else if text.hasPrefix("sqlite:"), text.count > "sqlite:".count {
            let path = String(text.dropFirst("sqlite:".count))
            self = .sqlite(path: NSString(string: path).expandingTildeInPath)
        } else if text.hasPrefix("postgresql://") || text.hasPrefix("postgres://") {
            do throws(LogStoreError) { _ = try PostgreSQLAddress(text) } catch { throw error.impactError }
            self = .postgresql(url: text)
        } else {
            let scheme = text.prefix { $0 != ":" }
            throw ImpactError(
                .badConfiguration, code: "log_store_address",
                "log.store: \(scheme) is no log store; give sqlite:PATH, postgresql://USER@HOST:PORT/DATABASE or none")
        }
    }

    /// The store, not open yet; nil for `none`.
    /// - Parameter userIndex: keeps an index on `user_id`, which costs writing speed.
    package func make(userIndex: Bool = false) throws(LogStoreError) -> (any LogStore)? {
        switch self {
        case .none: nil
        case .sqlite(let path): SQLiteLogStore(path: path, options: .init(userIndex: userIndex))
        case .postgresql(let url): try PostgreSQLLogStore(url: url, options: .init(userIndex: userIndex))
        }
    }

    /// For people: without user and password.
    package var description: String {
        switch self {
        case .none: return "none"
        case .sqlite(let path): return "sqlite:\(path)"
        case .postgresql(let url):
            do throws(LogStoreError) { return try PostgreSQLAddress(url).display } catch { return "postgresql://****" }
        }
    }
}
