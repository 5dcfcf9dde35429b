import Base

/// The events of a batch as bare pointers, for a loop that has checked its range once (see ``EventBatch/rows(_:)``).
public struct EventRows: BitwiseCopyable {
    @usableFromInline let events: UnsafePointer<Event>
    @usableFromInline let values: UnsafePointer<FieldValue>
    /// Values an event: the schema's fields.
    public let fieldCount: Int
    @usableFromInline let texts: UnsafePointer<UInt8>

    @usableFromInline
    init(
        events: UnsafePointer<Event>, values: UnsafePointer<FieldValue>, fieldCount: Int, texts: UnsafePointer<UInt8>
    ) {
        self.events = events
        self.values = values
        self.fieldCount = fieldCount
        self.texts = texts
    }

    /// The event at `i`, in place.
    @inlinable @inline(__always)
    public func event(_ i: Int) -> UnsafePointer<Event> { events + i }

    /// The decoded UTF-8 bytes of the event's user id.
    @inlinable @inline(__always)
    public func user(_ i: Int) -> UnsafeRawBufferPointer {
        let text = events[i].user
        return UnsafeRawBufferPointer(start: texts + Int(text.start), count: Int(text.count))
    }

    /// A value for each of the schema's fields.
    @inlinable @inline(__always)
    public func fields(_ i: Int) -> UnsafePointer<FieldValue> { values + i &* fieldCount }
}

extension EventBatch {
    /// The events of a range, good until ``removeAll()``.
    ///
    /// - Precondition: the range lies within ``count``. Nothing checks the places of single events afterwards.
    @inlinable
    public func rows(_ range: Range<Int>) -> EventRows {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "the events of a range must be there")
        return EventRows(
            events: events, values: values, fieldCount: fieldCount, texts: UnsafePointer(arena.storage.pointee.base))
    }
}
