/// Which dead letters of one code in one partition of the dead-letter topic were sent back: all before a position, and
/// islands behind it that replays of a range left.
///
/// ```
///   offsets   0 ─────────── position        island          island
///             ├─ all sent ─┤    · · ·  ├─────┤   · ·  ├──────────────┤   · not sent
/// ```
/// Kept as an offset that a group commits and, for the islands, that offset's metadata. A replay reads the topic in
/// order and says of each letter of the code what becomes of it; ranges between which no letter was left out grow together.
package struct SentLetters: Equatable, Sendable {
    /// Sorted and apart; the first begins at 0 and may be empty.
    private var ranges: [Range<Int64>]
    /// The range that the reading was in last, and whether a letter was left out since.
    private var current = 0
    private var isBroken = false

    /// Brokers take 4,096 bytes (`offset.metadata.max.bytes`).
    package static let maxMetadata = 4_000

    package init() { ranges = [0..<0] }

    /// - Parameter metadata: what ``metadata`` gave; nil when there is none.
    /// - Returns: nil when the metadata is not ours or damaged.
    package init?(position: Int64, metadata: String?) {
        ranges = [0..<max(0, position)]
        guard let metadata, !metadata.isEmpty else { return }
        var last = ranges[0].upperBound
        for pair in metadata.split(separator: " ") {
            let numbers = pair.split(separator: "+", omittingEmptySubsequences: false)
            guard numbers.count == 2, let gap = Int64(numbers[0], radix: 36), let count = Int64(numbers[1], radix: 36),
                gap > 0, count > 0, gap < 1 << 60, count < 1 << 60, last < 1 << 61
            else { return nil }
            ranges.append(last + gap..<last + gap + count)
            last += gap + count
        }
    }

    /// All letters of the code before it were sent.
    package var position: Int64 { ranges[0].upperBound }

    /// The islands: each one's distance from the one before and its length, in base 36.
    package var metadata: String {
        zip(ranges, ranges.dropFirst()).map { before, island in
            String(island.lowerBound - before.upperBound, radix: 36) + "+" + String(island.count, radix: 36)
        }.joined(separator: " ")
    }

    package func contains(_ offset: Int64) -> Bool { ranges[index(of: offset)].contains(offset) }

    /// The last range that begins at or before the offset.
    private func index(of offset: Int64) -> Int {
        var (low, high) = (0, ranges.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if ranges[middle].lowerBound <= offset { low = middle } else { high = middle }
        }
        return low
    }

    // MARK: One reading, in the order of the offsets

    package mutating func begin() {
        current = 0
        isBroken = false
    }

    /// The reading came to a letter that stays where it is.
    package mutating func leave(_ offset: Int64) { isBroken = true }

    /// The reading came to a letter that was sent before.
    package mutating func meet(_ offset: Int64) {
        let found = index(of: offset)
        if isBroken || found <= current { current = max(current, found) } else { join(through: found, to: offset + 1) }
        isBroken = false
    }

    /// The letter is sent.
    package mutating func send(_ offset: Int64) {
        if contains(offset) { return meet(offset) }
        let before = index(of: offset)
        if isBroken {
            ranges.insert(offset..<offset + 1, at: before + 1)
            current = before + 1
            // No letter can lie between neighbours.
            if ranges[before].upperBound == offset {
                current = before
                join(through: before + 1, to: offset + 1)
            }
        } else {
            join(through: before, to: offset + 1)
        }
        if current + 1 < ranges.count, ranges[current + 1].lowerBound == offset + 1 {
            join(through: current + 1, to: offset + 1)
        }
        isBroken = false
    }

    /// Nothing was left out from the current range to here: one range.
    private mutating func join(through last: Int, to end: Int64) {
        let last = max(current, last)
        let whole = ranges[current].lowerBound..<max(ranges[last].upperBound, end)
        ranges.replaceSubrange(current...last, with: [whole])
    }

    package static func == (a: Self, b: Self) -> Bool { a.ranges == b.ranges }
}
