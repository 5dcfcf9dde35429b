import CTraining
import Scoring
import Trees

/// A tree in bins, as the grower leaves it.
package final class GrownTree: @unchecked Sendable {  // written by the thread that grows it, before it is shared
    var tree = ctraining_tree()
    let columns: Int

    init(treatments: Int) { columns = treatments + treatments * treatments }

    deinit { ctraining_tree_clear(&tree) }

    package var nodeCount: Int { Int(tree.nodes) }
    package var leafCount: Int { Int(tree.leaves) }

    /// The nodes as rows go down.
    var steps: [ctraining_step] {
        [ctraining_step](unsafeUninitializedCapacity: nodeCount) { buffer, used in
            ctraining_steps(&tree, buffer.baseAddress)
            used = nodeCount
        }
    }

    /// Numbers up to it go left. NaN: only missing values do; the greatest number: only missing values go right.
    private func gap(_ rows: BinnedMatrix, _ node: Int) -> Double {
        let bin = Int(tree.bin[node])
        if bin == 0 { return .nan }
        let threshold = rows.threshold(feature: Int(tree.feature[node]), left: bin, right: bin + 1)
        return Double(min(threshold, .greatestFiniteMagnitude))
    }

    /// The tree in the values of the features themselves.
    package func raw(_ rows: BinnedMatrix) -> RawTree {
        let nodes = Int(tree.nodes)
        var (feature, threshold) = ([Int32](repeating: -1, count: nodes), [Double](repeating: 0, count: nodes))
        var missingLeft = [Bool](repeating: false, count: nodes)
        for node in 0..<nodes where tree.feature[node] >= 0 {
            feature[node] = tree.feature[node]
            threshold[node] = gap(rows, node)
            missingLeft[node] = tree.missing_left[node] != 0
        }
        for node in 0..<nodes where feature[node] < 0 { feature[node] = 0 }
        // Leaves are numbered in the order of their nodes.
        return RawTree(
            left: Array(UnsafeBufferPointer(start: tree.left, count: nodes)),
            right: Array(UnsafeBufferPointer(start: tree.right, count: nodes)), feature: feature, threshold: threshold,
            missingLeft: missingLeft,
            payload: Array(UnsafeBufferPointer(start: tree.payload, count: Int(tree.leaves) * columns)))
    }
}
