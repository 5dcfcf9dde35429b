import Base
import CTraining
import Statistics

/// Sums over the leaves of trees that have not seen a row, for every row.
package final class OutOfBag: @unchecked Sendable {  // parts of a parallel loop write to rows of their own
    package let count: Int
    let treatments: Int
    /// By row: Σ of the numerators' means, then of the moments'; all 0 for a row that every tree has seen.
    let sums: UnsafeMutablePointer<Float>

    init(count: Int, treatments: Int) {
        self.count = count
        self.treatments = treatments
        let columns = treatments + treatments * treatments
        sums = .allocate(capacity: max(1, count * columns))
        sums.initialize(repeating: 0, count: count * columns)
    }

    deinit { sums.deallocate() }

    /// Adds trees in order; `inside` of each are the rows that its bag has seen.
    func add(_ trees: [(tree: GrownTree, inside: [UInt64])], _ rows: ctraining_rows, threads: Int) {
        let columns = UInt32(treatments + treatments * treatments)
        let part = 4096
        nonisolated(unsafe) let rows = rows
        let steps = trees.map { $0.tree.steps }
        Parallel.forEach((count + part - 1) / part, threads: threads) { index in
            var rows = rows
            let (from, to) = (index * part, min(count, (index + 1) * part))
            for (number, (tree, inside)) in trees.enumerated() {
                inside.withUnsafeBufferPointer {
                    ctraining_add_leaves(
                        &rows, &tree.tree, steps[number], $0.isEmpty ? nil : $0.baseAddress, UInt64(from), UInt64(to),
                        columns, sums)
                }
            }
        }
    }

    /// Whether a tree has not seen a row.
    package func isOut(_ row: Int) -> Bool {
        let columns = treatments + treatments * treatments
        return sums[row * columns + treatments] > 0
    }

    /// θ of a row for the first of one treatment; NaN when every tree has seen it.
    @inline(__always)
    func effect(_ row: Int) -> Float {
        let moment = sums[row * 2 + 1]
        return moment > 0 ? sums[row * 2] / moment : .nan
    }

    /// θ of each row, treatment by treatment: `treatments` × `count`. NaN for a row that every tree has seen.
    package func effects() -> [[Float]] {
        var effects = [[Float]](repeating: [Float](repeating: .nan, count: count), count: treatments)
        forEachEffect { row, effect, value in effects[effect][row] = value }
        return effects
    }

    /// Tells θ of the rows that are wanted, by row and treatment. NaN for a row that every tree has seen.
    func forEachEffect(where isWanted: (Int) -> Bool = { _ in true }, _ body: (Int, Int, Float) -> Void) {
        if treatments == 1 {
            for row in 0..<count where isWanted(row) { body(row, 0, effect(row)) }
            return
        }
        let (q, columns) = (treatments, treatments + treatments * treatments)
        let matrix = SmallMatrix(size: q)
        defer { matrix.deallocate() }
        withUnsafeTemporaryAllocation(of: Double.self, capacity: q * q) { inverse in
            withUnsafeTemporaryAllocation(of: Double.self, capacity: q * q) { moments in
                // Both have q × q places.
                guard let inverse = inverse.baseAddress, let moments = moments.baseAddress else { return }
                for row in 0..<count where isWanted(row) {
                    guard isOut(row) else {
                        for effect in 0..<q { body(row, effect, .nan) }
                        continue
                    }
                    let own = sums + row * columns
                    for index in 0..<q * q { moments[index] = Double(own[q + index]) }
                    matrix.invert(moments, into: inverse)
                    for i in 0..<q {
                        var value = 0.0
                        for j in 0..<q { value += inverse[i * q + j] * Double(own[j]) }
                        body(row, i, Float(value))
                    }
                }
            }
        }
    }
}
