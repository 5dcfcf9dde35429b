import Base
import Scoring

/// Why a model gives one row the number that it gives.
package struct Explanation: Sendable, Equatable {
    /// The number of a row of which nothing is known.
    package var base: Double
    /// The row's own number: the base plus all contributions, within 1e-9 of its size.
    package var value: Double
    /// What each feature adds, in the order of a row.
    package var contributions: [Double]
}

/// Exact Shapley values of a sum of trees with one number per leaf: boosted trees, random forests.
///
/// The value is offset + scale × Σ leaves (scale 1 / trees for a mean).
package struct EnsembleExplainer: Sendable {
    private let shapley: TreeShapley
    private let trees: [[Double]]
    private let decoded: [LeafFinder]
    private let offset: Double
    private let scale: Double
    private let base: Double

    /// - Parameters:
    ///   - trees: with covers at every node (``Covers``, or what training counted).
    ///   - leaves: one number per leaf of each tree, in the order of `DecodedTree.leaf`.
    package init(
        _ trees: [DecodedTree], leaves: [[Double]], featureCount: Int, offset: Double = 0, scale: Double = 1
    ) {
        shapley = TreeShapley(trees, featureCount: featureCount)
        self.trees = leaves
        decoded = trees.map(LeafFinder.init)
        self.offset = offset
        self.scale = scale
        base = offset + scale * shapley.expectation(columns: 1, values: leaves)[0]
    }

    /// - Parameters:
    ///   - rows: row-major, `stride` floats per row.
    ///   - threads: 0 is one per processor; never changes a number.
    package func explain(
        rows: UnsafePointer<Float>, stride: Int, count: Int, threads: Int = 0
    ) -> [Explanation] {
        let features = shapley.featureCount
        return RowBlocks.map(count, threads: threads) { range in
            let first = rows + range.lowerBound * stride
            var sums = [Double](repeating: 0, count: range.count * features)
            sums.withUnsafeMutableBufferPointer { sums in
                guard let start = sums.baseAddress else { return }
                shapley.add(
                    rows: first, stride: stride, count: range.count, columns: 1, values: trees,
                    weights: [SIMD8(repeating: scale)], into: start)
            }
            return (0..<range.count).map { row in
                var value = 0.0
                for (tree, leaves) in zip(decoded, trees) { value += leaves[tree.leaf(first + row * stride)] }
                return Explanation(
                    base: base, value: offset + scale * value,
                    contributions: Array(sums[row * features..<(row + 1) * features]))
            }
        }
    }
}

/// Finds the leaf of a row.
struct LeafFinder: Sendable {
    let tree: DecodedTree

    init(_ tree: DecodedTree) { self.tree = tree }

    func leaf(_ row: UnsafePointer<Float>) -> Int { Int(tree.leaf[tree.descend(row)]) }
}

/// Rows in blocks of eight, on all threads, answers in order.
enum RowBlocks {
    static func map<Answer: Sendable>(
        _ count: Int, threads: Int, _ body: (Range<Int>) -> [Answer]
    ) -> [Answer] {
        let size = TreeShapley.lanes
        let blocks = (count + size - 1) / size
        var answers = [[Answer]](repeating: [], count: blocks)
        answers.withUnsafeMutableBufferPointer { answers in
            nonisolated(unsafe) let answers = answers  // each block writes its own
            Parallel.forEach(blocks, threads: threads > 0 ? threads : Parallel.processors) { block in
                answers[block] = body(block * size..<min(count, (block + 1) * size))
            }
        }
        return answers.flatMap { $0 }
    }
}
