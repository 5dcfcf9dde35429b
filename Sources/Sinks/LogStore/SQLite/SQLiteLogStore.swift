import Base
import CSQLite
import Foundation
import Settings

extension LogStoreKind {
    static let sqlite = LogStoreKind(prefixes: ["sqlite:"], form: "sqlite:PATH") { (text) throws(SettingProblem) in
        let path = text.dropFirst("sqlite:".count)
        guard !path.isEmpty else { throw SettingProblem("sqlite: is followed by the path of a file") }
        // A shell expands only what stands alone.
        let expanded = NSString(string: String(path)).expandingTildeInPath
        return LogStoreAddress(description: "sqlite:\(expanded)", path: expanded) { (options) throws(LogStoreError) in
            SQLiteLogStore(path: expanded, options: options)
        }
    }
}

/// The log store in an SQLite file. For one thread; several processes may share the file.
package final class SQLiteLogStore: LogStore {
    package let path: String
    package var place: String { "sqlite:\(path)" }

    private let options: LogStoreOptions
    private let migrations: [[String]]
    private var session: SQLiteSession?

    package convenience init(path: String, options: LogStoreOptions = LogStoreOptions()) {
        self.init(path: path, options: options, migrations: Self.migrations)
    }

    /// The statements that lead from each schema version to the next.
    package static let migrations = ScoresTable.migrations(.sqlite)

    /// - Parameter migrations: tests lead a store through other versions.
    package init(path: String, options: LogStoreOptions, migrations: [[String]]) {
        self.path = path
        self.options = options
        self.migrations = migrations
    }

    package func open(stop: LogStoreStop) throws(LogStoreError) {
        if session != nil { return }
        let connection = try SQLiteConnection(path: path)
        try SQLiteSchema(connection: connection, place: place, migrations: migrations).prepare()
        if options.userIndex { try connection.execute(ScoresTable.userIndex) }
        session = try SQLiteSession(connection)
    }

    /// Whether the write-ahead log may hold rows that were erased: a reader kept it from being cut.
    private var holdsErased = false

    package func positions(of source: FollowedTopic) throws(LogStoreError) -> [Int32: Int64] {
        try opened().positions(of: source)
    }

    package func sources() throws(LogStoreError) -> [FollowedTopic] {
        let statement = try SQLiteStatement(
            opened().connection, "SELECT DISTINCT cluster, topic FROM impactiq_positions ORDER BY 1, 2")
        var sources: [FollowedTopic] = []
        while try statement.step() {
            sources.append(FollowedTopic(cluster: statement.text(0), topic: statement.text(1)))
        }
        return sources
    }

    package func append(_ batch: ScoreBatch) throws(LogStoreError) -> AppendOutcome {
        let session = try opened()
        if session.connection.fileHasMoved {
            throw LogStoreError(
                "log_store_moved", "\(place) was moved or deleted while it was open; opening the path again",
                isRetriable: true)
        }
        let outcome = try session.connection.transaction { () throws(LogStoreError) in
            let stored = try session.positions(of: batch.source)
            if let outcome = AppendOutcome.decide(batch.advances, stored: stored) { return outcome }
            let inserted = try session.insert(batch.rows)
            KillPoint.logStoreAfterRows.reached()
            let erased = try session.erase(batch.erasures)
            try session.insert(batch.rejections, of: batch.source)
            try session.move(batch.advances, of: batch.source)
            KillPoint.logStoreBeforeCommit.reached()
            return AppendOutcome.stored(inserted: inserted, duplicates: batch.rows.count - inserted, erased: erased)
        }
        if case .stored(_, _, let erased) = outcome, erased > 0 { holdsErased = true }
        if holdsErased { holdsErased = try !session.truncateLog(waits: false) }
        return outcome
    }

    package func erase(users: Set<[UInt8]>) throws(LogStoreError) -> Int {
        let session = try opened()
        // The caller is told that the rows are gone, and no topic brings this deletion back: it is flushed to the disk.
        try session.connection.execute("PRAGMA synchronous = FULL")
        let erased = try session.connection.transaction { () throws(LogStoreError) in try session.erase(users) }
        try session.connection.execute("PRAGMA synchronous = NORMAL")
        if erased > 0 { holdsErased = try !session.truncateLog(waits: true) }
        return erased
    }

    package func rowCount(user: String?) throws(LogStoreError) -> Int {
        let condition = user == nil ? "" : " WHERE user_id = ?1"
        let statement = try SQLiteStatement(opened().connection, "SELECT count(*) FROM scores\(condition)")
        if let user { statement.bind(1, user) }
        return try statement.step() ? Int(statement.integer(0)) : 0
    }

    package func scores(ofUser user: String, limit: Int) throws(LogStoreError) -> [StoredScore] {
        let connection = try opened().connection
        let isIndexed =
            try connection.integer(
                "SELECT count(*) FROM sqlite_master WHERE type = 'index' AND name = 'scores_user_id'") > 0
        let some = "SELECT count(*) FROM (SELECT 1 FROM scores LIMIT \(StoredScore.mostUnindexed + 1))"
        if !isIndexed, try connection.integer(some) > StoredScore.mostUnindexed { throw StoredScore.noIndex(place) }
        let statement = try SQLiteStatement(connection, StoredScore.query(user: "?1", limit: "?2"))
        statement.bind(1, user)
        statement.bind(2, Int64(limit))
        var scores: [StoredScore] = []
        while try statement.step() {
            var score = StoredScore()
            score.user = statement.text(0)
            score.time = statement.integer(1)
            score.eventType = statement.text(2)
            score.treatment = statement.isNull(3) ? nil : statement.text(3)
            score.outcome = statement.isNull(4) ? nil : statement.text(4)
            score.uplift = statement.double(5)
            score.standardError = statement.double(6)
            score.lower = statement.double(7)
            score.upper = statement.double(8)
            score.level = statement.double(9)
            score.decision = statement.text(10)
            score.model = statement.text(11)
            score.modelVersion = statement.text(12)
            score.modelSHA256 = statement.text(13)
            score.sourceTopic = statement.text(14)
            score.sourcePartition = Int32(clamping: statement.integer(15))
            score.sourceOffset = statement.integer(16)
            score.effects = statement.isNull(17) ? nil : statement.text(17)
            scores.append(score)
        }
        return scores
    }

    package func close() { session = nil }

    func opened() throws(LogStoreError) -> SQLiteSession {
        guard let session else { throw LogStoreError("log_store_closed", "\(place) is not open", isRetriable: true) }
        return session
    }
}
