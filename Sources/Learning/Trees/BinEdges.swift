import CTrees

/// Where the values of one feature are cut into bins: at most 255, each with about as many values.
///
/// Bin b (from 1) holds the values above `cuts[b - 2]` and up to `cuts[b - 1]`; bin 0 is a missing value. A cut is the middle
/// of the gap between two values that were seen.
package struct BinEdges: Sendable, Equatable {
    /// Ascending; 254 at the most.
    package var cuts: [Float]

    package static let mostBins = 255

    /// Bins besides that of missing values.
    package var binCount: Int { cuts.count + 1 }

    package init(cuts: [Float]) { self.cuts = cuts }

    /// Cuts a sample of a feature's values; NaN is missing and has no say. Infinite values count as the largest numbers.
    package init(sample: UnsafeBufferPointer<Float>, bins: Int = BinEdges.mostBins) {
        var values = sample.filter { !$0.isNaN }
        values = values.map { min(max($0, -Float.greatestFiniteMagnitude), Float.greatestFiniteMagnitude) }
        var scratch = [Float](repeating: 0, count: values.count)
        values.withUnsafeMutableBufferPointer { values in
            scratch.withUnsafeMutableBufferPointer { scratch in
                guard let from = values.baseAddress, let to = scratch.baseAddress else { return }
                ctrees_sort(from, to, UInt64(values.count))
            }
        }
        self.init(sorted: values, bins: max(2, min(bins, BinEdges.mostBins)))
    }

    /// Each distinct value gets a bin while there are enough; otherwise values that are frequent get one of their own, and
    /// the others share what is left evenly.
    private init(sorted values: [Float], bins: Int) {
        var distinct: [(value: Float, count: Int)] = []
        for value in values {
            if let last = distinct.last, last.value == value {
                distinct[distinct.count - 1].count += 1
            } else {
                distinct.append((value, 1))
            }
        }
        cuts = []
        guard distinct.count > 1 else { return }
        if distinct.count <= bins {
            for (a, b) in zip(distinct, distinct.dropFirst()) { cuts.append(Self.middle(a.value, b.value)) }
            return
        }
        var (rest, left) = (values.count, bins)
        let frequent = values.count / bins
        for entry in distinct where entry.count > frequent {
            rest -= entry.count
            left -= 1
        }
        var share = Double(rest) / Double(max(1, left))
        var filled = 0
        for index in 0..<distinct.count - 1 where cuts.count < bins - 1 {
            let entry = distinct[index]
            let isFrequent = entry.count > frequent
            filled += entry.count
            if !isFrequent { rest -= entry.count }
            guard isFrequent || Double(filled) >= share || distinct[index + 1].count > frequent else { continue }
            cuts.append(Self.middle(entry.value, distinct[index + 1].value))
            if !isFrequent {
                left -= 1
                share = Double(rest) / Double(max(1, left))
            }
            filled = 0
        }
    }

    /// A float between two others, at least the first and below the second.
    static func middle(_ a: Float, _ b: Float) -> Float {
        let middle = a / 2 + b / 2
        return middle >= a && middle < b ? middle : a
    }
}
