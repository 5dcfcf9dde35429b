import Tabular

/// Fields of a CSV that we write.
enum CSVText {
    /// A text that a spreadsheet would run as a formula is marked: these tables are made to be looked at.
    static func field(_ text: String) -> String { CSVField.spreadsheet.text(text) }

    /// Empty for nil.
    static func number(_ value: Double?) -> String {
        guard let value, value.isFinite else { return "" }
        if let whole = Int(exactly: value), abs(value) < 0x1p53 { return String(whole) }
        return "\(value)"
    }
}
