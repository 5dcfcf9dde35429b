import Attribution
import Base

/// Attribution that goes on as events come: events, sessions, credit, the channel report and how far the topics were read, all
/// changed in one transaction of one database. So each event counts once, whatever is killed and when.
///
/// ```
/// add… from `position` ─► begin ─► users with new events: their old credit out of the sums, new credit into them
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
    private let intake: EventIntake
    private let logs: EventLogs
    private let credit: FollowedCredit
    private let reading: ReadingSettings
    private let options: AttributionRun.Options
    private let settingsText: String
    private let timeout: Int64
    private var before = RawEvents.Counts()

    /// - Parameters:
    ///   - timeout: milliseconds of silence that end a session.
    ///   - settingsText: everything that decides the result, as text; with another one all is attributed anew.
    /// - Throws: `tables_of_others` when the database holds such tables of its own.
    package init(
        _ database: any SQLDatabase, reading: ReadingSettings, options: AttributionRun.Options,
        timeout: Int64 = 1_800_000, settingsText: String
    ) throws(ImpactError) {
        self.database = database
        self.reading = reading
        self.options = options
        self.timeout = timeout
        self.settingsText = settingsText
        if database is SQLiteDatabase {
            // Readers see the last whole report while the next one is made.
            try database.execute(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON; PRAGMA cache_size = -65536"
            )
        }
        try database.transaction(writing: true) { () throws(ImpactError) in try EventTables.createKept(database) }
        intake = EventIntake(clock: reading.clock)
        logs = try EventLogs(database)
        credit = try FollowedCredit(database, reading, options, timeout: timeout)
        intake.setRefusals(try logs.readRefusals())
    }

    package var counts: RawEvents.Counts { intake.counts }
    /// What was added since the last step takes so many bytes in memory.
    package var bytes: Int { intake.bytes }

    /// The next offset of a partition to read; nil when nothing of it was read.
    package func position(_ topic: String, _ partition: Int32) throws(ImpactError) -> Int64? {
        try database.value(
            "SELECT next FROM \(EventTables.positions) WHERE topic = $1 AND partition = $2",
            [.text(topic), .integer(Int64(partition))]
        ).flatMap { Int64($0) }
    }

    /// Adds an event, in memory.
    package func add(_ bytes: UnsafeRawBufferPointer, place: @autoclosure () -> String) {
        intake.add(bytes, place: place)
    }

    /// Adds a score, in memory.
    package func addScore(_ bytes: UnsafeRawBufferPointer) { intake.addScore(bytes) }

    /// - Parameter from: where what was added begins.
    /// - Throws: `two_followers` when the database stands elsewhere.
    package func begin(from: Positions = [:]) throws(ImpactError) {
        try database.checkPlace()
        try database.begin(writing: true)
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

    /// Undoes what was written and forgets what was added.
    package func rollback() {
        database.rollback()
        forget()
        // Where the database is away this fails too; then it is opened anew.
        try? credit.reset()
    }

    /// Forgets what was added since the last step.
    package func forget() {
        guard intake.counts != before else { return }
        intake.removeAll()
        intake.counts = before
        if let refusals = try? logs.readRefusals() { intake.setRefusals(refusals) }
    }

    /// Attributes what was added and makes it all visible at once.
    ///
    /// - Parameters:
    ///   - topic: the topic of events; others hold scores.
    ///   - next: the positions that belong to what was added.
    package func end(_ topic: String, _ next: Positions) throws(ImpactError) -> Outcome {
        var outcome = Outcome()
        // Other settings may make other sessions of the same events, and give them other credit.
        if !credit.learns, try !ResultTables.hasSettings(settingsText, database) { try restate(&outcome) }
        try logs.apply(intake, credit.hooks(next: next[topic] ?? [:]))
        let costDays = Set(intake.costs.map(\.day))
        if credit.learns {
            try ChannelSums.leave(credit.left, database)
            try restate(&outcome)
        } else {
            let changes = try credit.finish(costDays: costDays)
            outcome.changed += try ChannelSums.add(changes, costDays: costDays, database)
            try ChannelSums.leave(credit.left, database)
            outcome.attributed += credit.attributed
            try ResultTables.noteRun(
                latest: credit.latest, settings: settingsText, model: options.kind.rawValue, database)
        }
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
        if !intake.erasures.isEmpty, database is SQLiteDatabase {
            try? database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        }
        before = intake.counts
        intake.removeAll()
        try credit.reset()
        return outcome
    }

    /// Attributes all that is stored anew where it was attributed with other settings.
    ///
    /// - Returns: nil where it was not.
    package func settle() throws(ImpactError) -> Outcome? {
        guard try ResultTables.state("settings", database) != nil,
            try !ResultTables.hasSettings(settingsText, database)
        else { return nil }
        try begin()
        do throws(ImpactError) {
            var outcome = Outcome()
            try restate(&outcome)
            try database.commit()
            return outcome
        } catch {
            rollback()
            throw error
        }
    }

    /// Attributes all that is stored anew.
    private func restate(_ outcome: inout Outcome) throws(ImpactError) {
        let whole = try RawEvents.unpacked(database, clock: reading.clock, timeout: timeout)
        let done = try AttributionRun(
            source: whole, sink: database, reading: reading, options: options, settingsText: settingsText
        ).restate()
        outcome.attributed += done.attributed
        outcome.changed += done.changed
    }
}
