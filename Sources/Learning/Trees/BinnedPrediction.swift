import Base
import CTrees

/// Trees over the bins of the matrix that they were fitted on: much faster than over plain values, and for rows of that
/// matrix the same leaves.
extension TreeEnsemble {
    /// base + Σ leaf values of rows of `matrix` (nil: all), in single precision.
    package func margins(_ matrix: BinnedMatrix, rows: [UInt32]? = nil, threads: Int = 1) -> [Float] {
        let count = rows?.count ?? matrix.rows
        var out = [Float](repeating: Float(base), count: count)
        let nodes = trees.map { $0.binnedNodes(matrix) }
        let parts = max(1, min(threads * 4, count / 4096))
        out.withUnsafeMutableBufferPointer { out in
            nonisolated(unsafe) let out = out  // parts write disjoint ranges
            Parallel.forEach(parts, threads: threads) { part in
                let range = Parallel.slice(part, of: parts, count: count)
                guard !range.isEmpty, let start = out.baseAddress else { return }
                let own = rows.map { Array($0[range]) } ?? range.map { UInt32($0) }
                for tree in nodes {
                    ctrees_predict(matrix.planes, tree, own, UInt64(range.count), start + range.lowerBound)
                }
            }
        }
        return out
    }
}

extension DecisionTree {
    /// The nodes as the C loop reads them.
    func binnedNodes(_ matrix: BinnedMatrix) -> [ctrees_node] {
        (0..<nodes).map { node in
            ctrees_node(
                left: left[node], right: right[node],
                place: UInt64(matrix.column(Int(feature[node])) - matrix.planes), bin: bin[node],
                missing_left: missingLeft[node] ? 1 : 0, value: Float(value[node]))
        }
    }
}
