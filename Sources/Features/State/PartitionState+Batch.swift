import Events

extension PartitionState {
    /// Applies the events of a batch in their order, and calls `body` after each with its place and what became of it.
    ///
    /// The same as ``apply(_:fields:user:)`` one by one, but the memory of the events to come is fetched ahead. A slot
    /// is good inside `body` only, where ``features(_:into:)`` gives the user's features as of this very event.
    public func apply<Failure: Error>(
        _ batch: EventColumns, _ range: Range<Int>, _ body: (Int, Applied) throws(Failure) -> Void
    ) throws(Failure) {
        try applyAll(batch, range, body)
    }

    /// The same for the events of a reader's batch.
    public func apply<Failure: Error>(
        _ batch: EventBatch, _ range: Range<Int>? = nil, _ body: (Int, Applied) throws(Failure) -> Void
    ) throws(Failure) {
        try applyAll(BatchSource(batch: batch), range ?? 0..<batch.count, body)
    }

    /// Applies one event of a reader's batch.
    public func apply(_ batch: EventBatch, _ i: Int) -> Applied {
        apply(batch[i], fields: batch.fields(i), user: batch.user(i))
    }

    /// Two users in a row have nothing in common, so each event would wait for memory twice: for the table's entry and
    /// for the record. Instead three steps run ahead of the event at hand: hash and ask for the entry, read the entry
    /// and ask for the record's first lines, read its size and ask for the others.
    @inline(__always)
    func applyAll<Source: EventSource, Failure: Error>(
        _ source: Source, _ range: Range<Int>, _ body: (Int, Applied) throws(Failure) -> Void
    ) throws(Failure) {
        let fieldCount = plan.schema.fields.count
        var i = range.lowerBound &- 3 &* PartitionCore.distance
        while i < range.upperBound {
            core.pointee.lookAhead(source, range, i)
            if i >= range.lowerBound {
                let reference = core.pointee.applyAhead(source, i, fieldCount)
                try body(i, reference == 0 ? .duplicate : .applied(Slot(reference: reference)))
            }
            i &+= 1
        }
    }
}

/// A reader's batch as a source of events.
private struct BatchSource: EventSource {
    let batch: EventBatch

    @inline(__always) func event(_ i: Int) -> Event { batch[i] }
    @inline(__always) func user(_ i: Int) -> UnsafeRawBufferPointer { batch.user(i) }
    @inline(__always) func fields(_ i: Int) -> UnsafeBufferPointer<FieldValue> { batch.fields(i) }
}

/// Events as plain columns: what a replay or a test has in memory.
public struct EventColumns: EventSource {
    let events: UnsafePointer<Event>
    let users: UnsafePointer<UnsafeRawBufferPointer>
    let values: UnsafePointer<FieldValue>
    let fieldCount: Int

    /// - Parameter values: row-major, `fieldCount` an event.
    public init(
        events: UnsafePointer<Event>, users: UnsafePointer<UnsafeRawBufferPointer>, values: UnsafePointer<FieldValue>,
        fieldCount: Int
    ) {
        self.events = events
        self.users = users
        self.values = values
        self.fieldCount = fieldCount
    }

    public func event(_ i: Int) -> Event { events[i] }
    public func user(_ i: Int) -> UnsafeRawBufferPointer { users[i] }
    public func fields(_ i: Int) -> UnsafeBufferPointer<FieldValue> {
        UnsafeBufferPointer(start: values + i &* fieldCount, count: fieldCount)
    }
}
