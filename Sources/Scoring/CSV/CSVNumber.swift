import CNumeric

/// A field of a CSV as a feature: a float32, missing, or why not.
package enum CSVNumber: Equatable {
    case value(Float)
    /// Empty, `NA` or `NaN`.
    case missing
    case notANumber
    case outOfRange

    /// Reads a field. Spaces around it are passed over; `true` and `false` (pandas writes its dummies so) are 1 and 0.
    ///
    /// The number is read as a double and rounded once more to float32, as every other way into the engine does.
    package static func read(_ text: UnsafeRawBufferPointer, _ field: CSVRecord.Field) -> CSVNumber {
        var (start, end) = (field.start, field.end)
        while start < end, text[start] == 0x20 || text[start] == 0x09 { start += 1 }
        while start < end, text[end - 1] == 0x20 || text[end - 1] == 0x09 { end -= 1 }
        guard start < end, let base = text.baseAddress else { return .missing }
        // A plus sign is a number's to every spreadsheet, though not to from_chars.
        if text[start] == UInt8(ascii: "+"), start + 1 < end, text[start + 1] != UInt8(ascii: "-") { start += 1 }
        let last = text[start] | 0x20
        // from_chars reads `nan`, `inf` and `infinity`; only digits, signs and points may start a number here.
        guard last < UInt8(ascii: "a") else { return word(text, start, end) }
        var value = 0.0
        let bytes = (base + start).assumingMemoryBound(to: CChar.self)
        switch cnumeric_read_double(bytes, end - start, &value) {
        case 0:
            guard value.isFinite else { return .notANumber }
            let float = Float(value)
            return float.isFinite ? .value(float) : .outOfRange
        case 2: return .outOfRange
        default: return .notANumber
        }
    }

    private static let words: [(StaticString, CSVNumber)] = [
        ("na", .missing), ("nan", .missing), ("true", .value(1)), ("false", .value(0)),
    ]

    private static func word(_ text: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> CSVNumber {
        for (word, number) in words where word.utf8CodeUnitCount == end - start {
            let letters = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
            if zip(letters, text[start..<end]).allSatisfy({ $0 == $1 | 0x20 }) { return number }
        }
        return .notANumber
    }
}
