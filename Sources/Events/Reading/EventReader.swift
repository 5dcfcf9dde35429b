import Base
import JSON

/// Reads one event from the bytes of a message: strict, in one pass, without a `String` or an allocation.
///
/// The whole message is validated; only the contract's members and the schema's fields are taken out of it.
final class EventReader {
    let limits: EventLimits
    let types: NameTable
    /// Whether values are tried as producers commonly write them, before the general path.
    let predicts: Bool
    /// The known types' texts, by number; they stand at the start of the batch's arena.
    let typeTexts: PlainTable<Event.Text>
    let outer: NameTable
    let inTreatment: NameTable
    let properties: NameTable
    /// For each name of `properties`, the place of its field in the schema.
    let propertyFields: PlainTable<Int>
    /// For each slot, the place of the schema's field that wants it, or −1.
    let slotFields: PlainTable<Int>
    let expectations: PlainTable<EventSchema.Expectation>
    let outerSlots = PlainTable(EventSlot.outer)
    let treatmentSlots = PlainTable(EventSlot.inTreatment)
    /// Behind a pointer, as the two below: a class's own `var` costs an exclusivity check an access.
    let recentDate: UnsafeMutablePointer<RecentDate>
    /// For each name of `properties`, the last message that had it; tells a second one from the first.
    let lastSeen: UnsafeMutablePointer<UInt64>
    let message: UnsafeMutablePointer<UInt64>
    /// For each of the schema's fields, how many of its values no feature could use.
    let unusable: UnsafeMutablePointer<Int>
    let scratch = ByteBuffer(capacity: 512)

    /// - Parameters:
    ///   - arena: takes the texts of the known types, for good.
    ///   - predicts: false takes the general path for each member, for tests.
    init(schema: EventSchema, limits: EventLimits, arena: ByteBuffer, predicts: Bool) {
        self.limits = limits
        self.predicts = predicts
        recentDate = .allocate(capacity: 1)
        recentDate.initialize(to: RecentDate())
        let prefix = "properties."
        let inProperties = schema.fields.indices.filter { schema.fields[$0].path.hasPrefix(prefix) }
        outer = NameTable(EventSlot.outer.map(\.member), predicts: predicts)
        inTreatment = NameTable(EventSlot.inTreatment.map(\.member), predicts: predicts)
        properties = NameTable(
            inProperties.map { String(schema.fields[$0].path.dropFirst(prefix.count)) }, predicts: predicts)
        propertyFields = PlainTable(inProperties)
        slotFields = PlainTable(
            EventSlot.allCases.map { slot in schema.fields.firstIndex { $0.path == slot.name } ?? -1 })
        expectations = PlainTable(schema.fields.map(\.expects))
        types = NameTable(schema.types)
        typeTexts = PlainTable(
            schema.types.map { name in
                let start = arena.count
                arena.append(Array(name.utf8))
                return Event.Text(arena, from: start)
            })
        lastSeen = .allocate(capacity: max(1, inProperties.count))
        lastSeen.initialize(repeating: 0, count: max(1, inProperties.count))
        message = .allocate(capacity: 1)
        message.initialize(to: 0)
        unusable = .allocate(capacity: max(1, schema.fields.count))
        unusable.initialize(repeating: 0, count: max(1, schema.fields.count))
    }

    deinit {
        recentDate.deallocate()
        lastSeen.deallocate()
        message.deallocate()
        unusable.deallocate()
    }

    /// - Parameters:
    ///   - event: its `source` is read, all else is written.
    ///   - fields: one place for each of the schema's fields; all are written.
    ///   - arena: where the event's texts go.
    @inline(__always)
    func read(
        _ bytes: UnsafeRawBufferPointer, into event: inout Event, fields: UnsafeMutableBufferPointer<FieldValue>,
        arena: ByteBuffer
    ) throws(InputError) {
        guard !bytes.isEmpty else { throw InputError(.emptyMessage) }
        guard bytes.count <= limits.maxMessageBytes else { throw InputError(.messageTooLarge) }
        for i in 0..<fields.count { fields[i] = .missing }
        message.pointee &+= 1
        var scanner = JSONScanner(bytes, maxDepth: limits.maxDepth)
        scanner.skipWhitespace()
        guard scanner.current == 0x7B else { throw try notAnObject(scanner) }
        var seen: UInt32 = 0
        var state = outer.start
        while true {
            let index = try outer.next(&scanner, &state)
            guard index >= 0 else {
                if index == NameTable.closed { break }
                try skipUnknown(&scanner, depth: 1)
                continue
            }
            let slot = outerSlots[index]
            let bit = 1 &<< UInt32(truncatingIfNeeded: index)
            guard seen & bit == 0 else { throw duplicate(InputField(slot), scanner) }
            seen |= bit
            do throws(InputError) {
                if predicts {
                    if try takeMember(slot, &scanner, into: &event, fields: fields, arena: arena) { continue }
                    if scanner.take(.null) { continue }
                }
                var general = scanner
                general.skipWhitespace()
                try readMember(slot, &general, into: &event, fields: fields, arena: arena)
                scanner.position = general.position
            } catch {
                throw error.concerning(InputField(slot))
            }
        }
        try scanner.expectEnd()
        try check(event)
    }

    /// The error of a second member of one name; it stands at the value.
    @inline(never)
    func duplicate(_ field: InputField, _ scanner: JSONScanner) -> InputError {
        var scanner = scanner
        scanner.skipWhitespace()
        return InputError(.duplicateField, field: field, position: scanner.position)
    }

    /// Steps over the value of a member that is not read.
    @inline(__always)
    func skipUnknown(_ scanner: inout JSONScanner, depth: Int) throws(InputError) {
        if predicts, let text = scanner.plainText() { return scanner.take(text) }
        // On a copy, here and elsewhere, so that the scanner itself can stay in registers.
        var general = scanner
        try general.skipValue(depth: depth)
        scanner.position = general.position
    }

    /// A valid text of another kind is not an object; anything else is not JSON.
    @inline(never)
    private func notAnObject(_ scanner: JSONScanner) throws(InputError) -> InputError {
        var scanner = scanner
        try scanner.skipValue(depth: 0)
        try scanner.expectEnd()
        return InputError(.notAnObject, position: 0)
    }

    @inline(__always)
    private func check(_ event: Event) throws(InputError) {
        guard event.user.count > 0 else { throw InputError(.missingField, field: InputField(.userID)) }
        guard event.typeText.count > 0 else { throw InputError(.missingField, field: InputField(.type)) }
        guard event.time != Event.noTime else { throw InputError(.missingField, field: InputField(.time)) }
        let record = event.source.timestamp
        guard record >= 0 else { return }
        if event.time &- record > limits.maxAheadMilliseconds {
            throw InputError(.timeInFuture, field: InputField(.time))
        }
        if record &- event.time > limits.maxBehindMilliseconds {
            throw InputError(.timeTooOld, field: InputField(.time))
        }
    }
}
