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
        let range = range ?? 0..<batch.count
        try applyAll(batch.rows(range), range, body)
    }

    /// Applies one event of a reader's batch.
    public func apply(_ batch: EventBatch, _ i: Int) -> Applied {
        apply(batch[i], fields: batch.fields(i), user: batch.user(i))
    }

    /// Two users in a row have nothing in common, so each event would wait for memory twice: for the table's entry and
    /// for the record. Instead three steps run ahead of the event at hand: hash and ask for the entry; read the entry and
    /// ask for the record's first lines; read its size and ask for the others.
    @inline(__always)
    private func applyAll<Source: EventSource, Failure: Error>(
        _ source: Source, _ range: Range<Int>, _ body: (Int, Applied) throws(Failure) -> Void
    ) throws(Failure) {
        precondition(source.fieldCount >= plan.schema.fields.count, "an event has a value for each field of the schema")
        let (end, distance) = (range.upperBound, PartitionCore.distance)
        for i in range.prefix(3 * distance) { core.pointee.hashAhead(source, i) }
        for i in range.prefix(2 * distance) { core.pointee.findAhead(i) }
        for i in range.prefix(distance) { core.pointee.fetchAhead(i) }
        for i in range {
            if i &+ 3 &* distance < end { core.pointee.hashAhead(source, i &+ 3 &* distance) }
            if i &+ 2 &* distance < end { core.pointee.findAhead(i &+ 2 &* distance) }
            if i &+ distance < end { core.pointee.fetchAhead(i &+ distance) }
            let reference = core.pointee.applyAhead(source, i)
            try body(i, Applied(reference: reference))
        }
    }
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

    func event(_ i: Int) -> UnsafePointer<Event> { events + i }
    func user(_ i: Int) -> UnsafeRawBufferPointer { users[i] }
    func fields(_ i: Int) -> UnsafePointer<FieldValue> { values + i &* fieldCount }
}
