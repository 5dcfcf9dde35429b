import Tabular

/// A field of a CSV as a feature: a float32, missing, or why not.
enum CSVNumber: Equatable {
    case value(Float)
    /// Empty, `NA`, `NaN`, `null` or `none`.
    case missing
    case notANumber
    case outOfRange

    /// The number is read as a double and rounded once more to float32, as every other way into the engine does.
    static func read(_ text: UnsafeRawBufferPointer, _ field: CSVRecord.Field) -> CSVNumber {
        switch CSVDouble.read(text, field) {
        case .value(let value):
            let float = Float(value)
            return float.isFinite ? .value(float) : .outOfRange
        case .missing: return .missing
        case .notANumber: return .notANumber
        case .outOfRange: return .outOfRange
        }
    }
}
