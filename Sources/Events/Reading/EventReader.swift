/// Reads one event from the bytes of a message: strict, in one pass, without a `String` or an allocation.
///
/// The whole message is validated; only the contract's members and the schema's fields are taken out of it.
final class EventReader {
    let limits: EventLimits
    let types: NameTable
    /// The known types' texts, by number; they stand at the start of the batch's arena.
    let typeTexts: PlainTable<Event.Text>
    private let outer: NameTable
    private let inTreatment: NameTable
    private let properties: NameTable
    /// For each name of `properties`, the place of its field in the schema.
    private let propertyFields: PlainTable<Int>
    /// For each slot, the place of the schema's field that wants it, or −1.
    private let slotFields: PlainTable<Int>
    private let expectations: PlainTable<EventSchema.Expectation>
    /// For each name of `properties`, the last message that had it; tells a second one from the first.
    private let lastSeen: UnsafeMutablePointer<UInt64>
    private let message: UnsafeMutablePointer<UInt64>
    let scratch = ByteBuffer(capacity: 512)

    /// - Parameters:
    ///   - arena: takes the texts of the known types, for good.
    ///   - predicts: false takes the general path for each member, for tests.
    init(schema: EventSchema, limits: EventLimits, arena: ByteBuffer, predicts: Bool) {
        self.limits = limits
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
    }

    deinit {
        lastSeen.deallocate()
        message.deallocate()
    }

    /// - Parameters:
    ///   - event: its `source` is read, all else is written.
    ///   - fields: one place for each of the schema's fields; all are written.
    ///   - arena: where the event's texts go.
    func read(
        _ bytes: UnsafeRawBufferPointer, into event: inout Event, fields: UnsafeMutableBufferPointer<FieldValue>,
        arena: ByteBuffer
    ) throws(EventError) {
        guard !bytes.isEmpty else { throw EventError(.emptyMessage) }
        guard bytes.count <= limits.maxMessageBytes else { throw EventError(.messageTooLarge) }
        for i in 0..<fields.count { fields[i] = .missing }
        message.pointee &+= 1
        var scanner = JSONScanner(bytes, maxDepth: limits.maxDepth)
        scanner.skipWhitespace()
        guard scanner.current == 0x7B else { throw try notAnObject(scanner) }
        var seen: UInt32 = 0
        var state = NameTable.start
        var more = try scanner.enterObject()
        while more {
            let index = try outer.next(&scanner, &state)
            if index >= 0 {
                let slot = EventSlot.outer(index)
                let bit = 1 &<< UInt32(truncatingIfNeeded: index)
                guard seen & bit == 0 else {
                    throw EventError(.duplicateField, field: EventField(slot), position: scanner.position)
                }
                seen |= bit
                do throws(EventError) {
                    try readMember(slot, &scanner, into: &event, fields: fields, arena: arena)
                } catch {
                    throw error.concerning(EventField(slot))
                }
            } else {
                try scanner.skipValue(depth: 1)
            }
            more = try scanner.nextMember()
        }
        try scanner.expectEnd()
        try check(event)
    }

    /// A valid text of another kind is no object; anything else is no JSON.
    @inline(never)
    private func notAnObject(_ scanner: JSONScanner) throws(EventError) -> EventError {
        var scanner = scanner
        try scanner.skipValue(depth: 0)
        try scanner.expectEnd()
        return EventError(.notAnObject, position: 0)
    }

    @inline(__always)
    private func readMember(
        _ slot: EventSlot, _ scanner: inout JSONScanner, into event: inout Event,
        fields: UnsafeMutableBufferPointer<FieldValue>, arena: ByteBuffer
    ) throws(EventError) {
        if scanner.current == 0x6E { return try scanner.scan(.null) }
        switch slot {
        case .userID: try readUser(&scanner, into: &event, arena: arena)
        case .type: try readType(&scanner, into: &event, arena: arena)
        case .time: event.time = try readTime(&scanner)
        case .id:
            event.idHash = try readTextHash(&scanner, takesInteger: true)
            event.hasID = true
        case .value:
            let number = try readDouble(&scanner)
            store(FieldValue(number), of: slot, in: fields)
        case .campaignID:
            store(FieldValue(textHash: try readTextHash(&scanner, takesInteger: true)), of: slot, in: fields)
        case .channel, .currency:
            store(FieldValue(textHash: try readTextHash(&scanner)), of: slot, in: fields)
        case .treatment: try readTreatment(&scanner, into: &event)
        case .properties: try readProperties(&scanner, fields: fields)
        case .experimentID, .arm, .propensity: break
        }
    }

    @inline(__always)
    private func store(_ value: FieldValue, of slot: EventSlot, in fields: UnsafeMutableBufferPointer<FieldValue>) {
        let place = slotFields[Int(slot.rawValue)]
        if place >= 0 { fields[place] = value }
    }

    private func readTreatment(_ scanner: inout JSONScanner, into event: inout Event) throws(EventError) {
        guard scanner.current == 0x7B else { throw try scanner.typeFault() }
        var hasArm = false
        var seen: UInt32 = 0
        var state = NameTable.start
        var more = try scanner.enterObject()
        while more {
            let index = try inTreatment.next(&scanner, &state)
            if index >= 0 {
                let slot = EventSlot.inTreatment(index)
                let bit = 1 &<< UInt32(truncatingIfNeeded: index)
                guard seen & bit == 0 else {
                    throw EventError(.duplicateField, field: EventField(slot), position: scanner.position)
                }
                seen |= bit
                do throws(EventError) {
                    if scanner.current == 0x6E {
                        try scanner.scan(.null)
                    } else {
                        try readTreatmentMember(slot, &scanner, into: &event)
                        if slot == .arm { hasArm = true }
                    }
                } catch {
                    throw error.concerning(EventField(slot))
                }
            } else {
                try scanner.skipValue(depth: 2)
            }
            more = try scanner.nextMember()
        }
        // An assignment without an arm says nothing.
        guard hasArm else {
            throw EventError(.missingField, field: EventField(.arm), position: scanner.position)
        }
        event.hasTreatment = true
    }

    @inline(__always)
    private func readTreatmentMember(
        _ slot: EventSlot, _ scanner: inout JSONScanner, into event: inout Event
    ) throws(EventError) {
        switch slot {
        case .arm: event.armHash = try readTextHash(&scanner, takesInteger: true)
        case .experimentID: event.experimentHash = try readTextHash(&scanner, takesInteger: true)
        default:
            let start = scanner.position
            event.propensity = try readDouble(&scanner)
            guard event.propensity > 0, event.propensity <= 1 else {
                throw EventError(.propensityOutOfRange, position: start)
            }
        }
    }

    private func readProperties(
        _ scanner: inout JSONScanner, fields: UnsafeMutableBufferPointer<FieldValue>
    ) throws(EventError) {
        guard scanner.current == 0x7B else { throw try scanner.typeFault() }
        var state = NameTable.start
        var more = try scanner.enterObject()
        while more {
            let index = try properties.next(&scanner, &state)
            if index >= 0 {
                let place = propertyFields[index]
                do throws(EventError) {
                    guard lastSeen[index] != message.pointee else { throw scanner.fault(.duplicateField) }
                    lastSeen[index] = message.pointee
                    fields[place] = try readValue(&scanner, expects: expectations[place])
                } catch {
                    throw error.concerning(.schemaField(place))
                }
            } else {
                try scanner.skipValue(depth: 2)
            }
            more = try scanner.nextMember()
        }
    }

    @inline(__always)
    private func check(_ event: Event) throws(EventError) {
        guard event.user.count > 0 else { throw EventError(.missingField, field: EventField(.userID)) }
        guard event.typeText.count > 0 else { throw EventError(.missingField, field: EventField(.type)) }
        guard event.time != Event.noTime else { throw EventError(.missingField, field: EventField(.time)) }
        let record = event.source.timestamp
        if record >= 0, event.time &- record > limits.maxAheadMilliseconds {
            throw EventError(.timeInFuture, field: EventField(.time))
        }
    }
}
