import Attribution

/// Rows that are odd, by class. Each is left out unless its name says otherwise.
package struct ReadingCounts: Sendable, Equatable {
    package var sessionsWithoutUser = 0
    package var conversionsWithoutUser = 0
    package var sessionsWithoutID = 0
    package var conversionsWithoutID = 0
    package var sessionsWithUnreadableTime = 0
    package var conversionsWithUnreadableTime = 0
    package var firstUnreadableSession: String?
    package var firstUnreadableConversion: String?
    /// Rows with an id that an earlier row of another user has.
    package var sharedSessions = 0
    package var sharedConversions = 0
    /// Sessions whose channel is empty or not among the known ones: attributed as `(unknown)`.
    package var unknownChannel = 0
    package var timesInClockGap = 0
    package var timesRepeatedByClock = 0
    package var negativeCosts = 0
    package var missingCosts = 0
    /// Costs of sessions that are not there, or whose time cannot be read.
    package var costsWithoutSession = 0
    /// Stated costs that name no channel.
    package var costsWithoutChannel = 0
    package var unreadableAmounts = 0
    package var missingRevenues = 0
    /// Conversions with a negative revenue: refunds without an order.
    package var negativeRevenues = 0
    package var negativeRevenue: Money = .zero
    package var refunded: Money = .zero
    /// Refunds of conversions that are not there.
    package var refundsWithoutConversion = 0
    /// Refunds of more than the conversion's revenue: the rest is left out.
    package var refundsAboveRevenue = 0
    /// Uplift scores that belong to no session of their user.
    package var scoresWithoutSession = 0
    package var latest: Int64?

    package init() {}

    /// The classes that occurred, in words.
    package var notes: [String] {
        func note(_ count: Int, _ words: String) -> String? { count > 0 ? "\(count) \(words)" : nil }
        func example(_ text: String?) -> String { text.map { " (the first: '\($0)')" } ?? "" }
        return [
            note(sessionsWithoutUser, "sessions without a user: left out"),
            note(conversionsWithoutUser, "conversions without a user: left out"),
            note(sessionsWithoutID, "sessions without an id: left out"),
            note(conversionsWithoutID, "conversions without an id: left out"),
            note(
                sessionsWithUnreadableTime,
                "sessions whose time cannot be read\(example(firstUnreadableSession)): left out"),
            note(
                conversionsWithUnreadableTime,
                "conversions whose time cannot be read\(example(firstUnreadableConversion)): left out"),
            note(sharedSessions, "sessions with the id of an earlier one of another user: left out"),
            note(sharedConversions, "conversions with the id of an earlier one of another user: left out"),
            note(unknownChannel, "sessions of an unknown channel: attributed as \(JourneyReader.unknownChannel)"),
            note(timesInClockGap, "times in an hour that a clock change leaves out: read as before the change"),
            note(timesRepeatedByClock, "times in an hour that a clock change repeats: read as the first"),
            note(negativeCosts, "negative costs: left out"),
            note(missingCosts, "sessions without a cost: counted as 0"),
            note(costsWithoutSession, "costs of sessions that are not there: in no channel's cost"),
            note(costsWithoutChannel, "costs that name no channel: under \(JourneyReader.unknownChannel)"),
            note(unreadableAmounts, "amounts that are not numbers, or beyond 9 million million: counted as 0"),
            note(missingRevenues, "conversions without a revenue: counted as 0"),
            note(scoresWithoutSession, "uplift scores outside any session of their user: left out"),
            note(negativeRevenues, "conversions with a negative revenue: refunds without an order, left out"),
            note(refundsWithoutConversion, "refunds of conversions that are not there: left out"),
            note(refundsAboveRevenue, "conversions with refunds above their revenue: their revenue is 0"),
        ].compactMap { $0 }
    }
}
