extension ByteBuffer {
    /// Whether the bytes can stand between quotes in JSON as they are.
    static func needsEscape(_ bytes: UnsafeRawBufferPointer) -> Bool {
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
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\""): append(#"\""#)
            case UInt8(ascii: "\\"): append(#"\\"#)
            case 0x08: append(#"\b"#)
            case 0x0C: append(#"\f"#)
            case 0x0A: append(#"\n"#)
            case 0x0D: append(#"\r"#)
            case 0x09: append(#"\t"#)
            case 0..<0x20:
                append(#"\u00"#)
                append(Self.hexadecimal(byte >> 4))
                append(Self.hexadecimal(byte & 15))
            default: append(byte)
            }
        }
    }

    private static func hexadecimal(_ digit: UInt8) -> UInt8 {
        digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
    }
}
