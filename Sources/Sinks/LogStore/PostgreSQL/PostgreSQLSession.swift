import Foundation

/// One open connection: the steps of a transaction.
final class PostgreSQLSession {
    let connection: PostgreSQLConnection
    private let encoder = PostgreSQLCopyEncoder()

    init(_ connection: PostgreSQLConnection) { self.connection = connection }

    func transaction<Result>(
        durable: Bool, _ body: () throws(PostgreSQLError) -> Result
    ) throws(PostgreSQLError) -> Result {
        // Without a flush a crash of the server may take back the last transactions, whole ones, last first. Rows and
        // position go together, and the output topic still holds what they came from.
        try connection.execute(durable ? "BEGIN" : "BEGIN; SET LOCAL synchronous_commit = off")
        do {
            let result = try body()
            try connection.execute("COMMIT")
            return result
        } catch {
            _ = try? connection.execute("ROLLBACK")
            throw error
        }
    }

    /// The stored positions of these partitions, locked until the transaction ends: a second reader waits here.
    func lockPositions(
        _ advances: [ScoreBatch.Advance], of source: FollowedTopic
    ) throws(PostgreSQLError) -> [Int32: Int64] {
        if advances.isEmpty { return [:] }
        // −1 stands for "none" inside this transaction; what is there already is locked and returned as it is.
        // In the order of the partitions, so that two readers cannot wait for each other.
        let result = try connection.execute(
            """
            INSERT INTO impactiq_positions SELECT $1, $2, p, -1 FROM unnest($3::int[]) AS p ORDER BY p \
            ON CONFLICT (cluster, topic, kafka_partition) DO UPDATE SET next_offset = impactiq_positions.next_offset \
            RETURNING kafka_partition, next_offset
            """,
            [source.cluster, source.topic, Self.array(advances.map { Int64($0.partition) })])
        return Self.positions(result)
    }

    func positions(of source: FollowedTopic) throws(PostgreSQLError) -> [Int32: Int64] {
        Self.positions(
            try connection.execute(
                "SELECT kafka_partition, next_offset FROM impactiq_positions WHERE cluster = $1 AND topic = $2",
                [source.cluster, source.topic]))
    }

    func move(_ advances: [ScoreBatch.Advance], of source: FollowedTopic) throws(PostgreSQLError) {
        if advances.isEmpty { return }
        try connection.execute(
            """
            UPDATE impactiq_positions SET next_offset = greatest(next_offset, n) \
            FROM unnest($3::int[], $4::bigint[]) AS a (p, n) \
            WHERE cluster = $1 AND topic = $2 AND kafka_partition = p
            """,
            [
                source.cluster, source.topic, Self.array(advances.map { Int64($0.partition) }),
                Self.array(advances.map(\.next)),
            ])
    }

    /// Copies straight into the table: half the work of staging, but fails with `23505` when a row is there already.
    func copy(_ rows: ScoreRows) throws(PostgreSQLError) -> Int {
        if rows.isEmpty { return 0 }
        return try copy(rows, into: "scores")
    }

    /// Copies beside the table and inserts what is not there yet. Returns how many rows were new.
    func copyStaged(_ rows: ScoreRows) throws(PostgreSQLError) -> Int {
        if rows.isEmpty { return 0 }
        try connection.execute("CREATE TEMP TABLE IF NOT EXISTS impactiq_staging (LIKE scores) ON COMMIT DELETE ROWS")
        _ = try copy(rows, into: "impactiq_staging")
        // In the order of the key: two writers of the same rows cannot then wait for each other.
        return try connection.execute(
            """
            INSERT INTO scores (\(ScoresTable.columnList)) SELECT \(ScoresTable.columnList) FROM impactiq_staging \
            ORDER BY \(ScoresTable.primaryKey) ON CONFLICT (\(ScoresTable.primaryKey)) DO NOTHING
            """
        ).affected
    }

    private func copy(_ rows: ScoreRows, into table: String) throws(PostgreSQLError) -> Int {
        try connection.copy("COPY \(table) (\(ScoresTable.columnList)) FROM STDIN (FORMAT binary)") {
            () throws(PostgreSQLError) in
            try encoder.encode(rows) { piece throws(PostgreSQLError) in try connection.put(piece) }
        }
    }

    func insert(_ rejections: [ScoreBatch.Rejection], of source: FollowedTopic) throws(PostgreSQLError) {
        if rejections.isEmpty { return }
        try connection.execute(
            """
            INSERT INTO impactiq_rejected SELECT $1, $2, r.* \
            FROM unnest($3::int[], $4::bigint[], $5::text[], $6::text[]) AS r ON CONFLICT DO NOTHING
            """,
            [
                source.cluster, source.topic, Self.array(rejections.map { Int64($0.partition) }),
                Self.array(rejections.map(\.offset)), Self.array(rejections.map(\.code)),
                Self.array(rejections.map(\.message)),
            ])
    }

    /// Deletes the rows of these users in one pass over the table, or over the index on users when there is one.
    func erase(_ users: Set<[UInt8]>) throws(PostgreSQLError) -> Int {
        // PostgreSQL holds no text with a zero byte, so such a user has no rows.
        let names = users.filter { !$0.contains(0) }.compactMap { String(validating: $0, as: UTF8.self) }
        if names.isEmpty { return 0 }
        try connection.execute(
            "DELETE FROM \(StoredPrediction.table) WHERE user_id = ANY($1::text[])", [Self.array(names)])
        return try connection.execute("DELETE FROM scores WHERE user_id = ANY($1::text[])", [Self.array(names)])
            .affected
    }

    // MARK: Values as text

    private static func positions(_ result: PostgreSQLResult) -> [Int32: Int64] {
        var positions: [Int32: Int64] = [:]
        for row in 0..<result.rowCount {
            guard let partition = result.integer(row, 0), let next = result.integer(row, 1), next >= 0 else { continue }
            positions[Int32(truncatingIfNeeded: partition)] = next
        }
        return positions
    }

    private static func array(_ values: [Int64]) -> String { "{\(values.map(String.init).joined(separator: ","))}" }

    /// An array literal: every element quoted, backslash and quote escaped.
    static func array(_ values: [String]) -> String {
        let quoted = values.map { value in
            let escaped = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
            return "\"\(escaped)\""
        }
        return "{\(quoted.joined(separator: ","))}"
    }
}
