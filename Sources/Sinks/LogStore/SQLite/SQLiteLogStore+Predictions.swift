extension SQLiteLogStore {
    package func append(predictions: [StoredPrediction]) throws(LogStoreError) {
        let connection = try opened().connection
        try connection.transaction { () throws(LogStoreError) in
            let statement = try SQLiteStatement(
                connection, StoredPrediction.insertion((1...8).map { "?\($0)" }))
            for prediction in predictions {
                statement.bind(1, prediction.user)
                statement.bind(2, prediction.time)
                statement.bind(3, prediction.model)
                statement.bind(4, prediction.modelVersion)
                statement.bind(5, prediction.outcome)
                statement.bind(6, prediction.probability)
                statement.bind(7, prediction.confidence)
                statement.bind(8, prediction.impacts)
                try statement.run()
            }
        }
    }

    package func predictions(ofUser user: String, limit: Int) throws(LogStoreError) -> [StoredPrediction] {
        let statement = try SQLiteStatement(
            opened().connection, StoredPrediction.query(user: "?1", limit: "?2"))
        statement.bind(1, user)
        statement.bind(2, Int64(limit))
        var found: [StoredPrediction] = []
        while try statement.step() {
            found.append(
                StoredPrediction(
                    user: statement.text(0), time: statement.integer(1), model: statement.text(2),
                    modelVersion: statement.text(3), outcome: statement.text(4), probability: statement.double(5),
                    confidence: statement.text(6), impacts: statement.text(7)))
        }
        return found
    }
}
