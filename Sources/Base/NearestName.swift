/// Finds the known name a person probably meant: for unknown options, configuration keys, features, commands.
public enum NearestName {
    /// Longer names are not a slip of the hand, and comparing them takes time by the square of their length.
    private static let longest = 64

    /// The candidate with the least edit distance to `name` when it is near enough to be a slip of the hand
    /// (at most a third of the longer name, at least one), or one that `name` abbreviates; the first of equals.
    public static func find(_ name: String, among candidates: some Sequence<String>) -> String? {
        let wanted = Array(name.utf8)
        guard wanted.count <= longest else { return nil }
        var best: (name: String, distance: Int)?
        for candidate in candidates {
            let length = candidate.utf8.count
            if length > longest { continue }
            let isAbbreviated = wanted.count >= 3 && candidate.utf8.starts(with: wanted)
            let allowed = min(max(1, max(wanted.count, length) / 3), (best?.distance ?? .max) - 1)
            // No distance is less than the difference of the lengths.
            if abs(wanted.count - length) > allowed, !isAbbreviated { continue }
            let distance =
                isAbbreviated
                ? (wanted.count == length ? 0 : 1)
                : editDistance(wanted, Array(candidate.utf8), atMost: allowed)
            if distance <= allowed { best = (candidate, distance) }
        }
        return best?.name
    }

    /// The least number of inserted, removed, replaced or swapped neighbouring bytes that turns `a` into `b`
    /// (optimal string alignment; Damerau 1964). What is more than `bound` may come out as any number above it.
    public static func editDistance(_ a: [UInt8], _ b: [UInt8], atMost bound: Int = .max) -> Int {
        var before = [Int](repeating: 0, count: b.count + 1)
        var last = Array(0...b.count)
        var row = before
        for i in 0..<a.count {
            row[0] = i + 1
            var least = row[0]
            for j in 0..<b.count {
                var cost = min(last[j] + (a[i] == b[j] ? 0 : 1), last[j + 1] + 1, row[j] + 1)
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, before[j - 1] + 1) }
                row[j + 1] = cost
                least = min(least, cost)
            }
            // A swap reaches over one row: with two rows above the bound, all that follow are.
            if least > bound, (last.min() ?? 0) > bound { return least }
            (before, last, row) = (last, row, before)
        }
        return last[b.count]
    }
}
