/// One message of the simulation: where its bytes are in the buffer, and the truth about it.
public struct GeneratedEvent: Sendable {
    /// The record's key, the user's id, which lies inside `value`; empty for an invalid message, which has no key.
    public var key: Range<Int>
    /// The record's value, one JSON object without a line break.
    public var value: Range<Int>
    /// Event time, milliseconds since 1970: the record's timestamp.
    public var time: Int64
    /// The user's index in the population; −1 for an invalid message.
    public var user: Int
    /// The event's type; nil for an invalid message.
    public var kind: EventKind?
    /// Whether it repeats an event that was written before or will be, with the same id.
    public var isDuplicate: Bool
    /// For a `treatment` event: whether the ad was given.
    public var isTreated: Bool
    /// For a `treatment` event: whether a purchase follows within the outcome window.
    public var isConverted: Bool

    /// Whether a strict reader must send it to the dead letter.
    public var isInvalid: Bool { kind == nil }
}
