import Base

/// An error of the server or of the connection to it.
struct PostgreSQLError: Error, Equatable {
    /// Five characters (https://www.postgresql.org/docs/15/errcodes-appendix.html); `08006` when the connection broke.
    var state: String
    var message: String

    static let connectionLost = "08006"
    static let uniqueViolation = "23505"
    static let queryCanceled = "57014"

    /// The error as the log store gives it to its reader.
    func logStoreError(place: String) -> LogStoreError {
        let text = "\(place): \(message) (SQLSTATE \(state))"
        switch state {
        case "53100":
            return LogStoreError(
                "log_store_full",
                "\(text). The server's disk is full: make room; the output topic holds what is to come",
                isRetriable: true)
        case "25006":
            return LogStoreError(
                "log_store_read_only", "\(text). The server is a standby or read-only; waiting for a writable one.",
                isRetriable: true)
        // Connection (08), resources (53), operator and shutdown (57), input and output (58), lock not available (55),
        // serialization and deadlock (40).
        case _ where ["08", "53", "57", "58", "55", "40"].contains(state.prefix(2)):
            return LogStoreError("log_store_unavailable", text, isRetriable: true)
        case _ where state.hasPrefix("28"):
            return LogStoreError(
                "log_store_login",
                "\(text). Check the user and the password (in the URL, PGPASSWORD or PGPASSFILE) and pg_hba.conf.",
                kind: .badConfiguration)
        case "3D000":
            return LogStoreError(
                "log_store_open", "\(text). Create the database first (createdb).", kind: .badConfiguration)
        case "42501":
            return LogStoreError(
                "log_store_privilege",
                "\(text). The user needs CREATE on the schema (or the tables made by its owner) and TEMP on the database.",
                kind: .badConfiguration)
        case _ where state.hasPrefix("XX"):
            return LogStoreError("log_store_damaged", "\(text). The server found damaged data.")
        default:
            return LogStoreError("log_store_failed", text)
        }
    }
}
