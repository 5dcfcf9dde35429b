import Diagnostics

/// What a database said, in words that name the place and what to do.
public struct LogStoreError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Stable, snake_case: `log_store_full`, `log_store_damaged`, …
    public var code: String
    public var message: String
    /// True when the same batch may succeed later without anybody changing the configuration. The store is to be
    /// closed and opened again before the next try.
    public var isRetriable: Bool
    public var kind: ImpactError.Kind

    public init(_ code: String, _ message: String, isRetriable: Bool = false, kind: ImpactError.Kind = .failed) {
        self.code = code
        self.message = message
        self.isRetriable = isRetriable
        self.kind = kind
    }

    public var description: String { message }

    /// The error as a command reports it.
    public var impactError: ImpactError { ImpactError(kind, code: code, message) }
}
