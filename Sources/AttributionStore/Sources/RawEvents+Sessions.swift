import Attribution
import Base
import JSON

extension RawEvents {
    /// Makes the tables of sessions, conversions and refunds out of all events that were added.
    ///
    /// - Parameter timeout: milliseconds of silence that end a session.
    package func finish(timeout: Int64) throws(ImpactError) {
        try finishInsertions()
        counts.duplicates = max(
            0,
            counts.events - counts.invalid - (try count("raw")) - (try count("ad_costs")) - counts.costsWithoutDay
                - skipped - counts.refused - erasedRows)
        try sessions(timeout, of: .all, next: [:])
        try refunds(of: .all)
        counts.refundsWithoutOrder =
            try count("raw WHERE type = 'refund'") - (try count("refunds WHERE conv_id IS NOT NULL"))
        try database.commit()
    }

    /// Makes the tables anew for the users of a scope.
    ///
    /// - Parameter next: how far the events were read, by partition.
    func remake(_ scope: JourneyScope, timeout: Int64, next: [Int32: Int64]) throws(ImpactError) {
        for table in ["session_sources", "conversions", "refunds"] {
            try database.execute("DELETE FROM \(table)\(try scope.condition("user_id", database).sql)")
        }
        try sessions(timeout, of: scope, next: next)
        try refunds(of: scope)
    }

    private func count(_ what: String) throws(ImpactError) -> Int {
        Int(try database.value("SELECT count(*) FROM \(what)") ?? "") ?? 0
    }

    /// Refunds of an order that the user has: by its id, else the latest one before.
    private func refunds(of scope: JourneyScope) throws(ImpactError) {
        let users = try scope.condition("r.user_id", database).sql.replacing(" WHERE ", with: " AND ")
        try database.execute(
            """
            INSERT INTO refunds (conv_id, amount, user_id) SELECT c.id, abs(r.value), r.user_id FROM raw r JOIN raw c \
            ON c.user_id = r.user_id AND c.id = r.order_id AND c.type = 'purchase' WHERE r.type = 'refund'\(users);
            INSERT INTO refunds (conv_id, amount, user_id) SELECT (SELECT c.id FROM raw c WHERE c.type = 'purchase' \
            AND c.user_id = r.user_id AND c.time <= r.time ORDER BY c.time DESC, \(database.byBytes("c.id")) DESC LIMIT 1), \
            abs(r.value), r.user_id FROM raw r WHERE r.type = 'refund' AND r.order_id IS NULL\(users)
            """)
    }

    private func sessions(_ timeout: Int64, of scope: JourneyScope, next: [Int32: Int64]) throws(ImpactError) {
        let rows = try database.query(
            """
            SELECT id, user_id, time, type, channel, campaign, value, currency FROM raw\(try scope.condition("user_id", database).sql) \
            ORDER BY \(database.byBytes("user_id")), time, \(database.byBytes("id"))
            """, [])
        let writer = try SessionWriter(self, scope, next)
        let conversions = try database.insertion(
            into: "conversions", columns: ["conv_id", "user_id", "conv_date", "conv_time", "revenue", "currency"],
            suffix: "")
        while try rows.next() {
            guard let id = rows.text(0), let user = rows.text(1), let time = rows.text(2).flatMap({ Int64($0) }),
                let type = rows.text(3)
            else { continue }
            if type == "purchase" {
                counts.conversions += 1
                try conversions.add([
                    .text(id), .text(user), .text(CivilDay.text(clock.reading(time).day)), .text(Self.written(time)),
                    rows.double(6).map { .double($0) } ?? .null, Self.value(rows.text(7)),
                ])
                continue
            }
            guard type != "refund" else { continue }
            let (channel, campaign) = (rows.text(4), rows.text(5))
            let isEngaged = type != "ad_view" && type != "treatment"
            if writer.user == user, let last = writer.sessions.last, time - last.last <= timeout,
                last.channel == channel, last.campaign == campaign
            {
                writer.sessions[writer.sessions.count - 1].last = time
                if isEngaged { writer.sessions[writer.sessions.count - 1].isEngaged = true }
                continue
            }
            if writer.user != user { try writer.begin(user) }
            writer.sessions.append(
                .init(id: id, start: time, last: time, channel: channel, campaign: campaign, isEngaged: isEngaged))
        }
        try writer.finish()
        try conversions.finish()
    }
}

/// Writes the sessions of one user after the other, with the effects that scores say they have.
private final class SessionWriter {
    struct Session {
        var id: String
        var start: Int64
        var last: Int64
        var channel: String?
        var campaign: String?
        var isEngaged: Bool
    }

    var user = ""
    var sessions: [Session] = []
    private let events: RawEvents
    private let rows: any SQLInsertion
    private let scores: ScoreRows
    private var strays: [ScoreRows.Stray] = []
    private let next: [Int32: Int64]
    private var reading = ReadingCounts()

    init(_ events: RawEvents, _ scope: JourneyScope, _ next: [Int32: Int64]) throws(ImpactError) {
        self.events = events
        self.next = next
        scores = try ScoreRows(events.database, scope, findsStrays: !next.isEmpty)
        rows = try events.database.insertion(
            into: "session_sources",
            columns: [
                "session_id", "user_id", "event_date", "event_time", "channel_name", "campaign", "holder_engagement",
                "closer_engagement", "impression_interaction", "uplift", "uplift_std_error",
            ], suffix: "")
    }

    func begin(_ user: String) throws(ImpactError) {
        try write()
        self.user = user
        sessions.removeAll(keepingCapacity: true)
    }

    private func write() throws(ImpactError) {
        guard !sessions.isEmpty else { return }
        var touches: [Touch] = []
        if !scores.isAtEnd {
            touches = sessions.map { Touch(session: $0.id, channel: 0, time: $0.start) }
            try scores.attach(to: &touches, of: user, clock: &events.clock, counts: &reading)
        }
        // Scores may have sorted sessions that begin at the same moment by their ids.
        let effects = Dictionary(touches.map { ($0.session, $0) }, uniquingKeysWith: { first, _ in first })
        for session in sessions {
            events.counts.sessions += 1
            let effect = effects[session.id]
            let (uplift, error) = (effect?.uplift ?? .nan, effect?.upliftError ?? .nan)
            try rows.add([
                .text(session.id), .text(user), .text(CivilDay.text(events.clock.reading(session.start).day)),
                .text(RawEvents.written(session.start)), RawEvents.value(session.channel),
                RawEvents.value(session.campaign), .integer(session.isEngaged ? 1 : 0),
                .integer(session.isEngaged ? 1 : 0), .integer(session.isEngaged ? 0 : 1),
                uplift.isFinite ? .double(Double(uplift)) : .null, error.isFinite ? .double(Double(error)) : .null,
            ])
        }
    }

    /// Writes the last user's, and deletes scores whose events were read and have gone since: those of erased users.
    func finish() throws(ImpactError) {
        try begin("")
        try rows.finish()
        try scores.passRest(&reading)
        for stray in scores.strays where stray.offset < next[stray.partition] ?? 0 {
            try events.database.run(
                "DELETE FROM scores WHERE user_id = $1 AND source_partition = $2 AND source_offset = $3",
                [.text(stray.user), .integer(Int64(stray.partition)), .integer(stray.offset)])
        }
    }
}
