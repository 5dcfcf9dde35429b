import CNumeric

/// Reads a field of a CSV as a double.
package enum CSVDouble: Equatable {
    case value(Double)
    /// Empty, `NA`, `NaN` or `null`.
    case missing
    case notANumber
    case outOfRange

    /// Spaces around the number are passed over; `true` and `false` are 1 and 0.
    package static func read(_ text: UnsafeRawBufferPointer, _ field: CSVRecord.Field) -> CSVDouble {
        var (start, end) = (field.start, field.end)
        while start < end, text[start] == 0x20 || text[start] == 0x09 { start += 1 }
        while start < end, text[end - 1] == 0x20 || text[end - 1] == 0x09 { end -= 1 }
        guard start < end, let base = text.baseAddress else { return .missing }
        // A single digit is most of an outcome or treatment column.
        if end - start == 1, text[start] >= 0x30, text[start] <= 0x39 { return .value(Double(text[start] - 0x30)) }
        if text[start] == UInt8(ascii: "+"), start + 1 < end, text[start + 1] != UInt8(ascii: "-") { start += 1 }
        // from_chars reads `nan`, `inf` and `infinity`; only a digit, a sign or a point starts a number here.
        guard text[start] | 0x20 < UInt8(ascii: "a") else { return word(text, start, end) }
        var value = 0.0
        let bytes = (base + start).assumingMemoryBound(to: CChar.self)
        switch cnumeric_read_double(bytes, end - start, &value) {
        case 0: return value.isFinite ? .value(value) : .notANumber
        case 2: return .outOfRange
        default: return .notANumber
        }
    }

    private static func word(_ text: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> CSVDouble {
        switch String(decoding: text[start..<end], as: UTF8.self).lowercased() {
        case "na", "nan", "null", "none": return .missing
        case "true": return .value(1)
        case "false": return .value(0)
        default: return .notANumber
        }
    }
}
