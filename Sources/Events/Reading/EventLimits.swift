/// Bounds on what an event may be.
public struct EventLimits: Sendable, Equatable {
    /// Largest message, bytes.
    public var maxMessageBytes = 1 << 20
    /// Deepest nesting, the event's own object included; at most 64.
    public var maxDepth = 32
    public var maxUserIDBytes = 256
    /// Bound on `id`, `type`, `campaign_id`, `channel`, `currency`, arm and experiment, bytes as written.
    public var maxTextBytes = 256
    /// How far the event's time may lie after the record's timestamp, milliseconds: a user's clock never goes back, so one
    /// event far ahead would make all that follow late.
    public var maxAheadMilliseconds: Int64 = 3_600_000
    /// How far it may lie before it. Twenty years let any history pass, and no time that was written in seconds.
    public var maxBehindMilliseconds: Int64 = 20 * 365 * 86_400_000
    /// Whether the message key must be the `user_id`.
    public var requiresKey = true

    /// First and last event time accepted, milliseconds since 1970: 1970-01-01 and the end of 2199.
    public static let timeRange: ClosedRange<Int64> = 0...7_258_118_399_999

    public init() {}
}
