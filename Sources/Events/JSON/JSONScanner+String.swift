extension JSONScanner {
    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let highs: UInt64 = 0x8080_8080_8080_8080

    /// Non-zero high bits where a byte ends the plain run: a quote, a backslash, a control, or a byte beyond ASCII.
    @inline(__always)
    private static func stops(_ word: UInt64) -> UInt64 {
        let quote = word ^ (ones &* 0x22)
        let backslash = word ^ (ones &* 0x5C)
        let isQuote = (quote &- ones) & ~quote
        let isBackslash = (backslash &- ones) & ~backslash
        let isControl = (word &- (ones &* 0x20)) & ~word
        return (isQuote | isBackslash | isControl | word) & highs
    }

    /// A string whose opening quote is the current byte; afterwards the position is behind the closing quote.
    @inline(__always)
    package mutating func scanString() throws(EventError) -> Text {
        try expect(0x22)
        let start = position
        while position &+ 8 <= count {
            let found = Self.stops(word(position))
            if found == 0 {
                position &+= 8
                continue
            }
            position &+= found.trailingZeroBitCount >> 3
            if current == 0x22 {
                position &+= 1
                return Text(start: start, end: position &- 1, hasEscape: false)
            }
            break
        }
        return try scanStringSlowly(from: start)
    }

    /// The general path, a byte at a time: escapes, UTF-8 beyond ASCII, the end of the message.
    private mutating func scanStringSlowly(from start: Int) throws(EventError) -> Text {
        var hasEscape = false
        while position < count {
            switch base[position] {
            case 0x22:
                position += 1
                return Text(start: start, end: position - 1, hasEscape: hasEscape)
            case 0x5C:
                hasEscape = true
                try scanEscape()
            case 0..<0x20:
                throw fault()
            case 0x20..<0x80:
                position += 1
            default:
                try scanMultibyte()
            }
        }
        throw fault()
    }

    /// One UTF-8 sequence of two to four bytes (RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF).
    private mutating func scanMultibyte() throws(EventError) {
        let first = byte(position), second = byte(position + 1)
        let length: Int
        let secondIsFit: Bool
        switch first {
        case 0xC2...0xDF: (length, secondIsFit) = (2, second & 0xC0 == 0x80)
        case 0xE0: (length, secondIsFit) = (3, (0xA0...0xBF).contains(second))
        case 0xED: (length, secondIsFit) = (3, (0x80...0x9F).contains(second))
        case 0xE1...0xEF: (length, secondIsFit) = (3, second & 0xC0 == 0x80)
        case 0xF0: (length, secondIsFit) = (4, (0x90...0xBF).contains(second))
        case 0xF4: (length, secondIsFit) = (4, (0x80...0x8F).contains(second))
        case 0xF1...0xF3: (length, secondIsFit) = (4, second & 0xC0 == 0x80)
        default: throw fault(.invalidUTF8)
        }
        let thirdIsFit = length < 3 || byte(position + 2) & 0xC0 == 0x80
        let fourthIsFit = length < 4 || byte(position + 3) & 0xC0 == 0x80
        guard secondIsFit, thirdIsFit, fourthIsFit else { throw fault(.invalidUTF8) }
        position += length
    }

    private mutating func scanEscape() throws(EventError) {
        switch byte(position + 1) {
        case 0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74:
            position += 2
        case 0x75:
            let unit = try hexadecimalUnit(position + 2)
            if unit & 0xFC00 == 0xDC00 { throw fault(.invalidUTF8) }
            position += 6
            guard unit & 0xFC00 == 0xD800 else { return }
            guard byte(position) == 0x5C, byte(position + 1) == 0x75,
                try hexadecimalUnit(position + 2) & 0xFC00 == 0xDC00
            else { throw fault(.invalidUTF8) }
            position += 6
        default:
            throw fault()
        }
    }

    private func hexadecimalUnit(_ index: Int) throws(EventError) -> UInt32 {
        var unit: UInt32 = 0
        for i in index..<index + 4 {
            let c = byte(i)
            switch c {
            case 0x30...0x39: unit = unit << 4 | UInt32(c - 0x30)
            case 0x41...0x46: unit = unit << 4 | UInt32(c - 0x37)
            case 0x61...0x66: unit = unit << 4 | UInt32(c - 0x57)
            default: throw EventError(.invalidJSON, position: i)
            }
        }
        return unit
    }

    /// Appends the text's decoded UTF-8 bytes; the text was scanned, so its escapes are valid.
    package func decode(_ text: Text, into buffer: ByteBuffer) {
        guard text.hasEscape else {
            return buffer.append(UnsafeRawBufferPointer(start: base + text.start, count: text.end - text.start))
        }
        var i = text.start
        while i < text.end {
            guard base[i] == 0x5C else {
                buffer.append(base[i])
                i += 1
                continue
            }
            let kind = byte(i + 1)
            i += 2
            switch kind {
            case 0x62: buffer.append(0x08 as UInt8)
            case 0x66: buffer.append(0x0C as UInt8)
            case 0x6E: buffer.append(0x0A as UInt8)
            case 0x72: buffer.append(0x0D as UInt8)
            case 0x74: buffer.append(0x09 as UInt8)
            case 0x75: decodeUnit(&i, into: buffer)
            default: buffer.append(kind)
            }
        }
    }

    private func decodeUnit(_ i: inout Int, into buffer: ByteBuffer) {
        var scalar = (try? hexadecimalUnit(i)) ?? 0xFFFD
        i += 4
        if scalar & 0xFC00 == 0xD800 {
            let low = (try? hexadecimalUnit(i + 2)) ?? 0xDC00
            scalar = 0x1_0000 + (scalar & 0x3FF) << 10 + (low & 0x3FF)
            i += 6
        }
        for byte in String(UnicodeScalar(scalar) ?? "\u{FFFD}").utf8 { buffer.append(byte) }
    }
}
