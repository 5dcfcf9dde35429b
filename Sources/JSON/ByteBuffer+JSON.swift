import Base
import CNumeric

extension ByteBuffer {
    /// Whether the bytes can not stand between quotes in JSON as they are.
    public static func needsEscape(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.contains { $0 < 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") }
    }

    /// A quoted JSON string of UTF-8 bytes (RFC 8259, section 7).
    /// - Parameter needsEscape: false when the caller knows that nothing must be escaped.
    public func appendJSONString(_ bytes: UnsafeRawBufferPointer, needsEscape: Bool = true) {
        append(UInt8(ascii: "\""))
        if needsEscape { appendEscaped(bytes) } else { append(bytes) }
        append(UInt8(ascii: "\""))
    }

    /// A quoted JSON string. For set-up, not for the hot path.
    public func appendJSONString(_ text: String) {
        var text = text
        text.withUTF8 { appendJSONString(UnsafeRawBufferPointer($0)) }
    }

    private func appendEscaped(_ bytes: UnsafeRawBufferPointer) {
        advance(reserve(bytes.count * 6 + 16).writeEscaped(bytes))
    }
}

extension UnsafeMutablePointer<UInt8> {
    /// Writes UTF-8 bytes as they stand between the quotes of a JSON string and returns their length.
    ///
    /// There must be room for six times their count (the longest escape, `\u001f`) and 16 more: plain runs are copied
    /// sixteen bytes at a time.
    public func writeEscaped(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard let base = bytes.baseAddress else { return 0 }
        var written = 0
        var i = 0
        while i < bytes.count {
            if i + 16 <= bytes.count {
                UnsafeMutableRawPointer(self + written).copyMemory(from: base + i, byteCount: 16)
                let stops = cnumeric_text_stops(base + i)
                let plain = stops == 0 ? 16 : stops.trailingZeroBitCount
                written += plain
                i += plain
                if plain == 16 { continue }
            }
            written += Self.writeEscaped(bytes[i], to: self + written)
            i += 1
        }
        return written
    }

    /// Writes one byte as it stands in a JSON string and returns its length, six at most.
    private static func writeEscaped(_ byte: UInt8, to out: UnsafeMutablePointer<UInt8>) -> Int {
        let short: UInt8
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): short = byte
        case 0x08: short = UInt8(ascii: "b")
        case 0x0C: short = UInt8(ascii: "f")
        case 0x0A: short = UInt8(ascii: "n")
        case 0x0D: short = UInt8(ascii: "r")
        case 0x09: short = UInt8(ascii: "t")
        case 0..<0x20:
            UnsafeMutableRawPointer(out).copyMemory(from: StaticString("\\u00").utf8Start, byteCount: 4)
            out[4] = 0x30 + byte >> 4
            let digit = byte & 15
            out[5] = digit < 10 ? 0x30 + digit : 0x57 + digit
            return 6
        default:
            out[0] = byte
            return 1
        }
        out[0] = UInt8(ascii: "\\")
        out[1] = short
        return 2
    }
}
