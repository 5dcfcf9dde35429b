/// One prediction of a response model with what moved it, as the log store keeps it: the history of impact analysis.
package struct StoredPrediction: Sendable, Equatable {
    package var user: String
    /// When it was made, milliseconds since 1970 UTC.
    package var time: Int64
    package var model: String
    package var modelVersion: String
    package var outcome: String
    /// NaN when there was no estimate.
    package var probability: Double
    /// `low`, `medium` or `high`.
    package var confidence: String
    /// A JSON array: of each parameter its value, baseline, impact, direction and arrow.
    package var impacts: String

    package init(
        user: String, time: Int64, model: String, modelVersion: String, outcome: String, probability: Double,
        confidence: String, impacts: String
    ) {
        self.user = user
        self.time = time
        self.model = model
        self.modelVersion = modelVersion
        self.outcome = outcome
        self.probability = probability
        self.confidence = confidence
        self.impacts = impacts
    }

    static let table = "impactiq_predictions"
    static let columns = "user_id, time, model, model_version, outcome, probability, confidence, impacts"

    static func creation(_ dialect: ScoresTable.Dialect) -> String {
        let number = dialect == .sqlite ? "REAL" : "DOUBLE PRECISION"
        return """
            CREATE TABLE \(table) (user_id \(dialect.key) NOT NULL, time \(dialect.int64) NOT NULL, model TEXT NOT NULL, \
            model_version TEXT NOT NULL, outcome TEXT NOT NULL, probability \(number), confidence TEXT NOT NULL, \
            impacts TEXT NOT NULL, PRIMARY KEY (user_id, time, model, outcome))\(dialect.suffix)
            """
    }

    /// A user's last predictions, with the user and the limit as parameters.
    static func query(user: String, limit: String) -> String {
        "SELECT \(columns) FROM \(table) WHERE user_id = \(user) ORDER BY time DESC, model, outcome LIMIT \(limit)"
    }

    /// Stores one; of two of one millisecond the first stays.
    static func insertion(_ places: [String]) -> String {
        "INSERT INTO \(table) (\(columns)) VALUES (\(places.joined(separator: ", "))) ON CONFLICT DO NOTHING"
    }
}
