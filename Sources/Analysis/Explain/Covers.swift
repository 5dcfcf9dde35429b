import Base
import Scoring

/// How many rows pass each node of a tree.
package enum Covers {
    /// What a leaf counts beside the rows that reach it, so that no side of a split is impossible.
    package static let leastLeaf = 0.01

    /// Counts background rows.
    ///
    /// - Parameters:
    ///   - rows: row-major, `stride` floats per row.
    package static func counted(
        _ trees: [DecodedTree], rows: UnsafePointer<Float>, stride: Int, count: Int, threads: Int = 0
    ) -> [DecodedTree] {
        var covered = trees
        covered.withUnsafeMutableBufferPointer { covered in
            nonisolated(unsafe) let covered = covered  // each tree writes its own
            nonisolated(unsafe) let rows = rows
            Parallel.forEach(trees.count, threads: threads > 0 ? threads : Parallel.processors) { number in
                let tree = trees[number]
                var cover = [Double](repeating: 0, count: tree.count)
                for node in 0..<tree.count where tree.left[node] < 0 { cover[node] = leastLeaf }
                for row in 0..<count { cover[tree.descend(rows + row * stride)] += 1 }
                covered[number].cover = summed(tree, cover)
            }
        }
        return covered
    }

    /// Without any data: every split sends half of its rows to each side.
    package static func even(_ trees: [DecodedTree]) -> [DecodedTree] {
        trees.map { tree in
            var covered = tree
            covered.cover = [Double](repeating: 1, count: tree.count)
            var stack = [0]
            while let node = stack.popLast() {
                guard tree.left[node] >= 0 else { continue }
                for child in [Int(tree.left[node]), Int(tree.right[node])] {
                    covered.cover[child] = covered.cover[node] / 2
                    stack.append(child)
                }
            }
            return covered
        }
    }

    /// From leaves upwards.
    private static func summed(_ tree: DecodedTree, _ leaves: [Double]) -> [Double] {
        var cover = leaves
        func sum(_ node: Int) -> Double {
            guard tree.left[node] >= 0 else { return cover[node] }
            cover[node] = sum(Int(tree.left[node])) + sum(Int(tree.right[node]))
            return cover[node]
        }
        _ = sum(0)
        return cover
    }
}
