import Base

/// What a database said, in words that name the place and what to do.
package struct LogStoreError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Stable, snake_case: `log_store_full`, `log_store_damaged`, …
    package var code: String
    package var message: String
    /// True when the same batch may succeed later without anybody changing the configuration. The store is to be
    /// closed and opened again before the next try.
    package var isRetriable: Bool
    package var kind: ImpactError.Kind

    package init(_ code: String, _ message: String, isRetriable: Bool = false, kind: ImpactError.Kind = .failed) {
        self.code = code
        self.message = message
        self.isRetriable = isRetriable
        self.kind = kind
    }

    package var description: String { message }

    /// The error as a command reports it.
    package var impactError: ImpactError { ImpactError(kind, code: code, message) }
}
