import Attribution
import Base

/// Attribution that goes on as events come: events, sessions, credit, the channel report and how far the topic was read, all
/// changed in one transaction of one SQLite file. So each event counts once, whatever is killed and when.
///
/// ```
///  read from `position` ─► begin ─► add… ─► attribute: users with new events ─► end(next positions)
///                            │ anything thrown, or a kill: the file is as it was ◄┘
/// ```
package final class FollowedEvents {
    private static let positions = "impactiq_event_positions"

    package let database: SQLiteDatabase
    private let events: RawEvents
    private let makeRun: () -> AttributionRun

    /// - Parameter makeRun: an attribution of this database, with `touchedOnly`.
    package init(
        _ database: SQLiteDatabase, clock: LocalClock, makeRun: @escaping () -> AttributionRun
    ) throws(ImpactError) {
        self.database = database
        self.makeRun = makeRun
        // Readers see the last whole report while the next one is made.
        try database.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
        events = try RawEvents(clock: clock, keptIn: database)
        try database.execute(
            """
            CREATE TABLE IF NOT EXISTS \(Self.positions) (topic TEXT, partition INTEGER, next INTEGER NOT NULL, \
            PRIMARY KEY (topic, partition))
            """)
    }

    package var counts: RawEvents.Counts { events.counts }

    /// The next offset of a partition to read; nil when nothing of it was read.
    package func position(_ topic: String, _ partition: Int32) throws(ImpactError) -> Int64? {
        try database.value(
            "SELECT next FROM \(Self.positions) WHERE topic = $1 AND partition = $2",
            [.text(topic), .integer(Int64(partition))]
        ).flatMap { Int64($0) }
    }

    package func begin() throws(ImpactError) { try database.begin(writing: true) }
    package func rollback() { database.rollback() }

    package func add(_ bytes: UnsafeRawBufferPointer, place: String) throws(ImpactError) {
        try events.add(bytes, place: place)
    }

    /// Attributes what was added and makes it all visible at once.
    ///
    /// - Parameters:
    ///   - next: the positions that belong to what was added, by partition.
    ///   - timeout: milliseconds of silence that end a session.
    package func end(
        _ topic: String, _ next: [Int32: Int64], timeout: Int64
    ) throws(ImpactError) -> AttributionRun.Outcome {
        try events.finish(timeout: timeout)
        let outcome = try makeRun().attribute()
        for (partition, offset) in next {
            try database.run(
                """
                INSERT INTO \(Self.positions) (topic, partition, next) VALUES ($1, $2, $3) \
                ON CONFLICT (topic, partition) DO UPDATE SET next = excluded.next
                """, [.text(topic), .integer(Int64(partition)), .integer(offset)])
        }
        try database.commit()
        return outcome
    }
}
