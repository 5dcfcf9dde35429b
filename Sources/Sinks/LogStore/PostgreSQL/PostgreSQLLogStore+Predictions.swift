extension PostgreSQLLogStore {
    package func append(predictions: [StoredPrediction]) throws(LogStoreError) {
        try run { session throws(PostgreSQLError) in
            try session.transaction(durable: false) { () throws(PostgreSQLError) in
                let sql = StoredPrediction.insertion((1...8).map { "$\($0)" })
                for prediction in predictions {
                    let probability = prediction.probability
                    try session.connection.execute(
                        sql,
                        [
                            prediction.user, "\(prediction.time)", prediction.model, prediction.modelVersion,
                            prediction.outcome, probability.isFinite ? "\(probability)" : nil, prediction.confidence,
                            prediction.impacts,
                        ])
                }
            }
        }
    }

    package func predictions(ofUser user: String, limit: Int) throws(LogStoreError) -> [StoredPrediction] {
        try run { session throws(PostgreSQLError) in
            let result = try session.connection.execute(
                StoredPrediction.query(user: "$1", limit: "$2::bigint"), [user, "\(limit)"])
            return (0..<result.rowCount).map { row in
                func text(_ column: Int) -> String { result.text(row, column) ?? "" }
                return StoredPrediction(
                    user: text(0), time: result.integer(row, 1) ?? 0, model: text(2), modelVersion: text(3),
                    outcome: text(4), probability: result.text(row, 5).flatMap(Double.init) ?? .nan,
                    confidence: text(6), impacts: text(7))
            }
        }
    }
}
