import Base
import CNumeric

extension JSONScanner {
    /// A string whose opening quote is the current byte; afterwards the position is behind the closing quote.
    @inlinable @inline(__always)
    public mutating func scanString() throws(InputError) -> Text {
        try expect(0x22)
        let start = position
        while position &+ 16 <= count {
            let stops = cnumeric_text_stops(base + position)
            if stops == 0 {
                position &+= 16
                continue
            }
            position &+= stops.trailingZeroBitCount
            if base[position] == 0x22 {
                position &+= 1
                return Text(start: start, end: position &- 1, hasEscape: false)
            }
            break
        }
        return try scanStringSlowly(from: start)
    }

    /// The general path: escapes, UTF-8 beyond ASCII, the end of the message.
    @inline(never)
    public mutating func scanStringSlowly(from start: Int) throws(InputError) -> Text {
        var hasEscape = false
        while position < count {
            // Plain runs sixteen bytes at a time, as far as they lie within the text.
            if position &+ 16 <= count {
                let stops = cnumeric_text_stops(base + position)
                position &+= stops == 0 ? 16 : stops.trailingZeroBitCount
                if stops == 0 { continue }
            }
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
    private mutating func scanMultibyte() throws(InputError) {
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

    private mutating func scanEscape() throws(InputError) {
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

    private func hexadecimalUnit(_ index: Int) throws(InputError) -> UInt32 {
        var unit: UInt32 = 0
        for i in index..<index + 4 {
            let c = byte(i)
            switch c {
            case 0x30...0x39: unit = unit << 4 | UInt32(c - 0x30)
            case 0x41...0x46: unit = unit << 4 | UInt32(c - 0x37)
            case 0x61...0x66: unit = unit << 4 | UInt32(c - 0x57)
            default: throw InputError(.invalidJSON, position: i)
            }
        }
        return unit
    }

    /// A text's decoded bytes: the text itself, or decoded into `scratch`, whose content they replace.
    @inlinable @inline(__always)
    public func decoded(_ text: Text, _ scratch: ByteBuffer) -> UnsafeRawBufferPointer {
        guard text.hasEscape else {
            return UnsafeRawBufferPointer(start: base + text.start, count: text.end &- text.start)
        }
        scratch.removeAll()
        decode(text, into: scratch)
        return scratch.bytes
    }

    /// Appends the text's decoded UTF-8 bytes; the text was scanned, so its escapes are valid.
    public func decode(_ text: Text, into buffer: ByteBuffer) {
        guard text.hasEscape else {
            return buffer.append(UnsafeRawBufferPointer(start: base + text.start, count: text.end - text.start))
        }
        // Decoding only shortens: two bytes become one, six at most three, twelve four.
        let out = buffer.reserve(text.end - text.start)
        var written = 0
        var i = text.start
        while i < text.end {
            guard base[i] == 0x5C else {
                out[written] = base[i]
                written += 1
                i += 1
                continue
            }
            let kind = byte(i + 1)
            i += 2
            if kind == 0x75 {
                written += Self.encode(scalar(&i), out + written)
            } else {
                out[written] = Self.control(kind)
                written += 1
            }
        }
        buffer.advance(written)
    }

    /// What the letter after a backslash stands for.
    private static func control(_ letter: UInt8) -> UInt8 {
        switch letter {
        case 0x62: 0x08
        case 0x66: 0x0C
        case 0x6E: 0x0A
        case 0x72: 0x0D
        case 0x74: 0x09
        default: letter
        }
    }

    /// The scalar whose four hexadecimal digits begin at `i`, together with its low surrogate.
    private func scalar(_ i: inout Int) -> UInt32 {
        var scalar = (try? hexadecimalUnit(i)) ?? 0xFFFD
        i += 4
        if scalar & 0xFC00 == 0xD800 {
            let low = (try? hexadecimalUnit(i + 2)) ?? 0xDC00
            scalar = 0x1_0000 + (scalar & 0x3FF) << 10 + (low & 0x3FF)
            i += 6
        }
        return scalar
    }

    /// Writes a scalar as UTF-8 (RFC 3629) and returns how many bytes it took, four at most.
    private static func encode(_ scalar: UInt32, _ out: UnsafeMutablePointer<UInt8>) -> Int {
        func tail(_ shift: UInt32) -> UInt8 { 0x80 | UInt8(truncatingIfNeeded: scalar >> shift & 0x3F) }
        switch scalar {
        case 0..<0x80:
            out[0] = UInt8(truncatingIfNeeded: scalar)
            return 1
        case 0x80..<0x800:
            out[0] = 0xC0 | UInt8(truncatingIfNeeded: scalar >> 6)
            out[1] = tail(0)
            return 2
        case 0x800..<0x1_0000:
            out[0] = 0xE0 | UInt8(truncatingIfNeeded: scalar >> 12)
            out[1] = tail(6)
            out[2] = tail(0)
            return 3
        default:
            out[0] = 0xF0 | UInt8(truncatingIfNeeded: scalar >> 18)
            out[1] = tail(12)
            out[2] = tail(6)
            out[3] = tail(0)
            return 4
        }
    }
}
