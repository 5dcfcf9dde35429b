import Base
import Settings

extension LogStoreKind {
    static let postgresql = LogStoreKind(prefixes: ["postgresql://", "postgres://"], form: "postgresql://…") {
        (text) throws(SettingProblem) in
        do throws(LogStoreError) {
            let address = try PostgreSQLAddress(text)
            return LogStoreAddress(description: address.display) { (options) throws(LogStoreError) in
                try PostgreSQLLogStore(url: text, options: options)
            }
        } catch {
            throw SettingProblem(error.message)
        }
    }
}

/// The log store in a PostgreSQL database (12 or newer). For one thread; several processes may share the database.
package final class PostgreSQLLogStore: LogStore {
    package var place: String { address.display }

    private let address: PostgreSQLAddress
    private let options: LogStoreOptions
    private let migrations: [[String]]
    private var session: PostgreSQLSession?
    /// Batches that still go through the staging table, after one held rows that were there already.
    private var stagedBatches = 0

    /// - Parameter url: `postgresql://user:password@host:port/database`; the password may come from `PGPASSWORD` or
    ///   `PGPASSFILE`.
    /// - Throws: when the URL is malformed, without repeating it.
    package convenience init(url: String, options: LogStoreOptions = LogStoreOptions()) throws(LogStoreError) {
        try self.init(url: url, options: options, migrations: Self.migrations)
    }

    /// The statements that lead from each schema version to the next.
    package static let migrations = ScoresTable.migrations(.postgresql)

    /// - Parameter migrations: tests lead a store through other versions.
    package init(url: String, options: LogStoreOptions, migrations: [[String]]) throws(LogStoreError) {
        address = try PostgreSQLAddress(url)
        self.options = options
        self.migrations = migrations
    }

    package func open(stop: LogStoreStop) throws(LogStoreError) {
        if session != nil { return }
        do {
            let connection = try PostgreSQLConnection(address, stop: stop)
            try PostgreSQLSchema(connection: connection, place: place, migrations: migrations).prepare()
            if options.userIndex { try connection.execute(ScoresTable.userIndex) }
            session = PostgreSQLSession(connection)
        } catch let error as PostgreSQLError {
            throw error.logStoreError(place: place)
        } catch let error as LogStoreError {
            throw error
        } catch {
            throw LogStoreError("log_store_failed", "\(place): \(error)")
        }
    }

    package func positions(of source: FollowedTopic) throws(LogStoreError) -> [Int32: Int64] {
        try run { session throws(PostgreSQLError) in try session.positions(of: source) }
    }

    package func sources() throws(LogStoreError) -> [FollowedTopic] {
        try run { session throws(PostgreSQLError) in
            let result = try session.connection.execute(
                "SELECT DISTINCT cluster, topic FROM impactiq_positions ORDER BY 1, 2")
            return (0..<result.rowCount).map {
                FollowedTopic(cluster: result.text($0, 0) ?? "", topic: result.text($0, 1) ?? "")
            }
        }
    }

    package func append(_ batch: ScoreBatch) throws(LogStoreError) -> AppendOutcome {
        try run { session throws(PostgreSQLError) in
            if stagedBatches > 0 {
                stagedBatches -= 1
                return try append(batch, staged: true, session)
            }
            do throws(PostgreSQLError) {
                return try append(batch, staged: false, session)
            } catch {
                guard error.state == PostgreSQLError.uniqueViolation else { throw error }
                // Rare: a score published twice under at_least_once. Where there is one there are others.
                stagedBatches = 64
                return try append(batch, staged: true, session)
            }
        }
    }

    private func append(
        _ batch: ScoreBatch, staged: Bool, _ session: PostgreSQLSession
    ) throws(PostgreSQLError) -> AppendOutcome {
        try session.transaction(durable: false) { () throws(PostgreSQLError) in
            let stored = try session.lockPositions(batch.advances, of: batch.source)
            if let outcome = AppendOutcome.decide(batch.advances, stored: stored) {
                // Leaves no −1 behind for a partition never stored.
                try session.connection.execute("ROLLBACK; BEGIN")
                return outcome
            }
            let inserted = try staged ? session.copyStaged(batch.rows) : session.copy(batch.rows)
            KillPoint.logStoreAfterRows.reached()
            let erased = try session.erase(batch.erasures)
            try session.insert(batch.rejections, of: batch.source)
            try session.move(batch.advances, of: batch.source)
            KillPoint.logStoreBeforeCommit.reached()
            return .stored(inserted: inserted, duplicates: batch.rows.count - inserted, erased: erased)
        }
    }

    package func erase(users: Set<[UInt8]>) throws(LogStoreError) -> Int {
        try run { session throws(PostgreSQLError) in
            try session.transaction(durable: true) { () throws(PostgreSQLError) in try session.erase(users) }
        }
    }

    package func rowCount(user: String?) throws(LogStoreError) -> Int {
        try run { session throws(PostgreSQLError) in
            let condition = user == nil ? "" : " WHERE user_id = $1"
            let result = try session.connection.execute(
                "SELECT count(*) FROM scores\(condition)", user.map { [$0] } ?? [])
            return Int(result.integer(0, 0) ?? 0)
        }
    }

    package func scores(ofUser user: String, limit: Int) throws(LogStoreError) -> [StoredScore] {
        let place = self.place
        let found: [StoredScore]? = try run { session throws(PostgreSQLError) in
            let index = try session.connection.execute("SELECT to_regclass('scores_user_id') IS NOT NULL")
            if index.text(0, 0) != "t" {
                let some = try session.connection.execute(
                    "SELECT count(*) FROM (SELECT 1 FROM scores LIMIT \(StoredScore.mostUnindexed + 1)) AS found")
                if Int(some.integer(0, 0) ?? 0) > StoredScore.mostUnindexed { return nil }
            }
            let result = try session.connection.execute(
                StoredScore.query(user: "$1", limit: "$2::bigint"), [user, "\(limit)"])
            return (0..<result.rowCount).map { Self.score(result, $0) }
        }
        guard let found else { throw StoredScore.noIndex(place) }
        return found
    }

    private static func score(_ result: PostgreSQLResult, _ row: Int) -> StoredScore {
        func number(_ column: Int) -> Double { result.text(row, column).flatMap(Double.init) ?? .nan }
        var score = StoredScore()
        score.user = result.text(row, 0) ?? ""
        score.time = result.integer(row, 1) ?? 0
        score.eventType = result.text(row, 2) ?? ""
        score.treatment = result.text(row, 3)
        score.outcome = result.text(row, 4)
        score.uplift = number(5)
        score.standardError = number(6)
        score.lower = number(7)
        score.upper = number(8)
        score.level = number(9)
        score.decision = result.text(row, 10) ?? ""
        score.model = result.text(row, 11) ?? ""
        score.modelVersion = result.text(row, 12) ?? ""
        score.modelSHA256 = result.text(row, 13) ?? ""
        score.sourceTopic = result.text(row, 14) ?? ""
        score.sourcePartition = Int32(clamping: result.integer(row, 15) ?? 0)
        score.sourceOffset = result.integer(row, 16) ?? 0
        score.effects = result.text(row, 17)
        return score
    }

    package func close() { session = nil }

    /// Runs `body` on the open session, and gives its errors the store's words.
    func run<Result>(
        _ body: (PostgreSQLSession) throws(PostgreSQLError) -> Result
    ) throws(LogStoreError) -> Result {
        guard let session else { throw LogStoreError("log_store_closed", "\(place) is not open", isRetriable: true) }
        do {
            return try body(session)
        } catch {
            throw error.logStoreError(place: place)
        }
    }
}
