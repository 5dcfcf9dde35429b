import Attribution
import Base
import Events
import Foundation
import JSON

/// Sessions and conversions out of raw events, as the event topic holds them (product: Events).
///
/// Views and clicks become sessions: a new one begins after the time-out, and when the channel or campaign changes. A purchase
/// is a conversion; a refund lowers the revenue of the user's purchase whose id its `order_id` names, else of the latest one
/// before it; `ad_cost` states what a channel or campaign cost on a day. `user.delete`, and a `user.consent` that refuses
/// storing, take what was read of their user; after a refusal nothing of the user is read until it is taken back.
package final class RawEvents {
    package struct Counts: Sendable, Equatable {
        package var events = 0
        package var invalid = 0
        package var duplicates = 0
        package var refundsWithoutOrder = 0
        package var costsWithoutDay = 0
        /// Users whose events went, by `user.delete` or by refusing that anything is stored.
        package var erased = 0
        /// Events of users who refuse that anything is stored.
        package var refused = 0
        package var scores = 0
        /// Scores that say no effect: without a number, or of a model of the outcome itself.
        package var scoresWithoutEffect = 0
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
                note(erased, "users erased"),
                note(refused, "events of users who refuse that anything is stored: left out"),
                note(scoresWithoutEffect, "scores that say no effect, or of users who refuse storing: left out"),
            ].compactMap { $0 }
        }
    }

    /// Types that make a session.
    private static let touches: Set<String> = ["ad_view", "click", "page_view", "add_to_cart", "treatment"]
    package internal(set) var counts = Counts()
    package let database: any SQLDatabase
    var clock: LocalClock
    private let events: any SQLInsertion
    private let costs: any SQLInsertion
    private let scores: any SQLInsertion
    private let scoreReader = ScoreReader()

    /// Whether the events are kept, so that later ones join them.
    let isKept: Bool
    /// Users with new events, when they are kept.
    private(set) var touched: Set<String> = []
    /// Days with new costs, when they are kept.
    private(set) var costDays: Set<String> = []
    /// Users who refuse that anything is stored, and since when.
    private var refusals: [String: Int64] = [:]
    /// Is called before what is known of a user goes, with their new events in the tables.
    var willErase: ((String) throws(ImpactError) -> Void)?

    /// Events that are read once, in a temporary database.
    package init(clock: LocalClock) throws(ImpactError) {
        self.clock = clock
        isKept = false
        database = try SQLiteDatabase(temporaryIn: FileManager.default.temporaryDirectory.path)
        try EventTables.create(database)
        try database.begin(writing: true)
        (events, costs, scores) = try Self.insertions(database)
    }

    /// Events that are kept in tables that are there. What is added between ``SQLDatabase/begin(writing:)`` and its commit
    /// is the caller's to commit, together with how far the topic was read.
    init(clock: LocalClock, keptIn database: any SQLDatabase) throws(ImpactError) {
        self.clock = clock
        self.database = database
        isKept = true
        (events, costs, scores) = try Self.insertions(database)
        try readRefusals()
    }

    private static func insertions(
        _ database: any SQLDatabase
    ) throws(ImpactError) -> (any SQLInsertion, any SQLInsertion, any SQLInsertion) {
        (
            try database.insertion(
                into: "raw",
                columns: ["id", "user_id", "time", "type", "channel", "campaign", "value", "currency", "order_id"],
                suffix: "ON CONFLICT DO NOTHING"),
            try database.insertion(
                into: "ad_costs", columns: ["id", "channel_name", "campaign", "date", "amount", "currency"],
                suffix: "ON CONFLICT DO NOTHING"),
            try database.insertion(
                into: "scores",
                columns: ["user_id", "source_partition", "source_offset", "time", "uplift", "std_error"],
                suffix: "ON CONFLICT DO NOTHING")
        )
    }

    /// Forgets what was added since the transaction began, which is undone.
    func reset(_ before: Counts) throws(ImpactError) {
        counts = before
        touched = []
        costDays = []
        try readRefusals()
    }

    private func readRefusals() throws(ImpactError) {
        refusals = [:]
        let rows = try database.query("SELECT user_id, time FROM \(EventTables.refusals)", [])
        while try rows.next() {
            if let user = rows.text(0), let time = rows.text(1).flatMap({ Int64($0) }) { refusals[user] = time }
        }
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
        let isOfUser = type == Event.eraseType || type == Purposes.eventType
        guard Self.touches.contains(type) || type == "purchase" || type == "refund" || isOfUser else {
            return skipped += 1
        }
        guard let user = Self.text(event["user_id"]), !user.isEmpty, let time = time(event["time"]),
            !user.utf8.contains(0)
        else { return counts.invalid += 1 }
        if isOfUser { return try take(event, type, user, time) }
        guard refusals[user] == nil else { return counts.refused += 1 }
        if isKept { touched.insert(user) }
        let value = event["value"]?.number ?? event["properties"]?["value"]?.number
        let order = Self.text(event["order_id"]) ?? Self.text(event["properties"]?["order_id"])
        try events.add([
            .text(Self.clean(Self.text(event["id"]) ?? place)), .text(user), .integer(time), .text(type),
            Self.value(event["channel"]?.string), Self.value(Self.text(event["campaign_id"])),
            value.map { .double($0) } ?? .null, Self.value(event["currency"]?.string), Self.value(order),
        ])
    }

    /// An event that is about the user's data.
    private func take(_ event: JSONValue, _ type: String, _ user: String, _ time: Int64) throws(ImpactError) {
        skipped += 1
        if type == Event.eraseType { return try erase(user) }
        guard let storing = event["properties"]?["storing"]?.bool else { return }
        if storing {
            // A consent that is older than the refusal is a late one.
            guard let since = refusals[user], time >= since else { return }
            refusals[user] = nil
            return try database.run("DELETE FROM \(EventTables.refusals) WHERE user_id = $1", [.text(user)])
        }
        try erase(user)
        let since = max(time, refusals.updateValue(time, forKey: user) ?? time)
        refusals[user] = since
        try database.run("DELETE FROM \(EventTables.refusals) WHERE user_id = $1", [.text(user)])
        try database.run(
            "INSERT INTO \(EventTables.refusals) (user_id, time) VALUES ($1, $2)", [.text(user), .integer(since)])
    }

    private func erase(_ user: String) throws(ImpactError) {
        try finishInsertions()
        try willErase?(user)
        if !isKept {
            let rows = try database.value("SELECT count(*) FROM raw WHERE user_id = $1", [.text(user)])
            erasedRows += Int(rows ?? "") ?? 0
        }
        for table in EventTables.ofUsers {
            try database.run("DELETE FROM \(table) WHERE user_id = $1", [.text(user)])
        }
        touched.remove(user)
        counts.erased += 1
    }

    func finishInsertions() throws(ImpactError) {
        try events.finish()
        try costs.finish()
        try scores.finish()
    }

    /// Adds one score, as the pipeline publishes it. The same one again changes nothing.
    package func addScore(_ bytes: UnsafeRawBufferPointer) throws(ImpactError) {
        counts.scores += 1
        guard let score = try? scoreReader.read(bytes) else { return counts.scoresWithoutEffect += 1 }
        // The record of a model of the outcome itself has this member: its number is a chance, not an effect.
        guard score.uplift.isFinite, !Self.saysProbability(bytes) else { return counts.scoresWithoutEffect += 1 }
        let user = scoreReader.string(score.user)
        guard !user.utf8.contains(0), refusals[user] == nil else { return counts.scoresWithoutEffect += 1 }
        if isKept { touched.insert(user) }
        try scores.add([
            .text(user), .integer(Int64(score.sourcePartition)), .integer(score.sourceOffset), .integer(score.time),
            .double(score.uplift), score.standardError.isFinite ? .double(score.standardError) : .null,
        ])
    }

    private static func saysProbability(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var rest = bytes[...]
        while let quote = rest.firstIndex(of: UInt8(ascii: "\"")) {
            rest = rest[(quote + 1)...]
            if rest.starts(with: "probability\":".utf8) { return true }
        }
        return false
    }

    private func addCost(_ event: JSONValue, _ place: String) throws(ImpactError) {
        let amount = event["amount"]?.number ?? event["value"]?.number ?? event["properties"]?["amount"]?.number
        var day = event["date"]?.string.flatMap { CivilDay.parse($0) }
        if day == nil, let time = time(event["time"]) { day = clock.reading(time).day }
        guard let amount, let day else { return counts.costsWithoutDay += 1 }
        if isKept { costDays.insert(CivilDay.text(day)) }
        try costs.add([
            .text(Self.clean(Self.text(event["id"]) ?? place)), Self.value(event["channel"]?.string),
            Self.value(Self.text(event["campaign"] ?? event["campaign_id"])),
            .text(CivilDay.text(day)), .double(amount), Self.value(event["currency"]?.string),
        ])
    }

    /// Events of types that attribution does not read, and those about a user's data.
    private(set) var skipped = 0
    /// Events that were added and went with their users.
    private(set) var erasedRows = 0

    /// Takes over the users and days with something new.
    func takeNew() -> (users: Set<String>, days: Set<String>) {
        defer {
            touched = []
            costDays = []
        }
        return (touched, costDays)
    }

    func takeNew(_ user: String) -> Bool { touched.remove(user) != nil }

    private func time(_ value: JSONValue?) -> Int64? {
        // The years 1 to 9999: what a date can be written for.
        let known = -62_135_596_800_000...253_402_300_799_999 as ClosedRange<Int64>
        if let number = value?.number { return Int64(exactly: number).flatMap { known.contains($0) ? $0 : nil } }
        guard let text = value?.string, text.utf8.count >= 20 else { return nil }
        return text.utf8.withContiguousStorageIfAvailable { RFC3339.parse(UnsafeRawBufferPointer($0)) } ?? nil
    }

    /// A moment in full, with its zone, so that no setting changes it: `2026-11-28T10:00:00.123Z`.
    static func written(_ time: Int64) -> String {
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
    static func value(_ text: String?) -> SQLValue { text.map { .text(clean($0)) } ?? .null }

    /// No database of ours holds a character 0 in a text.
    private static func clean(_ text: String) -> String {
        text.utf8.contains(0) ? text.replacing("\u{0}", with: "\u{FFFD}") : text
    }
}
