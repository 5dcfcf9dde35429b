/// Fields of a CSV that we write.
enum CSVText {
    /// Quoted where RFC 4180 asks for it. A text that a spreadsheet would run as a formula gets a quote before it.
    static func field(_ text: String) -> String {
        var safe = text
        if let first = text.utf8.first, [0x3D, 0x2B, 0x40, 0x2D, 0x09, 0x0D].contains(first) { safe = "'" + text }
        guard safe.utf8.contains(where: { $0 == 0x2C || $0 == 0x22 || $0 == 0x0A || $0 == 0x0D }) else { return safe }
        return "\"" + safe.replacing("\"", with: "\"\"") + "\""
    }

    /// Empty for nil.
    static func number(_ value: Double?) -> String {
        guard let value, value.isFinite else { return "" }
        if let whole = Int(exactly: value), abs(value) < 0x1p53 { return String(whole) }
        return "\(value)"
    }
}
