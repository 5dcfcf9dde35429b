/// One message of the simulation: where its bytes are in the buffer, and the truth about it.
package struct GeneratedEvent: Sendable {
    /// The record's key, the user's id, which lies inside `value`; empty for an invalid message, which has no key.
    package var key: Range<Int>
    /// The record's value, one JSON object without a line break.
    package var value: Range<Int>
    /// Event time, milliseconds since 1970: the record's timestamp.
    package var time: Int64
    /// The user's index in the population; −1 for an invalid message.
    package var user: Int
    /// The event's type; nil for an invalid message.
    package var kind: EventKind?
    /// Whether it repeats an event that was written before or will be, with the same id.
    package var isDuplicate: Bool
    /// For a `treatment` event: whether the ad was given.
    package var isTreated: Bool
    /// For a `treatment` event: whether a purchase follows within the outcome window.
    package var isConverted: Bool

    /// Whether a strict reader must send it to the dead letter.
    package var isInvalid: Bool { kind == nil }
}
