import Attribution
import Base

/// Attribution that goes on as events come: events, sessions, credit, the channel report and how far the topics were read, all
/// changed in one transaction of one database. So each event counts once, whatever is killed and when.
///
/// ```
///  read from `position` ─► begin ─► add… ─► users with new events: their old credit out of the sums, new credit into them
///                            │ anything thrown, or a kill: the database is as it was ◄┘ ─► end(next positions)
/// ```
///
/// A user who is erased leaves the sums of their channels and days behind, which name nobody: see ``ChannelSums``.
package final class FollowedEvents {
    /// How far topics were read: the next offset by partition.
    package typealias Positions = [String: [Int32: Int64]]

    package struct Outcome {
        package var attributed = 0
        /// Channels and days that changed.
        package var changed = 0
    }

    package let database: any SQLDatabase
    private let events: RawEvents
    private let makeRun: () -> AttributionRun
    private let timeout: Int64
    private var before = RawEvents.Counts()
    private var outcome = Outcome()
    private var isErasing = false
    /// How far the events themselves were read, when the transaction ends.
    private var next: [Int32: Int64] = [:]

    /// - Parameters:
    ///   - timeout: milliseconds of silence that end a session.
    ///   - makeRun: an attribution of this database.
    /// - Throws: `tables_of_others` when the database holds such tables of its own.
    package init(
        _ database: any SQLDatabase, clock: LocalClock, timeout: Int64 = 1_800_000,
        makeRun: @escaping () -> AttributionRun
    ) throws(ImpactError) {
        self.database = database
        self.makeRun = makeRun
        self.timeout = timeout
        if database is SQLiteDatabase {
            // Readers see the last whole report while the next one is made.
            try database.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON")
        }
        try database.transaction(writing: true) { () throws(ImpactError) in try EventTables.createKept(database) }
        events = try RawEvents(clock: clock, keptIn: database)
        events.willErase = { [unowned self] user throws(ImpactError) in try self.leaveSums(of: user) }
    }

    package var counts: RawEvents.Counts { events.counts }

    /// The next offset of a partition to read; nil when nothing of it was read.
    package func position(_ topic: String, _ partition: Int32) throws(ImpactError) -> Int64? {
        try database.value(
            "SELECT next FROM \(EventTables.positions) WHERE topic = $1 AND partition = $2",
            [.text(topic), .integer(Int64(partition))]
        ).flatMap { Int64($0) }
    }

    /// - Parameter from: where what is going to be added begins.
    /// - Throws: `two_followers` when the database stands elsewhere.
    package func begin(from: Positions = [:]) throws(ImpactError) {
        try database.checkPlace()
        try database.begin(writing: true)
        before = events.counts
        outcome = Outcome()
        isErasing = false
        do throws(ImpactError) {
            try database.lock(EventTables.positions)
            for (topic, partitions) in from {
                for (partition, offset) in partitions where try position(topic, partition) ?? offset != offset {
                    throw ImpactError(
                        .failed, code: "two_followers",
                        "\(database.place) was changed meanwhile at \(topic) [\(partition)]: another 'attribute follow' writes "
                            + "to it. One may; stop the other")
                }
            }
        } catch {
            database.rollback()
            throw error
        }
    }

    package func rollback() {
        database.rollback()
        // Where the database is away this fails too; then it is opened anew.
        try? events.reset(before)
    }

    package func add(_ bytes: UnsafeRawBufferPointer, place: String) throws(ImpactError) {
        try events.add(bytes, place: place)
    }

    package func addScore(_ bytes: UnsafeRawBufferPointer) throws(ImpactError) { try events.addScore(bytes) }

    /// Attributes what was added and makes it all visible at once.
    ///
    /// - Parameters:
    ///   - topic: the topic of events; others hold scores.
    ///   - next: the positions that belong to what was added.
    package func end(_ topic: String, _ next: Positions) throws(ImpactError) -> Outcome {
        self.next = next[topic] ?? [:]
        try events.finishInsertions()
        let (users, days) = events.takeNew()
        try attribute(users, days)
        for (topic, partitions) in next {
            for (partition, offset) in partitions {
                try database.run(
                    """
                    INSERT INTO \(EventTables.positions) (topic, partition, next) VALUES ($1, $2, $3) \
                    ON CONFLICT (topic, partition) DO UPDATE SET next = excluded.next
                    """, [.text(topic), .integer(Int64(partition)), .integer(offset)])
            }
        }
        try database.commit()
        // What was erased stands in the write-ahead log until it is cut; a reader in the way lets the next one do it.
        if isErasing, database is SQLiteDatabase { try? database.execute("PRAGMA wal_checkpoint(TRUNCATE)") }
        return outcome
    }

    private func attribute(_ users: Set<String>, _ days: Set<String>) throws(ImpactError) {
        try database.execute("DELETE FROM \(JourneyScope.touchedTable)")
        let insertion = try database.insertion(into: JourneyScope.touchedTable, columns: ["user_id"], suffix: "")
        for user in users { try insertion.add([.text(user)]) }
        try insertion.finish()
        try database.noteRows(of: JourneyScope.touchedTable)
        let run = makeRun()
        let scope = try run.followedScope()
        var changes = ChannelReport()
        if scope == .touched { try run.takeBack(from: &changes) }
        // Other settings may make other sessions of the same events.
        let remade = try run.hasSameSettings() ? JourneyScope.touched : .all
        if !users.isEmpty || remade == .all { try events.remake(remade, timeout: timeout, next: next) }
        let done = try run.follow(scope, changes, days)
        outcome.attributed += done.attributed
        outcome.changed += done.changed
    }

    /// Attributes what is new of a user and leaves their part of the sums behind, since they are going to be erased. Where the
    /// model learns from all journeys that part is the one of the last step.
    private func leaveSums(of user: String) throws(ImpactError) {
        let run = makeRun()
        if events.takeNew(user), !run.learns { try attribute([user], []) } else { try setTouched(user) }
        try run.leaveSums()
        isErasing = true
    }

    private func setTouched(_ user: String) throws(ImpactError) {
        try database.execute("DELETE FROM \(JourneyScope.touchedTable)")
        try database.run("INSERT INTO \(JourneyScope.touchedTable) (user_id) VALUES ($1)", [.text(user)])
    }
}
