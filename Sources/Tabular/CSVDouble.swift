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
        if let value = simple(text, start, end) { return .value(value) }
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

    /// Whether a text stands for a number that is missing.
    package static func isMissing(_ text: String) -> Bool { missingWords.contains(text.lowercased()) }
    private static let missingWords: Set = ["na", "nan", "null", "none"]

    /// Up to 15 digits with a point or none: both the digits and the power of ten are exact, so one division rounds correctly.
    @inline(__always)
    private static func simple(_ text: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> Double? {
        guard end - start <= 16 else { return nil }
        var (digits, count, point) = (0, 0, -1)
        for at in start..<end {
            let digit = text[at] &- 0x30
            if digit < 10 {
                digits = digits &* 10 &+ Int(digit)
                count += 1
            } else if text[at] == UInt8(ascii: "."), point < 0 {
                point = at
            } else {
                return nil
            }
        }
        guard count > 0, count <= 15 else { return nil }
        return point < 0 ? Double(digits) : Double(digits) / powers[end - point - 1]
    }

    private static let powers: [Double] = (0...16).map { (0..<$0).reduce(1.0) { power, _ in power * 10 } }

    private static func word(_ text: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> CSVDouble {
        switch String(decoding: text[start..<end], as: UTF8.self).lowercased() {
        case let word where missingWords.contains(word): return .missing
        case "true": return .value(1)
        case "false": return .value(0)
        default: return .notANumber
        }
    }
}
