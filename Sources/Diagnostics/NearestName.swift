/// Finds the known name a person probably meant: for unknown options, configuration keys, features, commands.
public enum NearestName {
    /// Longer names are no slip of the hand, and comparing them takes time by the square of their length.
    private static let longest = 64

    /// The candidate with the least edit distance to `name` when it is near enough to be a slip of the hand
    /// (at most a third of the longer name, at least one), or one that `name` abbreviates; the first of equals.
    public static func find(_ name: String, among candidates: some Sequence<String>) -> String? {
        let wanted = Array(name.utf8)
        guard wanted.count <= longest else { return nil }
        var best: (name: String, distance: Int)?
        for candidate in candidates {
            let known = Array(candidate.utf8.prefix(longest + 1))
            if known.count > longest { continue }
            let isAbbreviated = wanted.count >= 3 && known.starts(with: wanted)
            let allowed = min(max(1, max(wanted.count, known.count) / 3), (best?.distance ?? .max) - 1)
            // No distance is less than the difference of the lengths.
            if abs(wanted.count - known.count) > allowed, !isAbbreviated { continue }
            let distance = isAbbreviated ? (wanted.count == known.count ? 0 : 1) : editDistance(wanted, known)
            if distance <= allowed { best = (candidate, distance) }
        }
        return best?.name
    }

    /// The least number of inserted, removed, replaced or swapped neighbouring bytes that turns `a` into `b`
    /// (optimal string alignment; Damerau 1964).
    package static func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var before = [Int]()
        var last = Array(0...b.count)
        for i in 0..<a.count {
            var row = [i + 1]
            row.reserveCapacity(b.count + 1)
            for j in 0..<b.count {
                var cost = min(last[j] + (a[i] == b[j] ? 0 : 1), last[j + 1] + 1, row[j] + 1)
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, before[j - 1] + 1) }
                row.append(cost)
            }
            before = last
            last = row
        }
        return last[b.count]
    }
}
