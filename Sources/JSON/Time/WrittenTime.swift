/// A time as a person writes it on a command line.
public enum WrittenTime {
    /// Reads RFC 3339, and shorter forms of it: a day alone is its midnight, seconds and zone may be left out; without a
    /// zone it is UTC.
    ///
    /// - Returns: milliseconds since 1970; nil for anything else.
    public static func milliseconds(_ text: String) -> Int64? {
        for candidate in [text, text + "Z", text + ":00Z", text + "T00:00:00Z", withSeconds(text)].compactMap({ $0 }) {
            if let time = Array(candidate.utf8).withUnsafeBytes({ RFC3339.parse($0) }) { return time }
        }
        return nil
    }

    /// `2026-11-28T10:00Z` and `2026-11-28T10:00+02:00` with their seconds.
    private static func withSeconds(_ text: String) -> String? {
        let day = "2026-11-28T10:00".count
        guard text.count > day else { return nil }
        let place = text.index(text.startIndex, offsetBy: day)
        guard "Zz+-".contains(text[place]) else { return nil }
        return text[..<place] + ":00" + text[place...]
    }

    /// What to write, for messages.
    public static let forms = "2026-11-28, 2026-11-28T10:00:00Z, or milliseconds since 1970"
}
