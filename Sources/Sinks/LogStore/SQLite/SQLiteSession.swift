import CSQLite

/// One open connection with its prepared statements: the steps of a transaction.
final class SQLiteSession {
    let connection: SQLiteConnection
    private let insertScore: SQLiteStatement
    private let insertRejection: SQLiteStatement
    private let selectPositions: SQLiteStatement
    private let movePosition: SQLiteStatement

    init(_ connection: SQLiteConnection) throws(LogStoreError) {
        self.connection = connection
        let places = (1...ScoresTable.columns.count).map { "?\($0)" }.joined(separator: ", ")
        // Not OR IGNORE, which would also swallow a NULL in a column that may hold none.
        insertScore = try SQLiteStatement(
            connection,
            """
            INSERT INTO scores (\(ScoresTable.columnList)) VALUES (\(places)) \
            ON CONFLICT (\(ScoresTable.primaryKey)) DO NOTHING
            """)
        insertRejection = try SQLiteStatement(
            connection, "INSERT INTO impactiq_rejected VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING")
        selectPositions = try SQLiteStatement(
            connection,
            "SELECT kafka_partition, next_offset FROM impactiq_positions WHERE cluster = ?1 AND topic = ?2")
        movePosition = try SQLiteStatement(
            connection,
            """
            INSERT INTO impactiq_positions VALUES (?1, ?2, ?3, ?4) ON CONFLICT (cluster, topic, kafka_partition) \
            DO UPDATE SET next_offset = max(next_offset, excluded.next_offset)
            """)
    }

    func positions(of source: FollowedTopic) throws(LogStoreError) -> [Int32: Int64] {
        selectPositions.bind(1, source.cluster)
        selectPositions.bind(2, source.topic)
        defer { selectPositions.reset() }
        var positions: [Int32: Int64] = [:]
        while try selectPositions.step() {
            positions[Int32(truncatingIfNeeded: selectPositions.integer(0))] = selectPositions.integer(1)
        }
        return positions
    }

    /// Puts the write-ahead log into the file and cuts it to nothing, so that it does not hold what was erased.
    ///
    /// - Parameter waits: for readers; in the stream the next batch tries again instead.
    /// - Returns: false when another process reads from it just now.
    func truncateLog(waits: Bool) throws(LogStoreError) -> Bool {
        if !waits { sqlite3_busy_timeout(connection.handle, 0) }
        defer { sqlite3_busy_timeout(connection.handle, SQLiteConnection.busyMilliseconds) }
        return try connection.integer("PRAGMA wal_checkpoint(TRUNCATE)") == 0
    }

    /// Returns how many rows were new.
    func insert(_ rows: ScoreRows) throws(LogStoreError) -> Int {
        let before = sqlite3_total_changes64(connection.handle)
        for i in 0..<rows.count {
            let row = rows[i]
            insertScore.bind(1, borrowing: rows.bytes(row.sourceTopic))
            insertScore.bind(2, Int64(row.sourcePartition))
            insertScore.bind(3, row.sourceOffset)
            insertScore.bind(4, borrowing: rows.bytes(row.user))
            insertScore.bind(5, row.time)
            insertScore.bind(6, borrowing: rows.bytes(row.eventType))
            insertScore.bind(7, borrowing: rows.bytes(row.treatment))
            insertScore.bind(8, borrowing: rows.bytes(row.outcome))
            insertScore.bind(9, row.uplift)
            insertScore.bind(10, row.standardError)
            insertScore.bind(11, row.lower)
            insertScore.bind(12, row.upper)
            insertScore.bind(13, row.level)
            insertScore.bind(14, borrowing: rows.bytes(row.decision))
            insertScore.bind(15, borrowing: rows.bytes(row.model))
            insertScore.bind(16, borrowing: rows.bytes(row.modelVersion))
            insertScore.bind(17, borrowing: rows.bytes(row.modelSHA256))
            insertScore.bind(18, borrowing: rows.bytes(row.effects))
            try insertScore.run()
        }
        return Int(sqlite3_total_changes64(connection.handle) - before)
    }

    func insert(_ rejections: [ScoreBatch.Rejection], of source: FollowedTopic) throws(LogStoreError) {
        for rejection in rejections {
            insertRejection.bind(1, source.cluster)
            insertRejection.bind(2, source.topic)
            insertRejection.bind(3, Int64(rejection.partition))
            insertRejection.bind(4, rejection.offset)
            insertRejection.bind(5, rejection.code)
            insertRejection.bind(6, rejection.message)
            try insertRejection.run()
        }
    }

    /// Deletes the rows of these users in one pass over the table, or over the index on users when there is one.
    func erase(_ users: Set<[UInt8]>) throws(LogStoreError) -> Int {
        if users.isEmpty { return 0 }
        // A temporary table, since the number of parameters of a statement is bounded.
        try connection.execute("CREATE TEMP TABLE IF NOT EXISTS erased_users (user_id TEXT PRIMARY KEY) WITHOUT ROWID")
        try connection.execute("DELETE FROM erased_users")
        let insert = try SQLiteStatement(connection, "INSERT INTO erased_users VALUES (?1)")
        for user in users {
            insert.bind(1, copying: user)
            try insert.run()
        }
        try connection.execute("DELETE FROM scores WHERE user_id IN (SELECT user_id FROM erased_users)")
        let erased = Int(sqlite3_changes64(connection.handle))
        try connection.execute(
            "DELETE FROM \(StoredPrediction.table) WHERE user_id IN (SELECT user_id FROM erased_users)")
        try connection.execute("DELETE FROM erased_users")
        return erased
    }

    func move(_ advances: [ScoreBatch.Advance], of source: FollowedTopic) throws(LogStoreError) {
        for advance in advances {
            movePosition.bind(1, source.cluster)
            movePosition.bind(2, source.topic)
            movePosition.bind(3, Int64(advance.partition))
            movePosition.bind(4, advance.next)
            try movePosition.run()
        }
    }
}
