import Base
import JSON

/// Values as producers commonly write them. Each of these functions takes a value that it knows to be valid and of the right
/// type, or takes nothing and gives false: then the general path decides what it is.
extension EventReader {
    /// - Throws: what is wrong inside a member that is an object.
    //
    // Transparent, since Swift 6.3 leaves a function of this size out of line in spite of `@inline(__always)`, and the scanner
    // in memory: 370 instructions an event for this one and `takeValue`.
    @_transparent
    func takeMember(
        _ slot: EventSlot, _ scanner: inout JSONScanner, into event: inout Event,
        fields: UnsafeMutableBufferPointer<FieldValue>, arena: ByteBuffer
    ) throws(InputError) -> Bool {
        switch slot {
        case .id: return takeID(&scanner, into: &event)
        case .userID: return takeUser(&scanner, into: &event, arena: arena)
        case .type: return takeType(&scanner, into: &event)
        case .time: return takeTime(&scanner, into: &event)
        case .campaignID, .channel, .currency:
            guard let text = scanner.plainText(), text.count <= limits.maxTextBytes else { return false }
            scanner.take(text)
            let place = slotFields[Int(slot.rawValue)]
            if place >= 0 { fields[place] = FieldValue(textHash: text.hash) }
        case .value:
            guard let number = scanner.takeNumber() else { return false }
            store(FieldValue(number), of: slot, in: fields)
        case .treatment:
            guard scanner.current == 0x7B else { return false }
            scanner.position = try readTreatment(scanner, into: &event)
        case .properties:
            guard scanner.current == 0x7B else { return false }
            scanner.position = try readProperties(scanner, fields: fields)
        case .experimentID, .arm, .propensity: return false
        }
        return true
    }

    @inline(__always)
    private func takeID(_ scanner: inout JSONScanner, into event: inout Event) -> Bool {
        guard let text = scanner.plainText(), text.count <= limits.maxTextBytes else { return false }
        scanner.take(text)
        event.idHash = text.hash
        event.hasID = true
        return true
    }

    @inline(__always)
    private func takeUser(_ scanner: inout JSONScanner, into event: inout Event, arena: ByteBuffer) -> Bool {
        guard let text = scanner.plainText(), text.count > 0, text.count <= limits.maxUserIDBytes else { return false }
        scanner.take(text)
        event.user = Event.Text(
            start: UInt32(truncatingIfNeeded: arena.count), count: UInt32(truncatingIfNeeded: text.count),
            needsEscape: false)
        event.userHash = text.hash
        arena.append(text)
        return true
    }

    /// A type that the schema knows.
    @inline(__always)
    private func takeType(_ scanner: inout JSONScanner, into event: inout Event) -> Bool {
        guard let text = scanner.plainText(), text.count < 16 else { return false }
        let number = types.find(text)
        guard number >= 0 else { return false }
        scanner.take(text)
        event.type = UInt8(truncatingIfNeeded: number)
        event.typeText = typeTexts[number]
        return true
    }

    @inline(__always)
    private func takeTime(_ scanner: inout JSONScanner, into event: inout Event) -> Bool {
        guard scanner.position &+ 26 <= scanner.count, scanner.base[scanner.position] == 0x22 else { return false }
        var length = 0
        let text = UnsafeRawPointer(scanner.base + (scanner.position &+ 1))
        guard let time = recentDate.pointee.time(text, length: &length) else { return false }
        scanner.position &+= length &+ 2
        event.time = time
        return true
    }

    @inline(__always)
    func takeTreatmentMember(_ slot: EventSlot, _ scanner: inout JSONScanner, into event: inout Event) -> Bool {
        if slot == .propensity {
            var after = scanner
            guard let number = after.takeNumber(), number > 0, number <= 1 else { return false }
            scanner.position = after.position
            event.propensity = number
            return true
        }
        guard let text = scanner.plainText(), text.count <= limits.maxTextBytes else { return false }
        scanner.take(text)
        let hash = text.hash
        if slot == .arm { event.armHash = hash } else { event.experimentHash = hash }
        return true
    }

    /// The value of a property that a feature reads.
    @_transparent
    func takeValue(
        _ scanner: inout JSONScanner, expects: EventSchema.Expectation, into value: inout FieldValue
    ) -> Bool {
        let first = scanner.current
        if first == 0x22 {
            guard expects != .number, let text = scanner.plainText() else { return false }
            scanner.take(text)
            value = FieldValue(textHash: text.hash)
            return true
        }
        guard expects != .text else { return false }
        if first &- 0x30 <= 9 || first == 0x2D {
            guard let number = scanner.takeNumber() else { return false }
            value = FieldValue(number)
            return true
        }
        guard let truth = scanner.takeTruth() else { return false }
        value = FieldValue(kind: .bool, payload: truth)
        return true
    }
}

extension ByteBuffer {
    /// Appends a text's bytes.
    @inline(__always)
    func append(_ text: JSONScanner.PlainText) {
        guard text.count <= 16 else { return append(text.bytes) }
        // Sixteen bytes at once, whatever follows the text: the next text takes the rest's place.
        let out = UnsafeMutableRawPointer(reserve(16))
        out.storeBytes(of: text.base.loadUnaligned(as: UInt64.self), as: UInt64.self)
        out.storeBytes(
            of: text.base.loadUnaligned(fromByteOffset: 8, as: UInt64.self), toByteOffset: 8, as: UInt64.self)
        advance(text.count)
    }
}
