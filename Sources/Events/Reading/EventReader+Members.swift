import Base
import JSON

extension EventReader {
    /// The value of one of the event's members, however it is written: the general path of ``takeMember``.
    @inline(never)
    func readMember(
        _ slot: EventSlot, _ scanner: inout JSONScanner, into event: inout Event,
        fields: UnsafeMutableBufferPointer<FieldValue>, arena: ByteBuffer
    ) throws(InputError) {
        if scanner.current == 0x6E { return try scanner.scan(.null) }
        switch slot {
        case .userID: try readUser(&scanner, into: &event, arena: arena)
        case .type: try readType(&scanner, into: &event, arena: arena)
        case .time: event.time = try readTime(&scanner)
        case .id:
            event.idHash = try readTextHash(&scanner, takesInteger: true)
            event.hasID = true
        case .value: store(try readNumberMember(&scanner, slot), of: slot, in: fields)
        case .campaignID, .channel, .currency: store(try readTextMember(&scanner, slot), of: slot, in: fields)
        case .treatment: scanner.position = try readTreatment(scanner, into: &event)
        case .properties: scanner.position = try readProperties(scanner, fields: fields)
        case .experimentID, .arm, .propensity: break
        }
    }

    @inline(__always)
    func store(_ value: FieldValue, of slot: EventSlot, in fields: UnsafeMutableBufferPointer<FieldValue>) {
        let place = slotFields[Int(slot.rawValue)]
        if place >= 0 { fields[place] = value }
    }

    /// Reads the object at the scanner's position and returns where it ends.
    @inline(never)
    func readTreatment(_ start: JSONScanner, into event: inout Event) throws(InputError) -> Int {
        var scanner = start
        guard scanner.current == 0x7B else { throw try scanner.typeFault() }
        var hasArm = false
        var seen: UInt32 = 0
        var state = inTreatment.start
        while true {
            let index = try inTreatment.next(&scanner, &state)
            guard index >= 0 else {
                if index == NameTable.closed { break }
                try skipUnknown(&scanner, depth: 2)
                continue
            }
            let slot = treatmentSlots[index]
            let bit = 1 &<< UInt32(truncatingIfNeeded: index)
            guard seen & bit == 0 else { throw duplicate(InputField(slot), scanner) }
            seen |= bit
            var isNull = false
            if !(predicts && takeTreatmentMember(slot, &scanner, into: &event)) {
                var general = scanner
                general.skipWhitespace()
                isNull = general.current == 0x6E
                do throws(InputError) {
                    try readTreatmentMember(slot, &general, into: &event)
                } catch {
                    throw error.concerning(InputField(slot))
                }
                scanner.position = general.position
            }
            if slot == .arm { hasArm = !isNull }
        }
        // An assignment without an arm says nothing.
        guard hasArm else {
            throw InputError(.missingField, field: InputField(.arm), position: scanner.position)
        }
        event.hasTreatment = true
        return scanner.position
    }

    @inline(never)
    private func readTreatmentMember(
        _ slot: EventSlot, _ scanner: inout JSONScanner, into event: inout Event
    ) throws(InputError) {
        if scanner.current == 0x6E { return try scanner.scan(.null) }
        switch slot {
        case .arm: event.armHash = try readTextHash(&scanner, takesInteger: true)
        case .experimentID: event.experimentHash = try readTextHash(&scanner, takesInteger: true)
        default:
            let start = scanner.position
            event.propensity = try readDouble(&scanner)
            guard event.propensity > 0, event.propensity <= 1 else {
                throw InputError(.propensityOutOfRange, position: start)
            }
        }
    }

    /// Reads the object at the scanner's position and returns where it ends.
    @inline(never)
    func readProperties(
        _ start: JSONScanner, fields: UnsafeMutableBufferPointer<FieldValue>
    ) throws(InputError) -> Int {
        var scanner = start
        guard scanner.current == 0x7B else { throw try scanner.typeFault() }
        let message = message.pointee
        var state = properties.start
        while true {
            let index = try properties.next(&scanner, &state)
            guard index >= 0 else {
                if index == NameTable.closed { return scanner.position }
                try skipUnknown(&scanner, depth: 2)
                continue
            }
            let place = propertyFields[index]
            guard lastSeen[index] != message else { throw duplicate(.schemaField(place), scanner) }
            lastSeen[index] = message
            let expects = expectations[place]
            if predicts, takeValue(&scanner, expects: expects, into: &fields[place]) || scanner.take(.null) { continue }
            var general = scanner
            general.skipWhitespace()
            do throws(InputError) {
                fields[place] = try readValue(&general, expects: expects, place: place)
            } catch {
                throw error.concerning(.schemaField(place))
            }
            scanner.position = general.position
        }
    }
}
