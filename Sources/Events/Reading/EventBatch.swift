import Diagnostics

/// A batch of events in flat memory that is reused: events, the values of the schema's fields, and the texts.
///
/// One thread at a time. What it gives out is valid until ``removeAll()``.
public final class EventBatch {
    public let schema: EventSchema
    public let limits: EventLimits
    public let capacity: Int
    public private(set) var count = 0
    /// Events accepted although the message key was not the `user_id` (`input.key=any`).
    public private(set) var foreignKeys = 0

    let events: UnsafeMutablePointer<Event>
    /// `capacity` rows of `schema.fields.count`.
    let values: UnsafeMutablePointer<FieldValue>
    let fieldCount: Int
    let arena: ByteBuffer
    private let reader: EventReader

    /// - Parameter capacity: how many events fit.
    public init(schema: EventSchema, limits: EventLimits = EventLimits(), capacity: Int) {
        self.schema = schema
        self.limits = limits
        self.capacity = max(1, capacity)
        fieldCount = schema.fields.count
        events = .allocate(capacity: self.capacity)
        values = .allocate(capacity: self.capacity * max(1, fieldCount))
        arena = ByteBuffer(capacity: self.capacity * 64)
        reader = EventReader(schema: schema, limits: limits)
    }

    deinit {
        events.deallocate()
        values.deallocate()
    }

    /// Reads one message and adds its event. On an error the batch is as it was.
    ///
    /// - Parameters:
    ///   - message: the value's bytes; nil for a tombstone.
    ///   - key: the message key's bytes; nil when there is none.
    ///   - source: where the message stood.
    /// - Precondition: `count < capacity`.
    public func append(
        _ message: UnsafeRawBufferPointer?, key: UnsafeRawBufferPointer?, source: SourcePosition
    ) throws(EventError) {
        precondition(count < capacity, "the batch is full")
        let start = arena.count
        var event = Event()
        event.source = source
        let row = UnsafeMutableBufferPointer(start: values + count * fieldCount, count: fieldCount)
        do throws(EventError) {
            guard let message else { throw EventError(.nullMessage) }
            try reader.read(message, into: &event, fields: row, arena: arena)
            try check(key: key, of: event)
        } catch {
            arena.truncate(to: start)
            throw error
        }
        events[count] = event
        count += 1
    }

    /// The event at `index`.
    @inline(__always)
    public subscript(index: Int) -> Event {
        precondition(index >= 0 && index < count)
        return events[index]
    }

    /// The decoded UTF-8 bytes of the event's user id.
    @inline(__always)
    public func user(_ index: Int) -> UnsafeRawBufferPointer { bytes(self[index].user) }

    /// The decoded UTF-8 bytes of a text.
    @inline(__always)
    public func bytes(_ text: Event.Text) -> UnsafeRawBufferPointer {
        arena.bytes(Int(text.start)..<Int(text.start) + Int(text.count))
    }

    /// The values of the schema's fields, in its order.
    @inline(__always)
    public func fields(_ index: Int) -> UnsafeBufferPointer<FieldValue> {
        precondition(index >= 0 && index < count)
        return UnsafeBufferPointer(start: values + index * fieldCount, count: fieldCount)
    }

    /// Forgets all events; the memory stays.
    public func removeAll() {
        count = 0
        arena.removeAll()
    }

    private func check(key: UnsafeRawBufferPointer?, of event: Event) throws(EventError) {
        let user = bytes(event.user)
        if let key, key.count == user.count, key.elementsEqual(user) { return }
        if limits.requiresKey { throw EventError(.keyMismatch, field: .key) }
        foreignKeys += 1
    }
}
