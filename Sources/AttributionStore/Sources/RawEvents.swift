import Attribution
import Base
import Foundation
import JSON

/// Sessions and conversions out of raw events, as the event topic holds them (product: Events).
///
/// Views and clicks become sessions: a new one begins after the time-out, and when the channel or campaign changes. A purchase
/// is a conversion; a refund lowers the revenue of the purchase whose id its `order_id` names, else of the user's latest one
/// before it; `ad_cost` states what a channel or campaign cost on a day.
package final class RawEvents {
    package struct Counts: Sendable, Equatable {
        package var events = 0
        package var invalid = 0
        package var duplicates = 0
        package var refundsWithoutOrder = 0
        package var costsWithoutDay = 0
        package var sessions = 0
        package var conversions = 0

        package init() {}

        package var notes: [String] {
            func note(_ count: Int, _ words: String) -> String? { count > 0 ? "\(count) \(words)" : nil }
            return [
                note(invalid, "events that are not valid: left out"),
                note(duplicates, "events with an id seen before: left out"),
                note(refundsWithoutOrder, "refunds without an order: left out"),
                note(costsWithoutDay, "costs without a day or an amount: left out"),
            ].compactMap { $0 }
        }
    }

    /// Types that make a session.
    private static let touches: Set<String> = ["ad_view", "click", "page_view", "add_to_cart", "treatment"]
    package private(set) var counts = Counts()
    package let database: SQLiteDatabase
    private var clock: LocalClock
    private let events: any SQLInsertion
    private let costs: any SQLInsertion

    /// Users with new events, when the events are kept; nil when all of them are read at once.
    private var touched: Set<String>?

    /// Events that are read once, in a temporary database.
    package init(clock: LocalClock) throws(ImpactError) {
        self.clock = clock
        database = try SQLiteDatabase(temporaryIn: FileManager.default.temporaryDirectory.path)
        try Self.createTables(database)
        try database.execute("BEGIN")
        (events, costs) = try Self.insertions(database)
    }

    /// Events that are kept, so that later ones join them. What is added between ``SQLDatabase/begin(writing:)`` and its
    /// commit is the caller's to commit, together with how far the topic was read.
    package init(clock: LocalClock, keptIn database: SQLiteDatabase) throws(ImpactError) {
        self.clock = clock
        self.database = database
        try database.transaction(writing: true) { () throws(ImpactError) in
            try Self.createTables(database)
            try database.execute(
                """
                CREATE TABLE IF NOT EXISTS \(JourneyScope.touchedTable) (user_id TEXT PRIMARY KEY) WITHOUT ROWID;
                CREATE INDEX IF NOT EXISTS raw_user ON raw (user_id, time, id);
                CREATE INDEX IF NOT EXISTS conversions_user ON conversions (user_id);
                CREATE INDEX IF NOT EXISTS session_sources_user ON session_sources (user_id);
                CREATE INDEX IF NOT EXISTS refunds_user ON refunds (user_id)
                """)
        }
        touched = []
        (events, costs) = try Self.insertions(database)
    }

    private static func createTables(_ database: SQLiteDatabase) throws(ImpactError) {
        try database.execute(
            """
            CREATE TABLE IF NOT EXISTS raw (id TEXT PRIMARY KEY, user_id TEXT, time INTEGER, type TEXT, channel TEXT, \
            campaign TEXT, value REAL, currency TEXT, order_id TEXT) WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS ad_costs (id TEXT PRIMARY KEY, channel_name TEXT, campaign TEXT, date TEXT, \
            amount REAL, currency TEXT) WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS session_sources (session_id TEXT PRIMARY KEY, user_id TEXT, event_date TEXT, \
            event_time TEXT, channel_name TEXT, campaign TEXT, source TEXT, medium TEXT, holder_engagement INTEGER, \
            closer_engagement INTEGER, impression_interaction INTEGER);
            CREATE TABLE IF NOT EXISTS conversions (conv_id TEXT PRIMARY KEY, user_id TEXT, conv_date TEXT, \
            conv_time TEXT, revenue REAL, currency TEXT);
            CREATE TABLE IF NOT EXISTS refunds (conv_id TEXT, amount REAL, user_id TEXT)
            """)
    }

    private static func insertions(
        _ database: SQLiteDatabase
    ) throws(ImpactError) -> (any SQLInsertion, any SQLInsertion) {
        (
            try database.insertion(
                into: "raw",
                columns: ["id", "user_id", "time", "type", "channel", "campaign", "value", "currency", "order_id"],
                suffix: "ON CONFLICT DO NOTHING"),
            try database.insertion(
                into: "ad_costs", columns: ["id", "channel_name", "campaign", "date", "amount", "currency"],
                suffix: "ON CONFLICT DO NOTHING")
        )
    }

    /// Adds one event.
    ///
    /// - Parameter place: where it came from, as `topic/partition/offset`: the id of an event that has none.
    package func add(_ bytes: UnsafeRawBufferPointer, place: String) throws(ImpactError) {
        counts.events += 1
        guard let event = try? JSONValue(parsing: Array(bytes), name: place), event.members != nil,
            let type = event["type"]?.string
        else { return counts.invalid += 1 }
        if type == "ad_cost" { return try addCost(event, place) }
        guard Self.touches.contains(type) || type == "purchase" || type == "refund" else { return skipped += 1 }
        guard let user = Self.text(event["user_id"]), !user.isEmpty, let time = time(event["time"]) else {
            return counts.invalid += 1
        }
        touched?.insert(user)
        let value = event["value"]?.number ?? event["properties"]?["value"]?.number
        let order = Self.text(event["order_id"]) ?? Self.text(event["properties"]?["order_id"])
        try events.add([
            .text(Self.text(event["id"]) ?? place), .text(user), .integer(time), .text(type),
            Self.value(event["channel"]?.string), Self.value(Self.text(event["campaign_id"])),
            value.map { .double($0) } ?? .null, Self.value(event["currency"]?.string), Self.value(order),
        ])
    }

    private func addCost(_ event: JSONValue, _ place: String) throws(ImpactError) {
        let amount = event["amount"]?.number ?? event["value"]?.number ?? event["properties"]?["amount"]?.number
        var day = event["date"]?.string.flatMap { CivilDay.parse($0) }
        if day == nil, let time = time(event["time"]) { day = clock.reading(time).day }
        guard let amount, let day else { return counts.costsWithoutDay += 1 }
        try costs.add([
            .text(Self.text(event["id"]) ?? place), Self.value(event["channel"]?.string),
            Self.value(Self.text(event["campaign"] ?? event["campaign_id"])),
            .text(CivilDay.text(day)), .double(amount), Self.value(event["currency"]?.string),
        ])
    }

    /// Makes the tables of sessions, conversions and refunds; those of kept events anew for the users who have new ones.
    ///
    /// - Parameter timeout: milliseconds of silence that end a session.
    package func finish(timeout: Int64) throws(ImpactError) {
        guard let users = touched else {
            counts.duplicates =
                counts.events - counts.invalid - (try count("raw")) - (try count("ad_costs")) - counts.costsWithoutDay
                - skipped
            try sessions(timeout, of: "")
            try database.execute("CREATE INDEX conversions_user ON conversions (user_id)")
            try refunds(of: "")
            counts.refundsWithoutOrder = try count(
                "refunds WHERE conv_id IS NULL OR conv_id NOT IN (SELECT conv_id FROM conversions)")
            return try database.execute("COMMIT")
        }
        touched = []
        try database.execute("DELETE FROM \(JourneyScope.touchedTable)")
        let insertion = try database.insertion(
            into: JourneyScope.touchedTable, columns: ["user_id"], suffix: "ON CONFLICT DO NOTHING")
        for user in users { try insertion.add([.text(user)]) }
        try insertion.finish()
        let these = "user_id IN (SELECT user_id FROM \(JourneyScope.touchedTable))"
        for table in ["session_sources", "conversions", "refunds"] {
            try database.execute("DELETE FROM \(table) WHERE \(these)")
        }
        try sessions(timeout, of: "WHERE \(these)")
        try refunds(of: "AND r.\(these)")
    }

    private func count(_ what: String) throws(ImpactError) -> Int {
        Int(try database.value("SELECT count(*) FROM \(what)") ?? "") ?? 0
    }

    /// - Parameter condition: on the rows `r` of raw events.
    private func refunds(of condition: String) throws(ImpactError) {
        try database.execute(
            """
            INSERT INTO refunds SELECT order_id, abs(value), user_id FROM raw r \
            WHERE type = 'refund' AND order_id IS NOT NULL \(condition);
            INSERT INTO refunds SELECT (SELECT c.id FROM raw c WHERE c.type = 'purchase' AND c.user_id = r.user_id \
            AND c.time <= r.time ORDER BY c.time DESC, c.id DESC LIMIT 1), abs(value), user_id FROM raw r \
            WHERE type = 'refund' AND order_id IS NULL \(condition)
            """)
    }

    /// Events of types that attribution does not read.
    private var skipped = 0

    private func sessions(_ timeout: Int64, of condition: String) throws(ImpactError) {
        let rows = try database.query(
            """
            SELECT id, user_id, time, type, channel, campaign, value, currency FROM raw \(condition) \
            ORDER BY user_id, time, id
            """, [])
        let sessions = try database.insertion(
            into: "session_sources",
            columns: [
                "session_id", "user_id", "event_date", "event_time", "channel_name", "campaign", "holder_engagement",
                "closer_engagement", "impression_interaction",
            ], suffix: "")
        let conversions = try database.insertion(
            into: "conversions", columns: ["conv_id", "user_id", "conv_date", "conv_time", "revenue", "currency"],
            suffix: "")
        var open: OpenSession?
        while try rows.next() {
            guard let id = rows.text(0), let user = rows.text(1), let time = rows.text(2).flatMap({ Int64($0) }),
                let type = rows.text(3)
            else { continue }
            if type == "purchase" {
                let written = Self.written(time)
                counts.conversions += 1
                try conversions.add([
                    .text(id), .text(user), .text(CivilDay.text(clock.reading(time).day)), .text(written),
                    rows.double(6).map { .double($0) } ?? .null, Self.value(rows.text(7)),
                ])
                continue
            }
            guard type != "refund" else { continue }
            let (channel, campaign) = (rows.text(4), rows.text(5))
            let isEngaged = type != "ad_view" && type != "treatment"
            if var session = open, session.user == user, time - session.last <= timeout, session.channel == channel,
                session.campaign == campaign
            {
                session.last = time
                session.isEngaged = session.isEngaged || isEngaged
                open = session
                continue
            }
            if let session = open { try write(session, sessions) }
            open = OpenSession(
                id: id, user: user, start: time, last: time, channel: channel, campaign: campaign, isEngaged: isEngaged)
        }
        if let session = open { try write(session, sessions) }
        try sessions.finish()
        try conversions.finish()
    }

    private struct OpenSession {
        var id: String
        var user: String
        var start: Int64
        var last: Int64
        var channel: String?
        var campaign: String?
        var isEngaged: Bool
    }

    private func write(_ session: OpenSession, _ sessions: any SQLInsertion) throws(ImpactError) {
        counts.sessions += 1
        try sessions.add([
            .text(session.id), .text(session.user), .text(CivilDay.text(clock.reading(session.start).day)),
            .text(Self.written(session.start)), Self.value(session.channel), Self.value(session.campaign),
            .integer(session.isEngaged ? 1 : 0), .integer(session.isEngaged ? 1 : 0),
            .integer(session.isEngaged ? 0 : 1),
        ])
    }

    private func time(_ value: JSONValue?) -> Int64? {
        if let number = value?.number { return Int64(exactly: number) }
        guard let text = value?.string, text.utf8.count >= 20 else { return nil }
        return text.utf8.withContiguousStorageIfAvailable { RFC3339.parse(UnsafeRawBufferPointer($0)) } ?? nil
    }

    /// A moment in full, with its zone, so that no setting changes it: `2026-11-28T10:00:00.123Z`.
    private static func written(_ time: Int64) -> String {
        let day = Int32((time >= 0 ? time : time - 86_399_999) / 86_400_000)
        let rest = Int(time - Int64(day) * 86_400_000)
        func pad(_ value: Int, _ width: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: width - text.count) + text
        }
        let clock = [rest / 3_600_000, rest / 60_000 % 60, rest / 1_000 % 60].map { pad($0, 2) }.joined(separator: ":")
        return "\(CivilDay.text(day))T\(clock).\(pad(rest % 1_000, 3))Z"
    }

    private static func text(_ value: JSONValue?) -> String? {
        value?.string ?? value?.number.flatMap { Int(exactly: $0).map(String.init) }
    }
    private static func value(_ text: String?) -> SQLValue { text.map { .text($0) } ?? .null }
}
