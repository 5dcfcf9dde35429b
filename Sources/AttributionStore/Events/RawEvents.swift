import Attribution
import Base
import Foundation

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
        /// Events of types that attribution does not read, and those about a user's data.
        package var skipped = 0
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

    private let intake: EventIntake
    private let logs: EventLogs
    /// Bytes in memory before they go to the temporary database.
    private static let most = 64 << 20

    package var counts: Counts { intake.counts }
    package let database: any SQLDatabase

    /// Events that are read once, in a temporary database.
    package init(clock: LocalClock) throws(ImpactError) {
        database = try SQLiteDatabase(temporaryIn: FileManager.default.temporaryDirectory.path)
        try EventTables.create(database)
        intake = EventIntake(clock: clock)
        logs = try EventLogs(database)
    }

    /// Adds one event.
    ///
    /// - Parameter place: where it came from, as `topic/partition/offset`: the id of an event that has none.
    package func add(_ bytes: UnsafeRawBufferPointer, place: @autoclosure () -> String) throws(ImpactError) {
        intake.add(bytes, place: place)
        if intake.bytes > Self.most { try apply() }
    }

    /// Adds one score, as the pipeline publishes it. The same one again changes nothing.
    package func addScore(_ bytes: UnsafeRawBufferPointer) throws(ImpactError) {
        intake.addScore(bytes)
        if intake.bytes > Self.most { try apply() }
    }

    private var costs = 0

    private func apply() throws(ImpactError) {
        costs += intake.costs.count
        try database.begin(writing: true)
        try logs.apply(intake, nil)
        try database.commit()
        intake.removeAll()
    }

    /// Makes the tables of sessions, conversions and refunds out of all events that were added.
    ///
    /// - Parameter timeout: milliseconds of silence that end a session.
    package func finish(timeout: Int64) throws(ImpactError) {
        try apply()
        intake.counts.duplicates += costs - (Int(try database.value("SELECT count(*) FROM ad_costs") ?? "") ?? 0)
        try database.transaction(writing: true) { () throws(ImpactError) in
            let made = try MadeTables(logs, database, clock: intake.clock, timeout: timeout)
            intake.counts.sessions = made.sessions
            intake.counts.conversions = made.conversions
            intake.counts.refundsWithoutOrder = made.refundsWithoutOrder
        }
    }

    /// The tables of sessions, conversions and refunds that a stream's logs stand for, in a temporary database.
    package static func unpacked(
        _ kept: any SQLDatabase, clock: LocalClock, timeout: Int64
    ) throws(ImpactError) -> any SQLDatabase {
        let database = try SQLiteDatabase(temporaryIn: FileManager.default.temporaryDirectory.path)
        try EventTables.create(database)
        try database.transaction(writing: true) { () throws(ImpactError) in
            _ = try MadeTables(try EventLogs(kept), database, clock: clock, timeout: timeout)
        }
        return database
    }

    /// Whether a database holds a stream's logs, and no tables of sessions.
    package static func areKept(in database: any SQLDatabase) throws(ImpactError) -> Bool {
        guard try !database.columns(of: EventTables.logs).isEmpty else { return false }
        return try database.columns(of: "session_sources").isEmpty
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
}
