/// Reads one event from the bytes of a message: strict, in one pass, without a `String` or an allocation.
///
/// The whole message is validated; only the contract's members and the schema's fields are taken out of it.
final class EventReader {
    let limits: EventLimits
    let types: NameTable
    private let outer = NameTable(EventSlot.outer.map(\.member))
    private let inTreatment = NameTable(EventSlot.inTreatment.map(\.member))
    private let properties: NameTable
    /// For each name of `properties`, the place of its field in the schema.
    private let propertyFields: PlainTable<Int>
    /// For each slot, the place of the schema's field that wants it, or −1.
    let slotFields: PlainTable<Int>
    private let expectations: PlainTable<EventSchema.Expectation>
    private let scratch = ByteBuffer(capacity: 512)

    init(schema: EventSchema, limits: EventLimits) {
        self.limits = limits
        let inProperties = schema.fields.indices.filter { schema.fields[$0].path.hasPrefix("properties.") }
        properties = NameTable(inProperties.map { String(schema.fields[$0].path.dropFirst("properties.".count)) })
        propertyFields = PlainTable(inProperties)
        slotFields = PlainTable(
            EventSlot.allCases.map { slot in schema.fields.firstIndex { $0.path == slot.name } ?? -1 })
        expectations = PlainTable(schema.fields.map(\.expects))
        types = NameTable(schema.types)
    }

    /// - Parameters:
    ///   - event: its `source` is read, all else is written.
    ///   - fields: one place for each of the schema's fields; all are written.
    ///   - arena: where the event's texts go.
    func read(
        _ message: UnsafeRawBufferPointer, into event: inout Event, fields: UnsafeMutableBufferPointer<FieldValue>,
        arena: ByteBuffer
    ) throws(EventError) {
        guard !message.isEmpty else { throw EventError(.emptyMessage) }
        guard message.count <= limits.maxMessageBytes else { throw EventError(.messageTooLarge) }
        fields.update(repeating: .missing)
        var scanner = JSONScanner(message, maxDepth: limits.maxDepth)
        scanner.skipWhitespace()
        guard scanner.current == 0x7B else { throw try notAnObject(scanner) }
        var seen: UInt32 = 0
        var previous = -1
        var more = try scanner.enterObject()
        while more {
            let name = try scanner.scanName()
            let index = find(name, in: scanner, table: outer, after: previous)
            if index >= 0 {
                previous = index
                let slot = EventSlot.outer[index]
                guard seen & (1 << UInt32(slot.rawValue)) == 0 else {
                    throw EventError(.duplicateField, field: EventField(slot), position: name.start)
                }
                seen |= 1 << UInt32(slot.rawValue)
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
    private func notAnObject(_ scanner: JSONScanner) throws(EventError) -> EventError {
        var scanner = scanner
        try scanner.skipValue(depth: 0)
        try scanner.expectEnd()
        return EventError(.notAnObject, position: 0)
    }

    private func readMember(
        _ slot: EventSlot, _ scanner: inout JSONScanner, into event: inout Event,
        fields: UnsafeMutableBufferPointer<FieldValue>, arena: ByteBuffer
    ) throws(EventError) {
        if scanner.current == 0x6E { return try scanner.scanLiteral("null") }
        switch slot {
        case .userID: event.user = try readUser(&scanner, arena: arena, hash: &event.userHash)
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
        guard scanner.current == 0x7B else { throw scanner.fault(.fieldType) }
        event.hasTreatment = true
        var seen: UInt32 = 0
        var previous = -1
        var more = try scanner.enterObject()
        while more {
            let name = try scanner.scanName()
            let index = find(name, in: scanner, table: inTreatment, after: previous)
            if index >= 0 {
                previous = index
                let slot = EventSlot.inTreatment[index]
                guard seen & (1 << UInt32(index)) == 0 else {
                    throw EventError(.duplicateField, field: EventField(slot), position: name.start)
                }
                seen |= 1 << UInt32(index)
                do throws(EventError) {
                    try readTreatmentMember(slot, &scanner, into: &event)
                } catch {
                    throw error.concerning(EventField(slot))
                }
            } else {
                try scanner.skipValue(depth: 2)
            }
            more = try scanner.nextMember()
        }
        // An assignment without an arm says nothing.
        guard seen & 0b10 != 0, event.armHash != 0 else {
            throw EventError(.missingField, field: EventField(.arm), position: scanner.position)
        }
    }

    private func readTreatmentMember(
        _ slot: EventSlot, _ scanner: inout JSONScanner, into event: inout Event
    ) throws(EventError) {
        if scanner.current == 0x6E { return try scanner.scanLiteral("null") }
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
        guard scanner.current == 0x7B else { throw scanner.fault(.fieldType) }
        var previous = -1
        var more = try scanner.enterObject()
        while more {
            let name = try scanner.scanName()
            let index = find(name, in: scanner, table: properties, after: previous)
            if index >= 0 {
                previous = index
                let place = propertyFields[index]
                do throws(EventError) {
                    // A value that was already read is told from one that was not by its kind; `null` counts as unread.
                    guard fields[place].kind == .missing else {
                        throw EventError(.duplicateField, position: name.start)
                    }
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

    /// The index of a member's name in a table; an escaped name is decoded first, since `"\u0069d"` is `"id"`.
    @inline(__always)
    private func find(
        _ name: JSONScanner.Text, in scanner: JSONScanner, table: NameTable, after previous: Int
    ) -> Int {
        if name.hasEscape { return findEscaped(name, in: scanner, table: table, after: previous) }
        return table.find(name, in: scanner, after: previous)
    }

    private func findEscaped(
        _ name: JSONScanner.Text, in scanner: JSONScanner, table: NameTable, after previous: Int
    ) -> Int {
        guard name.end - name.start <= 1_024 else { return -1 }
        scratch.removeAll()
        scanner.decode(name, into: scratch)
        let decoded = JSONScanner(scratch.bytes, maxDepth: 1)
        let text = JSONScanner.Text(start: 0, end: scratch.count, hasEscape: false)
        return table.find(text, in: decoded, after: previous)
    }

    /// The hash of a decoded text; an integer, where it is taken, counts as its digits.
    func readTextHash(_ scanner: inout JSONScanner, takesInteger: Bool = false) throws(EventError) -> UInt64 {
        if takesInteger, scanner.current != 0x22 { return try readDigitsHash(&scanner) }
        guard scanner.current == 0x22 else { throw try scanner.typeFault() }
        let text = try scanner.scanString()
        guard text.end - text.start <= limits.maxTextBytes else {
            throw EventError(.textTooLong, position: text.start)
        }
        return hash(text, in: scanner)
    }

    private func readDigitsHash(_ scanner: inout JSONScanner) throws(EventError) -> UInt64 {
        let number = try readInteger(&scanner)
        scratch.removeAll()
        scratch.append(number)
        return StableHash.hash(scratch.bytes.bytes)
    }

    @inline(__always)
    func hash(_ text: JSONScanner.Text, in scanner: JSONScanner) -> UInt64 {
        if text.hasEscape {
            scratch.removeAll()
            scanner.decode(text, into: scratch)
            return StableHash.hash(scratch.bytes.bytes)
        }
        let bytes = UnsafeRawBufferPointer(start: scanner.base + text.start, count: text.end - text.start)
        return StableHash.hash(bytes.bytes)
    }

    private func check(_ event: Event) throws(EventError) {
        guard event.user.count > 0 else { throw EventError(.missingField, field: EventField(.userID)) }
        guard event.typeText.count > 0 else { throw EventError(.missingField, field: EventField(.type)) }
        guard event.time != Event.noTime else { throw EventError(.missingField, field: EventField(.time)) }
        let record = event.source.timestamp
        if record >= 0, event.time - record > limits.maxAheadMilliseconds {
            throw EventError(.timeInFuture, field: EventField(.time))
        }
    }
}
