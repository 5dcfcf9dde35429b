/// Names in a message, not more of them than a line can take.
public enum NameList {
    /// `a, b, c and 19,990 others`: the first ten when there are more.
    public static func text(_ names: [String], quoted: Bool = false, limit: Int = 10) -> String {
        let shown = names.prefix(names.count > limit + 1 ? limit : names.count)
            .map { name in
                let cut = name.count > 60 ? "\(name.prefix(60))…" : name
                return quoted ? "\"\(cut)\"" : cut
            }
        let rest = names.count - shown.count
        return shown.joined(separator: ", ") + (rest > 0 ? " and \(rest) others" : "")
    }
}
