import Base
import JSON

extension EventReader {
    /// The user's id: a string, or an integer as its decimal digits.
    @inline(__always)
    func readUser(_ scanner: inout JSONScanner, into event: inout Event, arena: ByteBuffer) throws(InputError) {
        let start = arena.count
        if scanner.current == 0x22 {
            let text = try scanner.scanString()
            guard text.end > text.start else { throw InputError(.userIDEmpty, position: text.start) }
            let bytes = scanner.decoded(text, scratch)
            guard bytes.count <= limits.maxUserIDBytes else { throw InputError(.userIDTooLong, position: text.start) }
            arena.append(bytes)
            event.userHash = StableHash.hash(bytes)
            event.user = Event.Text(
                start: UInt32(truncatingIfNeeded: start), count: UInt32(truncatingIfNeeded: bytes.count),
                needsEscape: text.hasEscape && ByteBuffer.needsEscape(bytes))
        } else {
            arena.append(try readInteger(&scanner))
            event.user = Event.Text(arena, from: start)
            event.userHash = StableHash.hash(arena.bytes(start..<arena.count))
        }
    }

    @inline(__always)
    func readType(_ scanner: inout JSONScanner, into event: inout Event, arena: ByteBuffer) throws(InputError) {
        guard scanner.current == 0x22 else { throw try scanner.typeFault() }
        let text = try scanner.scanString()
        guard text.end > text.start else { throw InputError(.missingField, position: text.start) }
        let bytes = scanner.decoded(text, scratch)
        let number = types.find(bytes)
        if number >= 0 {
            event.type = UInt8(truncatingIfNeeded: number)
            event.typeText = typeTexts[number]
            return
        }
        guard bytes.count <= limits.maxTextBytes else { throw InputError(.textTooLong, position: text.start) }
        let start = arena.count
        arena.append(bytes)
        event.type = Event.unknownType
        event.typeText = Event.Text(arena, from: start)
    }

    /// Event time: RFC 3339 text, or whole milliseconds.
    @inline(__always)
    func readTime(_ scanner: inout JSONScanner) throws(InputError) -> Int64 {
        let start = scanner.position
        let time: Int64
        if scanner.current == 0x22 {
            let text = try scanner.scanString()
            let bytes = scanner.decoded(text, scratch)
            guard let parsed = RFC3339.parse(bytes) else {
                throw InputError(.invalidTime, position: start)
            }
            time = parsed
            if predicts, EventLimits.timeRange.contains(time) { recentDate.pointee.learn(bytes, time) }
        } else {
            guard scanner.isAtNumber else { throw try scanner.typeFault() }
            let number = try scanner.scanNumber()
            guard number.isInteger else { throw InputError(.invalidTime, position: start) }
            guard let integer = scanner.integer(number) else { throw InputError(.timeOutOfRange, position: start) }
            time = integer
        }
        guard EventLimits.timeRange.contains(time) else { throw InputError(.timeOutOfRange, position: start) }
        return time
    }

    func readInteger(_ scanner: inout JSONScanner) throws(InputError) -> Int64 {
        guard scanner.isAtNumber else { throw try scanner.typeFault() }
        let start = scanner.position
        let number = try scanner.scanNumber()
        guard number.isInteger else { throw InputError(.fieldType, position: start) }
        guard let integer = scanner.integer(number) else { throw InputError(.numberOutOfRange, position: start) }
        return integer
    }

    @inline(__always)
    func readDouble(_ scanner: inout JSONScanner) throws(InputError) -> Double {
        guard scanner.isAtNumber else { throw try scanner.typeFault() }
        if let number = scanner.scanShortNumber() { return number }
        return try readLongNumber(&scanner)
    }

    @inline(never)
    private func readLongNumber(_ scanner: inout JSONScanner) throws(InputError) -> Double {
        let number = try scanner.scanNumber()
        return try scanner.double(number)
    }

    /// The hash of a decoded text; an integer, where it is taken, counts as its digits.
    @inline(__always)
    func readTextHash(_ scanner: inout JSONScanner, takesInteger: Bool = false) throws(InputError) -> UInt64 {
        guard scanner.current == 0x22 else {
            guard takesInteger else { throw try scanner.typeFault() }
            return try readDigitsHash(&scanner)
        }
        let text = try scanner.scanString()
        let bytes = scanner.decoded(text, scratch)
        guard bytes.count <= limits.maxTextBytes else { throw InputError(.textTooLong, position: text.start) }
        return StableHash.hash(bytes)
    }

    @inline(never)
    private func readDigitsHash(_ scanner: inout JSONScanner) throws(InputError) -> UInt64 {
        let number = try readInteger(&scanner)
        scratch.removeAll()
        scratch.append(number)
        return StableHash.hash(scratch.bytes)
    }

    /// A property that a feature reads; `null` is missing. So is a value of a kind that the feature cannot use, which is
    /// counted: one producer's slip must not cost the user the event.
    @inline(never)
    func readValue(
        _ scanner: inout JSONScanner, expects: EventSchema.Expectation, place: Int
    ) throws(InputError) -> FieldValue {
        switch scanner.current {
        case 0x22:
            let text = try scanner.scanString()
            guard expects != .number else { return noUse(place) }
            return FieldValue(textHash: StableHash.hash(scanner.decoded(text, scratch)))
        case 0x6E:
            try scanner.scan(.null)
            return .missing
        case 0x74:
            try scanner.scan(.true)
            return expects == .text ? noUse(place) : FieldValue(true)
        case 0x66:
            try scanner.scan(.false)
            return expects == .text ? noUse(place) : FieldValue(false)
        case 0x7B, 0x5B:
            try scanner.skipValue(depth: 2)
            return noUse(place)
        default:
            return try readNumber(&scanner, expects: expects, place: place)
        }
    }

    private func readNumber(
        _ scanner: inout JSONScanner, expects: EventSchema.Expectation, place: Int
    ) throws(InputError) -> FieldValue {
        guard scanner.isAtNumber else { throw try scanner.typeFault() }
        let number = try scanner.scanNumber()
        guard expects != .text else { return noUse(place) }
        let isID = expects == .any && number.isInteger && number.digits >= 16
        if isID, number.digits > 16 || number.mantissa >= FieldValue.firstInexactInteger {
            // As a double, neighbours would be one value: where it is not only added up, it is an id, and counts as its
            // digits, as an integer in campaign_id does.
            let digits = UnsafeRawBufferPointer(start: scanner.base + number.start, count: number.end - number.start)
            return FieldValue(textHash: StableHash.hash(digits))
        }
        do throws(InputError) { return FieldValue(try scanner.double(number)) } catch { return noUse(place) }
    }

    /// A member that is a number; of any other kind, or a number that no double holds, it is missing, and counted.
    @inline(never)
    func readNumberMember(_ scanner: inout JSONScanner, _ slot: EventSlot) throws(InputError) -> FieldValue {
        let place = slotFields[Int(slot.rawValue)]
        guard scanner.isAtNumber else {
            try scanner.skipValue(depth: 1)
            return noUse(place)
        }
        let number = try scanner.scanNumber()
        do throws(InputError) { return FieldValue(try scanner.double(number)) } catch { return noUse(place) }
    }

    /// A member that is a text, `campaign_id` also an integer, which counts as its digits; of any other kind it is missing,
    /// and counted.
    @inline(never)
    func readTextMember(_ scanner: inout JSONScanner, _ slot: EventSlot) throws(InputError) -> FieldValue {
        if scanner.current == 0x22 { return FieldValue(textHash: try readTextHash(&scanner)) }
        let start = scanner
        if slot == .campaignID, scanner.isAtNumber {
            do throws(InputError) {
                return FieldValue(textHash: try readTextHash(&scanner, takesInteger: true))
            } catch { scanner = start }
        }
        try scanner.skipValue(depth: 1)
        return noUse(slotFields[Int(slot.rawValue)])
    }

    /// - Parameter place: the field's; −1 when no feature reads it.
    private func noUse(_ place: Int) -> FieldValue {
        if place >= 0 { unusable[place] &+= 1 }
        return .missing
    }
}

extension Event.Text {
    /// What was appended to the arena since it held `start` bytes.
    init(_ arena: ByteBuffer, from start: Int) {
        let bytes = arena.bytes(start..<arena.count)
        self.start = UInt32(truncatingIfNeeded: start)
        count = UInt32(truncatingIfNeeded: bytes.count)
        needsEscape = ByteBuffer.needsEscape(bytes)
    }
}
