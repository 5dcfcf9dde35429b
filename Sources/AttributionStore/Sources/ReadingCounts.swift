import Attribution

/// Rows that are odd, by class. Each is left out unless its name says otherwise.
package struct ReadingCounts: Sendable, Equatable {
    /// Rows and what they amount to.
    package struct Amounts: Sendable, Equatable {
        package var rows = 0
        package var sum = Money.zero

        package static func += (a: inout Amounts, b: Money) {
            a.rows += 1
            a.sum += b
        }
    }

    package var sessionsWithoutUser = 0
    package var conversionsWithoutUser = 0
    package var sessionsWithoutID = 0
    package var conversionsWithoutID = 0
    package var sessionsWithUnreadableTime = 0
    package var conversionsWithUnreadableTime = 0
    package var firstUnreadableSession: String?
    package var firstUnreadableConversion: String?
    /// Sessions whose channel is empty or not among the known ones: attributed as `(unknown)`.
    package var unknownChannel = 0
    package var timesInClockGap = 0
    package var timesRepeatedByClock = 0
    package var negativeCosts = Amounts()
    package var missingCosts = 0
    /// Whether no table states any cost.
    package var hasNoCosts = false
    /// Costs of sessions that are not there, or were left out.
    package var unplacedCosts = Amounts()
    /// Costs by day that name no known channel: stated under `(unknown)`.
    package var unknownCosts = Amounts()
    package var costsWithoutDay = 0
    package var unreadableAmounts = 0
    package var missingRevenues = 0
    /// Conversions with a negative revenue: refunds without an order.
    package var negativeRevenues = Amounts()
    package var refunded: Money = .zero
    /// Of conversions: what was refunded above their revenue.
    package var refundedBeyond = Amounts()
    package var refundsWithoutConversion = Amounts()
    /// Uplift scores that belong to no session of their user.
    package var scoresWithoutSession = 0
    package var unreadableScores = 0
    /// Conversions later than the moment of the run.
    package var conversionsAhead = 0
    package var latest: Int64?

    package init() {}

    /// The classes that occurred, in words.
    package var notes: [String] {
        func note(_ count: Int, _ words: String) -> String? { count > 0 ? "\(count) \(words)" : nil }
        func note(_ amounts: Amounts, _ what: String, _ then: String) -> String? {
            note(amounts.rows, "\(what), \(amounts.sum.text) in all: \(then)")
        }
        func unreadable(_ first: String?) -> String {
            "whose time cannot be read\(first.map { " (the first: '\($0)')" } ?? ""): left out"
        }
        return [
            note(sessionsWithoutUser, "sessions without a user: left out"),
            note(conversionsWithoutUser, "conversions without a user: left out"),
            note(sessionsWithoutID, "sessions without an id: left out"),
            note(conversionsWithoutID, "conversions without an id: left out"),
            note(sessionsWithUnreadableTime, "sessions \(unreadable(firstUnreadableSession))"),
            note(conversionsWithUnreadableTime, "conversions \(unreadable(firstUnreadableConversion))"),
            note(unknownChannel, "sessions of an unknown channel: attributed as \(JourneyReader.unknownChannel)"),
            note(timesInClockGap, "times in an hour that a clock change leaves out: read as before the change"),
            note(timesRepeatedByClock, "times in an hour that a clock change repeats: read as the first"),
            note(negativeCosts, "negative costs", "left out"),
            note(missingCosts, "sessions without a cost: counted as 0"),
            note(unplacedCosts, "costs of sessions that are not there or were left out", "no channel has them"),
            note(unknownCosts, "costs by day without a known channel", "stated as \(JourneyReader.unknownChannel)"),
            note(costsWithoutDay, "costs whose day cannot be read: left out"),
            hasNoCosts ? "no cost is known (session_costs, ad_costs): CPO and ROAS stay empty" : nil,
            note(unreadableAmounts, "amounts that are not numbers, or are beyond 9.2 trillion: counted as 0"),
            note(missingRevenues, "conversions without a revenue: counted as 0"),
            note(negativeRevenues, "conversions with a negative revenue (refunds without an order)", "left out"),
            note(refundedBeyond, "conversions refunded beyond their revenue", "they count as 0"),
            note(refundsWithoutConversion, "refunds of conversions that are not there", "left out"),
            note(conversionsAhead, "conversions with a time that is still to come: attributed as they are"),
            note(unreadableScores, "uplift scores whose time or number cannot be read: left out"),
            note(scoresWithoutSession, "uplift scores outside any session of their user: left out"),
        ].compactMap { $0 }
    }
}
