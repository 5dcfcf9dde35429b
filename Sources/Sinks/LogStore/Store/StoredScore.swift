import Base

/// A score as a log store gives it back; numbers are NaN and texts nil where the row has NULL.
package struct StoredScore: Sendable, Equatable {
    package var user = ""
    /// Event time, milliseconds since 1970 UTC.
    package var time: Int64 = 0
    package var eventType = ""
    package var treatment: String?
    package var outcome: String?
    package var uplift = Double.nan
    package var standardError = Double.nan
    package var lower = Double.nan
    package var upper = Double.nan
    package var level = Double.nan
    package var decision = ""
    package var model = ""
    package var modelVersion = ""
    package var modelSHA256 = ""
    package var sourceTopic = ""
    package var sourcePartition: Int32 = 0
    package var sourceOffset: Int64 = 0
    /// The JSON array of all effects, when the model has several.
    package var effects: String?

    package init() {}

    /// The columns of ``read``, in its order.
    static let columns = """
        user_id, time, event_type, treatment, outcome, uplift, std_error, ci_lower, ci_upper, ci_level, decision, model, \
        model_version, model_sha256, source_topic, source_partition, source_offset, effects
        """

    /// Rows that may be searched without an index on `user_id`.
    static let mostUnindexed = 200_000

    /// The query for one user's last scores, with the user and the limit as parameters.
    static func query(user: String, limit: String) -> String {
        "SELECT \(columns) FROM scores WHERE user_id = \(user) ORDER BY time DESC, source_offset DESC LIMIT \(limit)"
    }

    static func noIndex(_ place: String) -> LogStoreError {
        LogStoreError(
            "no_user_index",
            "\(place) holds more than \(mostUnindexed) scores and no index by user: set log.store.index.users=true",
            kind: .badConfiguration)
    }
}
