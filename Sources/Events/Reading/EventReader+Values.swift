extension EventReader {
    /// The user's id: a string, or an integer as its decimal digits.
    func readUser(_ scanner: inout JSONScanner, arena: ByteBuffer, hash: inout UInt64) throws(EventError) -> Event.Text
    {
        let start = arena.count
        if scanner.current == 0x22 {
            let text = try scanner.scanString()
            guard text.end > text.start else { throw EventError(.userIDEmpty, position: text.start) }
            // An escape of one byte takes six at most.
            guard text.end - text.start <= limits.maxUserIDBytes * 6 else {
                throw EventError(.userIDTooLong, position: text.start)
            }
            scanner.decode(text, into: arena)
            guard arena.count - start <= limits.maxUserIDBytes else {
                throw EventError(.userIDTooLong, position: text.start)
            }
        } else {
            arena.append(try readInteger(&scanner))
        }
        let bytes = arena.bytes(start..<arena.count)
        hash = StableHash.hash(bytes.bytes)
        return Self.text(from: start, bytes)
    }

    func readType(_ scanner: inout JSONScanner, into event: inout Event, arena: ByteBuffer) throws(EventError) {
        guard scanner.current == 0x22 else { throw try scanner.typeFault() }
        let text = try scanner.scanString()
        guard text.end > text.start else { throw EventError(.missingField, position: text.start) }
        guard text.end - text.start <= limits.maxTextBytes else { throw EventError(.textTooLong, position: text.start) }
        let start = arena.count
        scanner.decode(text, into: arena)
        let bytes = arena.bytes(start..<arena.count)
        event.typeText = Self.text(from: start, bytes)
        let decoded = JSONScanner(bytes, maxDepth: 1)
        let whole = JSONScanner.Text(start: 0, end: bytes.count, hasEscape: false)
        let number = types.find(whole, in: decoded, after: -1)
        event.type = number < 0 ? Event.unknownType : UInt8(number)
    }

    private static func text(from start: Int, _ bytes: UnsafeRawBufferPointer) -> Event.Text {
        Event.Text(
            start: UInt32(start), count: UInt32(bytes.count), needsEscape: ByteBuffer.needsEscape(bytes))
    }

    /// Event time: RFC 3339 text, or whole milliseconds.
    func readTime(_ scanner: inout JSONScanner) throws(EventError) -> Int64 {
        let start = scanner.position
        let time: Int64
        if scanner.current == 0x22 {
            let text = try scanner.scanString()
            guard !text.hasEscape, let parsed = RFC3339.parse(scanner, text) else {
                throw EventError(.invalidTime, position: start)
            }
            time = parsed
        } else {
            guard scanner.isAtNumber else { throw try scanner.typeFault() }
            let number = try scanner.scanNumber()
            guard number.isInteger else { throw EventError(.invalidTime, position: start) }
            guard let integer = scanner.integer(number) else { throw EventError(.timeOutOfRange, position: start) }
            time = integer
        }
        guard EventLimits.timeRange.contains(time) else { throw EventError(.timeOutOfRange, position: start) }
        return time
    }

    func readInteger(_ scanner: inout JSONScanner) throws(EventError) -> Int64 {
        guard scanner.isAtNumber else { throw try scanner.typeFault() }
        let start = scanner.position
        let number = try scanner.scanNumber()
        guard number.isInteger else { throw EventError(.fieldType, position: start) }
        guard let integer = scanner.integer(number) else { throw EventError(.numberOutOfRange, position: start) }
        return integer
    }

    func readDouble(_ scanner: inout JSONScanner) throws(EventError) -> Double {
        guard scanner.isAtNumber else { throw try scanner.typeFault() }
        let number = try scanner.scanNumber()
        return try scanner.double(number)
    }

    /// A property that a feature reads; `null` is missing.
    func readValue(
        _ scanner: inout JSONScanner, expects: EventSchema.Expectation
    ) throws(EventError) -> FieldValue {
        let start = scanner.position
        switch scanner.current {
        case 0x22:
            let text = try scanner.scanString()
            guard expects != .number else { throw EventError(.fieldType, position: start) }
            return FieldValue(textHash: hash(text, in: scanner))
        case 0x6E:
            try scanner.scanLiteral("null")
            return .missing
        case 0x74:
            try scanner.scanLiteral("true")
            guard expects != .text else { throw EventError(.fieldType, position: start) }
            return FieldValue(true)
        case 0x66:
            try scanner.scanLiteral("false")
            guard expects != .text else { throw EventError(.fieldType, position: start) }
            return FieldValue(false)
        default:
            let number = try readDouble(&scanner)
            guard expects != .text else { throw EventError(.fieldType, position: start) }
            return FieldValue(number)
        }
    }
}
