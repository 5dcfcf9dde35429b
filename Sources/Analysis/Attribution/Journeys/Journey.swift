/// One session of a user, as attribution sees it.
package struct Touch: Sendable, Equatable {
    /// What the session did, as an IHC API asks for it.
    package struct Flags: OptionSet, Sendable, Hashable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        package static let holderEngagement = Flags(rawValue: 1)
        package static let closerEngagement = Flags(rawValue: 2)
        package static let impression = Flags(rawValue: 4)
    }

    package var session: String
    package var channel: Int32
    /// Milliseconds since 1970, UTC.
    package var time: Int64
    /// Days since 1970 in the setting's time zone: the session's day in the channel report.
    package var day: Int32
    package var flags: Flags
    /// The causal effect of this session on the chance to convert and its standard error; NaN when it has no score.
    package var uplift: Float = .nan
    package var upliftError: Float = .nan

    package init(
        session: String, channel: Int32, time: Int64, day: Int32 = 0,
        flags: Flags = [.holderEngagement, .closerEngagement]
    ) {
        self.session = session
        self.channel = channel
        self.time = time
        self.day = day
        self.flags = flags
    }
}

/// An order, or whatever counts as success.
package struct Conversion: Sendable, Equatable {
    package var id: String
    package var time: Int64
    package var day: Int32
    /// After refunds, in the report's currency.
    package var revenue: Money

    package init(id: String, time: Int64, day: Int32 = 0, revenue: Money = .zero) {
        self.id = id
        self.time = time
        self.day = day
        self.revenue = revenue
    }
}

/// A user's sessions up to a conversion, oldest first; without a conversion a journey that led nowhere (the null state).
package struct Journey: Sendable {
    package var touches: [Touch]
    package var conversion: Conversion?

    package init(touches: [Touch], conversion: Conversion?) {
        self.touches = touches
        self.conversion = conversion
    }
}
