/// A database that holds one row per score, and how far it has read the output topic.
///
/// Rows and positions change in one database transaction, so after any crash the table holds exactly the scores before
/// the position. An instance belongs to one thread. ``LogStoreStop`` may cut a wait short from any other.
package protocol LogStore: AnyObject {
    /// Where the rows go, for people: never a secret.
    var place: String { get }

    /// Connects, and creates or migrates the tables. Does nothing when open.
    ///
    /// - Throws: `isRetriable` when it may succeed later (a server that is away); not so for a damaged file, a schema
    ///   newer than this program, a refused password.
    func open(stop: LogStoreStop) throws(LogStoreError)

    /// The next offset to read, by partition; empty for a topic never read.
    func positions(of source: FollowedTopic) throws(LogStoreError) -> [Int32: Int64]

    /// Every topic that this database has followed.
    func sources() throws(LogStoreError) -> [FollowedTopic]

    /// Stores the batch and moves the positions in one transaction, or changes nothing and throws.
    ///
    /// A row whose `source_topic`, `source_partition`, `source_offset` are there already is left as it is.
    func append(_ batch: ScoreBatch) throws(LogStoreError) -> AppendOutcome

    /// Deletes the rows of these users (UTF-8 of `user_id`), durably, their predictions too. Returns how many scores there
    /// were.
    func erase(users: Set<[UInt8]>) throws(LogStoreError) -> Int

    /// Number of rows of a user or, for nil, of all. For checks, not for the stream.
    func rowCount(user: String?) throws(LogStoreError) -> Int

    /// A user's last scores, the latest event time first. For pages about a user, not for the stream.
    ///
    /// - Throws: `no_user_index` when the search would read a large table whole.
    func scores(ofUser user: String, limit: Int) throws(LogStoreError) -> [StoredScore]

    /// Keeps predictions with what moved them, all or none.
    func append(predictions: [StoredPrediction]) throws(LogStoreError)

    /// A user's last predictions, the latest first.
    func predictions(ofUser user: String, limit: Int) throws(LogStoreError) -> [StoredPrediction]

    /// Lets go of every handle. ``open(stop:)`` may follow.
    func close()
}

/// What ``LogStore/append(_:)`` found.
package enum AppendOutcome: Sendable, Equatable {
    /// Stored. Rows that were there before are in `duplicates`.
    case stored(inserted: Int, duplicates: Int, erased: Int)
    /// An earlier try had succeeded, though its answer never came: nothing was to do.
    case storedBefore
    /// The positions are not those expected: another reader is at work on this table, or the database is another one.
    /// Nothing was changed; read the positions again and go on from there.
    case moved
}

extension AppendOutcome {
    /// The decision of ``LogStore/append(_:)``, from what the database holds at the start of the transaction.
    ///
    /// A compare-and-set: a batch is stored only on top of the position it was read from. So two readers of one
    /// partition cannot store a score twice, put an erased user's rows back, or move a position backwards.
    /// Returns nil when the batch is to be stored.
    static func decide(_ advances: [ScoreBatch.Advance], stored: [Int32: Int64]) -> AppendOutcome? {
        if advances.allSatisfy({ stored[$0.partition] == $0.expected }) { return nil }
        if advances.allSatisfy({ (stored[$0.partition] ?? -1) >= $0.next }) { return .storedBefore }
        return .moved
    }
}
