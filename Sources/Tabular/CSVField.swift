import Base

/// How texts become fields of a CSV that we write (RFC 4180).
package enum CSVField: Sendable {
    case plain
    /// A text that a spreadsheet would run as a formula gets a single quote before it, which spreadsheets take off.
    case spreadsheet

    /// Whether a spreadsheet would run the text. Numbers are none, whatever their sign.
    package static func isFormula(_ bytes: UnsafeRawBufferPointer) -> Bool {
        // Blanks before the sign do not keep all spreadsheets from it.
        let text = bytes.drop { $0 == 0x20 }
        switch text.first {
        case UInt8(ascii: "="), UInt8(ascii: "@"), 0x09, 0x0A, 0x0D: return true
        case UInt8(ascii: "+"), UInt8(ascii: "-"):
            return Double(String(decoding: text, as: UTF8.self))?.isFinite != true
        default:
            // The same signs in full width, U+FF1D and its like.
            return text.starts(with: [0xEF, 0xBC]) && [0x9D, 0xA0, 0x8B, 0x8D].contains(text.dropFirst(2).first)
        }
    }

    /// Appends a field, in quotes when the text needs them.
    package func append(_ bytes: UnsafeRawBufferPointer, _ out: (UnsafeRawBufferPointer) -> Void) {
        let isMarked = self == .spreadsheet && Self.isFormula(bytes)
        let isSpecial: (UInt8) -> Bool = { $0 == 0x2C || $0 == 0x22 || $0 == 0x0A || $0 == 0x0D }
        guard isMarked || bytes.contains(where: isSpecial) else { return out(bytes) }
        var field: [UInt8] = [UInt8(ascii: "\"")]
        if isMarked { field.append(UInt8(ascii: "'")) }
        for byte in bytes {
            if byte == UInt8(ascii: "\"") { field.append(byte) }
            field.append(byte)
        }
        field.append(UInt8(ascii: "\""))
        field.withUnsafeBytes(out)
    }

    package func append(_ bytes: UnsafeRawBufferPointer, to out: ByteBuffer) { append(bytes) { out.append($0) } }

    package func append(_ text: String, to out: inout [UInt8]) {
        var text = text
        text.withUTF8 { bytes in append(UnsafeRawBufferPointer(bytes)) { out += $0 } }
    }

    /// The field of a text.
    package func text(_ text: String) -> String {
        var field: [UInt8] = []
        append(text, to: &field)
        return String(decoding: field, as: UTF8.self)
    }
}
