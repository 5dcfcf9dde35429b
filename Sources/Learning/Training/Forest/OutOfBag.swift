import Base
import CTraining
import Statistics

/// Sums over the leaves of trees that have not seen a row, for every row.
package final class OutOfBag: @unchecked Sendable {  // parts of a parallel loop write to rows of their own
    package let count: Int
    let treatments: Int
    let sums: UnsafeMutablePointer<Double>
    package let counts: UnsafeMutablePointer<UInt32>

    init(count: Int, treatments: Int) {
        self.count = count
        self.treatments = treatments
        let columns = treatments + treatments * treatments
        sums = .allocate(capacity: max(1, count * columns))
        sums.initialize(repeating: 0, count: count * columns)
        counts = .allocate(capacity: max(1, count))
        counts.initialize(repeating: 0, count: count)
    }

    deinit {
        sums.deallocate()
        counts.deallocate()
    }

    /// Adds trees in order; `inside` of each are the rows that its bag has seen.
    func add(_ trees: [(tree: GrownTree, inside: [UInt64])], _ rows: ctraining_rows, threads: Int) {
        let columns = UInt32(treatments + treatments * treatments)
        let part = 4096
        nonisolated(unsafe) let rows = rows
        Parallel.forEach((count + part - 1) / part, threads: threads) { index in
            var rows = rows
            let (from, to) = (index * part, min(count, (index + 1) * part))
            for (tree, inside) in trees {
                inside.withUnsafeBufferPointer {
                    ctraining_add_leaves(
                        &rows, &tree.tree, $0.isEmpty ? nil : $0.baseAddress, UInt64(from), UInt64(to), columns, sums,
                        counts)
                }
            }
        }
    }

    /// θ of each row, treatment by treatment: `treatments` × `count`. NaN for a row that every tree has seen.
    package func effects() -> [[Float]] {
        var effects = [[Float]](repeating: [Float](repeating: .nan, count: count), count: treatments)
        if treatments == 1 {
            for row in 0..<count where counts[row] > 0 && sums[row * 2 + 1] > 0 {
                effects[0][row] = Float(sums[row * 2] / sums[row * 2 + 1])
            }
            return effects
        }
        let (q, columns) = (treatments, treatments + treatments * treatments)
        let matrix = SmallMatrix(size: q)
        defer { matrix.deallocate() }
        withUnsafeTemporaryAllocation(of: Double.self, capacity: q * q) { inverse in
            for row in 0..<count where counts[row] > 0 {
                let own = sums + row * columns
                matrix.invert(own + q, into: inverse.baseAddress!)
                for i in 0..<q {
                    var value = 0.0
                    for j in 0..<q { value += inverse[i * q + j] * own[j] }
                    effects[i][row] = Float(value)
                }
            }
        }
        return effects
    }
}
