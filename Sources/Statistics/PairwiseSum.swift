import Base

/// Values that are added up, by index.
package protocol SummedTerms: Sendable {
    subscript(index: Int) -> Double { get }
}

/// Pairwise summation in numpy's order of operations (`numpy/_core/src/umath/loops_utils.h.src`), so that areas agree
/// with scikit-learn's `auc` to the last bit. Its error grows with log n where a running sum's grows with n.
package enum PairwiseSum {
    private static let block = 128

    /// The sum of `terms[0] … terms[count - 1]`.
    package static func sum(_ count: Int, threads: Int = 1, _ terms: some SummedTerms) -> Double {
        guard threads > 1 && count > 1 << 16 else { return sum(0, count, terms) }
        let half = firstHalf(count)
        return withUnsafeTemporaryAllocation(of: Double.self, capacity: 2) { parts in
            Parallel.forEach(2, threads: threads) { part in
                parts[part] = part == 0 ? sum(0, half, terms) : sum(half, count - half, terms)
            }
            return parts[0] + parts[1]
        }
    }

    private static func firstHalf(_ count: Int) -> Int { count / 2 - count / 2 % 8 }

    @inline(__always)
    private static func leaf(_ start: Int, _ count: Int, _ terms: some SummedTerms) -> Double {
        if count < 8 {
            var total = 0.0
            for index in 0..<count { total += terms[start + index] }
            return total
        }
        var lanes = SIMD8<Double>()
        for lane in 0..<8 { lanes[lane] = terms[start + lane] }
        var index = 8
        while index < count - count % 8 {
            for lane in 0..<8 { lanes[lane] += terms[start + index + lane] }
            index += 8
        }
        var total =
            ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]))
        while index < count {
            total += terms[start + index]
            index += 1
        }
        return total
    }

    private static func sum(_ start: Int, _ count: Int, _ terms: some SummedTerms) -> Double {
        if count <= block { return leaf(start, count, terms) }
        let half = firstHalf(count)
        return sum(start, half, terms) + sum(start + half, count - half, terms)
    }
}

extension Array: SummedTerms where Element == Double {}
