import Base

/// What the values of a column must be: numbers of a range. Every processor checks its part of a long column.
struct ColumnRule {
    let words: String
    private let lowest: Double
    private let highest: Double

    static let finite = ColumnRule(
        words: "a finite number", lowest: -.greatestFiniteMagnitude, highest: .greatestFiniteMagnitude)
    static let finiteNotNegative = ColumnRule(
        words: "a finite number, 0 or more", lowest: 0, highest: .greatestFiniteMagnitude)
    static let probability = ColumnRule(
        words: "strictly between 0 and 1", lowest: .leastNonzeroMagnitude, highest: 1.0.nextDown)

    /// The first row that breaks the rule; nil when all keep it.
    func firstBreach(_ column: [Double]) -> Int? {
        column.withUnsafeBufferPointer { values in
            // Counted without a branch first, because columns are almost always right.
            let kept = Parallel.sum(values.count) { range in
                var kept = 0
                for row in range { kept &+= values[row] >= lowest && values[row] <= highest ? 1 : 0 }
                return kept
            }
            return kept == values.count ? nil : values.firstIndex { !($0 >= lowest && $0 <= highest) }
        }
    }

    /// Whether every value is 0 or 1.
    static func isBinary(_ column: [Double]) -> Bool {
        column.withUnsafeBufferPointer { values in
            let binary = Parallel.sum(values.count) { range in
                var binary = 0
                for row in range { binary &+= values[row] == 0 || values[row] == 1 ? 1 : 0 }
                return binary
            }
            return binary == values.count
        }
    }

    /// How many entries are 1; nil unless all are 0 or 1.
    static func countOnes(_ column: [UInt8]) -> Int? {
        column.withUnsafeBytes { bytes in
            let lowest: UInt64 = 0x0101_0101_0101_0101
            let words = bytes.count / 8
            func ones(_ range: Range<Int>) -> (ones: UInt64, other: UInt64) {
                var ones: UInt64 = 0
                var other: UInt64 = 0
                for word in range {
                    let eight = bytes.loadUnaligned(fromByteOffset: word &* 8, as: UInt64.self)
                    other |= eight & ~lowest
                    ones &+= (eight &* lowest) &>> 56
                }
                return (ones, other)
            }
            let tail = bytes[(words * 8)...]
            let others = Parallel.sum(words) { ones($0).other == 0 ? 0 : 1 } + (tail.allSatisfy { $0 < 2 } ? 0 : 1)
            guard others == 0 else { return nil }
            return Parallel.sum(words) { Int(truncatingIfNeeded: ones($0).ones) } + tail.reduce(0) { $0 + Int($1) }
        }
    }
}
