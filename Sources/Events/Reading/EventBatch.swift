import Base
import JSON

/// A batch of events in flat memory that is reused: events, the values of the schema's fields, and the texts.
///
/// One thread at a time. What it gives out is valid until ``removeAll()``: the texts' arena has room for the longest
/// texts of a full batch from the start (memory that is not touched costs nothing), so it never moves.
public final class EventBatch {
    public let schema: EventSchema
    public let limits: EventLimits
    public let capacity: Int

    @usableFromInline
    struct Counters {
        @usableFromInline var events = 0
        @usableFromInline var foreignKeys = 0
    }

    /// Behind a pointer: a class's own `var` costs an exclusivity check an access.
    @usableFromInline let counters: UnsafeMutablePointer<Counters>
    @usableFromInline let events: UnsafeMutablePointer<Event>
    /// `capacity` rows of `schema.fields.count`.
    @usableFromInline let values: UnsafeMutablePointer<FieldValue>
    @usableFromInline let fieldCount: Int
    @usableFromInline let arena: ByteBuffer
    private let reader: EventReader
    private var takenUnusable: [Int]
    /// The number of ``Purposes/eventType``; one that no event has when the schema does not know it.
    private let consentNumber: UInt8
    /// The texts of the known types, which stay.
    private let typeBytes: Int

    /// - Parameter capacity: how many events fit.
    public convenience init(schema: EventSchema, limits: EventLimits = EventLimits(), capacity: Int) {
        self.init(schema: schema, limits: limits, capacity: capacity, predicts: true)
    }

    /// - Parameter predicts: false reads each member by the general path; the result is the same, which tests show.
    public init(schema: EventSchema, limits: EventLimits, capacity: Int, predicts: Bool) {
        self.schema = schema
        self.limits = limits
        self.capacity = max(1, capacity)
        fieldCount = schema.fields.count
        consentNumber = schema.typeNumber(Purposes.eventType).map { UInt8(clamping: $0) } ?? Event.noType
        takenUnusable = [Int](repeating: 0, count: schema.fields.count)
        counters = .allocate(capacity: 1)
        counters.initialize(to: Counters())
        events = .allocate(capacity: self.capacity)
        values = .allocate(capacity: self.capacity * max(1, fieldCount))
        let types = schema.types.reduce(0) { $0 + $1.utf8.count }
        let texts = self.capacity * (max(limits.maxUserIDBytes, 20) + limits.maxTextBytes)
        precondition(types + texts < 1 << 32, "the texts of a full batch must fit 4 GiB: fewer events or lower limits")
        arena = ByteBuffer(capacity: types + texts + 64)
        reader = EventReader(schema: schema, limits: limits, arena: arena, predicts: predicts)
        typeBytes = arena.count
    }

    deinit {
        counters.deallocate()
        events.deallocate()
        values.deallocate()
    }

    /// How many events the batch holds.
    @inlinable public var count: Int { counters.pointee.events }

    /// Events accepted although the message key was not the `user_id` (`input.key=any`), since the batch was made.
    @inlinable public var foreignKeys: Int { counters.pointee.foreignKeys }

    /// For each field of the schema, how many of its values were of a kind that no feature can use, such as a text where a
    /// number is wanted, since the batch was made. They count as missing.
    public func unusableValues(_ field: Int) -> Int { reader.unusable[field] }

    /// Calls `body` with each field whose count has grown since the last call, and by how much.
    public func takeUnusableValues(_ body: (_ field: Int, _ count: Int) -> Void) {
        for field in 0..<fieldCount where reader.unusable[field] > takenUnusable[field] {
            body(field, reader.unusable[field] - takenUnusable[field])
            takenUnusable[field] = reader.unusable[field]
        }
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
    ) throws(InputError) {
        let index = counters.pointee.events
        precondition(index < capacity, "the batch is full")
        guard let message else { throw InputError(.nullMessage) }
        let start = arena.count
        let event = events + index
        event.initialize(to: Event())
        event.pointee.source = source
        let row = UnsafeMutableBufferPointer(start: values + index &* fieldCount, count: fieldCount)
        do throws(InputError) {
            try reader.read(message, into: &event.pointee, fields: row, arena: arena)
            try check(key: key, of: event.pointee)
            if event.pointee.type == consentNumber {
                try event.pointee.readPurposes(message, maxDepth: limits.maxDepth)
            }
        } catch {
            arena.truncate(to: start)
            throw error
        }
        counters.pointee.events = index &+ 1
    }

    /// The event at `index`.
    @inlinable @inline(__always)
    public subscript(index: Int) -> Event {
        precondition(index >= 0 && index < count)
        return events[index]
    }

    /// The decoded UTF-8 bytes of the event's user id.
    @inlinable @inline(__always)
    public func user(_ index: Int) -> UnsafeRawBufferPointer { bytes(self[index].user) }

    /// The decoded UTF-8 bytes of a text.
    @inlinable @inline(__always)
    public func bytes(_ text: Event.Text) -> UnsafeRawBufferPointer {
        arena.bytes(Int(text.start)..<Int(text.start) + Int(text.count))
    }

    /// The values of the schema's fields, in its order.
    @inlinable @inline(__always)
    public func fields(_ index: Int) -> UnsafeBufferPointer<FieldValue> {
        precondition(index >= 0 && index < count)
        return UnsafeBufferPointer(start: values + index * fieldCount, count: fieldCount)
    }

    /// Forgets all events; the memory stays.
    public func removeAll() {
        counters.pointee.events = 0
        arena.truncate(to: typeBytes)
    }

    @inline(__always)
    private func check(key: UnsafeRawBufferPointer?, of event: Event) throws(InputError) {
        if let key, isUser(key, of: event) { return }
        if limits.requiresKey { throw InputError(.keyMismatch, field: .key) }
        counters.pointee.foreignKeys &+= 1
    }

    @inline(__always)
    private func isUser(_ key: UnsafeRawBufferPointer, of event: Event) -> Bool {
        key.hasBytes(of: bytes(event.user))
    }
}
