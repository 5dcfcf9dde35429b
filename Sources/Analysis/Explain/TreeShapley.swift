import Base
import Scoring

/// Exact Shapley values of a sum of trees, path-dependent (Lundberg and others 2020, "From local explanations to global
/// understanding with explainable AI for trees", algorithm 2's game): a feature that is not in the coalition sends a row
/// down both sides of its splits, by the share of the cover that went there.
///
/// A leaf of a path with d features, of which feature j has the cover share z_j and o_j = 1 when the row satisfies its
/// splits, adds (o_i - z_i) ∫₀¹ ∏_{j≠i} (t o_j + (1 - t) z_j) dt to feature i. The integrand is a polynomial of degree
/// d - 1, so Gauss-Legendre with ⌈d / 2⌉ points is exact. One walk of a tree serves eight rows and costs O(leaves × d)
/// instead of O(leaves × d²); a feature that comes again on a path replaces its earlier share, as in Yu, Xu and others 2022
/// ("Linear TreeShap").
package struct TreeShapley: Sendable {
    /// Rows that one walk serves.
    static let lanes = 8
    typealias Lanes = SIMD8<Double>
    typealias Mask = SIMDMask<SIMD8<Int64>>

    private let walks: [Walk]
    let featureCount: Int

    /// - Parameters:
    ///   - trees: with covers over 0 at every node.
    ///   - featureCount: numbers per row.
    package init(_ trees: [DecodedTree], featureCount: Int) {
        self.featureCount = featureCount
        walks = trees.map { Walk($0) }
    }

    package var treeCount: Int { walks.count }

    /// The mean of each leaf's values over the cover, summed over trees: what is known of a row of which nothing is known.
    package func expectation(columns: Int, values: [[Double]]) -> [Double] {
        var sums = [Double](repeating: 0, count: columns)
        for (walk, values) in zip(walks, values) {
            for node in 0..<walk.tree.count where walk.tree.leaf[node] >= 0 {
                let share = walk.tree.cover[node] / walk.tree.cover[0]
                let start = Int(walk.tree.leaf[node]) * columns
                for column in 0..<columns { sums[column] += share * values[start + column] }
            }
        }
        return sums
    }

    /// Adds the contributions of up to eight rows.
    ///
    /// - Parameters:
    ///   - rows: `featureCount` numbers per row, `stride` apart, as many as `count`.
    ///   - columns: numbers per leaf.
    ///   - values: of every tree's leaves, `columns` numbers each; not NaN.
    ///   - weights: for each column and row what the leaf's number counts, column by column, eight rows each; the leaf's
    ///     value for a row is the sum.
    ///   - into: `featureCount` numbers per row.
    package func add(
        rows: UnsafePointer<Float>, stride: Int, count: Int, columns: Int, values: [[Double]],
        weights: [SIMD8<Double>], into contributions: UnsafeMutablePointer<Double>
    ) {
        let deepest = walks.reduce(1) { max($0, $1.depth) }
        let points = walks.reduce(1) { max($0, $1.quadrature.points.count) }
        let scratch = Scratch(depth: deepest + 2, points: points, features: featureCount)
        defer { scratch.deallocate() }
        for (walk, values) in zip(walks, values) {
            values.withUnsafeBufferPointer { values in
                weights.withUnsafeBufferPointer { weights in
                    walk.run(rows, stride, count, columns, values, weights, scratch)
                }
            }
        }
        for feature in 0..<featureCount {
            let sum = scratch.contributions[feature]
            for row in 0..<count { contributions[row * featureCount + feature] += sum[row] }
        }
    }

    /// What a walk writes on its way.
    struct Scratch {
        let points: Int
        /// For each level: the product along the path, and the sum over the leaves below, at each point.
        let products: UnsafeMutablePointer<Lanes>
        let sums: UnsafeMutablePointer<Lanes>
        /// For each level: whether the row satisfies the feature of the edge.
        let satisfied: UnsafeMutablePointer<Mask>
        /// The level at which each feature was last met on the path; −1 when not.
        let level: UnsafeMutablePointer<Int32>
        let contributions: UnsafeMutablePointer<Lanes>

        init(depth: Int, points: Int, features: Int) {
            self.points = points
            products = .allocate(capacity: depth * points)
            sums = .allocate(capacity: depth * points)
            satisfied = .allocate(capacity: depth)
            level = .allocate(capacity: features)
            level.initialize(repeating: -1, count: features)
            contributions = .allocate(capacity: features)
            contributions.initialize(repeating: .zero, count: features)
        }

        func deallocate() {
            products.deallocate()
            sums.deallocate()
            satisfied.deallocate()
            level.deallocate()
            contributions.deallocate()
        }
    }
}

/// One tree, prepared.
struct Walk: Sendable {
    let tree: DecodedTree
    /// Splits on the longest path.
    let depth: Int
    /// Exact for the most features that a path has.
    let quadrature: Quadrature
    /// For the edge above each node: the share of the cover of its feature on the path, all of its splits together.
    private let share: [Double]
    /// The nearest node above whose edge is of the same feature; −1 when there is none.
    private let earlier: [Int32]

    init(_ tree: DecodedTree) {
        var share = [Double](repeating: 1, count: tree.count)
        var earlier = [Int32](repeating: -1, count: tree.count)
        var depth = 0
        var width = 1
        var path: [(feature: Int32, node: Int32)] = []
        /// - Parameter met: different features on the path.
        func visit(_ node: Int, _ met: Int) {
            depth = max(depth, path.count)
            guard tree.left[node] >= 0 else {
                width = max(width, met)
                return
            }
            let feature = tree.feature[node]
            let last = path.last { $0.feature == feature }?.node ?? -1
            for child in [Int(tree.left[node]), Int(tree.right[node])] {
                earlier[child] = last
                share[child] = tree.cover[child] / tree.cover[node] * (last >= 0 ? share[Int(last)] : 1)
                path.append((feature, Int32(child)))
                visit(child, met + (last >= 0 ? 0 : 1))
                path.removeLast()
            }
        }
        visit(0, 0)
        self.tree = tree
        self.share = share
        self.earlier = earlier
        self.depth = depth
        quadrature = Quadrature.legendre((width + 1) / 2)
    }

    func run(
        _ rows: UnsafePointer<Float>, _ stride: Int, _ count: Int, _ columns: Int,
        _ values: UnsafeBufferPointer<Double>, _ weights: UnsafeBufferPointer<TreeShapley.Lanes>,
        _ scratch: TreeShapley.Scratch
    ) {
        guard depth > 0 else { return }
        let points = quadrature.points.count
        tree.left.withUnsafeBufferPointer { left in
            tree.right.withUnsafeBufferPointer { right in
                tree.feature.withUnsafeBufferPointer { feature in
                    tree.threshold.withUnsafeBufferPointer { threshold in
                        share.withUnsafeBufferPointer { share in
                            quadrature.points.withUnsafeBufferPointer { nodes in
                                let cursor = Cursor(
                                    walk: self, left: left, right: right, feature: feature, threshold: threshold,
                                    share: share, nodes: nodes, rows: rows, stride: stride, count: count,
                                    columns: columns, values: values, weights: weights, scratch: scratch,
                                    points: points)
                                for k in 0..<points {
                                    scratch.products[k] = TreeShapley.Lanes(repeating: quadrature.weights[k])
                                }
                                cursor.visit(0, level: 0)
                            }
                        }
                    }
                }
            }
        }
    }

    /// The pointers of a walk.
    private struct Cursor {
        let walk: Walk
        let left: UnsafeBufferPointer<Int32>
        let right: UnsafeBufferPointer<Int32>
        let feature: UnsafeBufferPointer<Int32>
        let threshold: UnsafeBufferPointer<Float>
        let share: UnsafeBufferPointer<Double>
        let nodes: UnsafeBufferPointer<Double>
        let rows: UnsafePointer<Float>
        let stride: Int
        let count: Int
        let columns: Int
        let values: UnsafeBufferPointer<Double>
        let weights: UnsafeBufferPointer<TreeShapley.Lanes>
        let scratch: TreeShapley.Scratch
        let points: Int

        /// Leaves the sum over the leaves below `node` at `scratch.sums[level]`.
        func visit(_ node: Int, level: Int) {
            let sums = scratch.sums + level * scratch.points
            let products = scratch.products + level * scratch.points
            guard left[node] >= 0 else {
                var value = TreeShapley.Lanes.zero
                let start = Int(walk.tree.leaf[node]) * columns
                for column in 0..<columns { value += weights[column] * values[start + column] }
                for k in 0..<points { sums[k] = products[k] * value }
                return
            }
            for k in 0..<points { sums[k] = .zero }
            let split = Int(feature[node])
            let goesLeft = decide(node, split)
            edge(Int(left[node]), split, goesLeft, level)
            edge(Int(right[node]), split, .!goesLeft, level)
        }

        private func decide(_ node: Int, _ split: Int) -> TreeShapley.Mask {
            var mask = TreeShapley.Mask(repeating: false)
            let limit = threshold[node]
            let missing = walk.tree.missingLeft[node]
            for row in 0..<count {
                let value = rows[row * stride + split]
                mask[row] = value.isNaN ? missing : value <= limit
            }
            return mask
        }

        @inline(__always)
        private func edge(_ child: Int, _ split: Int, _ passes: TreeShapley.Mask, _ level: Int) {
            let own = level + 1
            let before = scratch.level[split]
            let earlier = before >= 0
            let was = earlier ? scratch.satisfied[Int(before)] : TreeShapley.Mask(repeating: true)
            let holds = passes .& was
            let z = share[child]
            let zBefore = earlier ? share[Int(walk.earlier[child])] : 1
            let from = scratch.products + level * scratch.points
            let to = scratch.products + own * scratch.points
            // The factor of a feature is t o + (1 - t) z; one that came before is replaced.
            for k in 0..<points {
                let t = nodes[k]
                let without = (1 - t) * z
                let factor = TreeShapley.Lanes(repeating: without).replacing(with: without + t, where: holds)
                if earlier {
                    let old = (1 - t) * zBefore
                    let inverse = TreeShapley.Lanes(repeating: 1 / old).replacing(with: 1 / (old + t), where: was)
                    to[k] = from[k] * factor * inverse
                } else {
                    to[k] = from[k] * factor
                }
            }
            scratch.satisfied[own] = holds
            scratch.level[split] = Int32(own)
            visit(child, level: own)
            scratch.level[split] = before

            // What the leaves below owe to this feature; and take back what its earlier split will be given for them.
            let below = scratch.sums + own * scratch.points
            let sums = scratch.sums + level * scratch.points
            var mine = TreeShapley.Lanes.zero
            var earlierPart = TreeShapley.Lanes.zero
            for k in 0..<points {
                let t = nodes[k]
                let without = (1 - t) * z
                let inverse = TreeShapley.Lanes(repeating: 1 / without).replacing(with: 1 / (without + t), where: holds)
                mine += below[k] * inverse
                sums[k] += below[k]
                if earlier {
                    let old = (1 - t) * zBefore
                    let oldInverse = TreeShapley.Lanes(repeating: 1 / old).replacing(with: 1 / (old + t), where: was)
                    earlierPart += below[k] * oldInverse
                }
            }
            let gain = TreeShapley.Lanes(repeating: -z).replacing(with: 1 - z, where: holds)
            var total = mine * gain
            if earlier {
                let oldGain = TreeShapley.Lanes(repeating: -zBefore).replacing(with: 1 - zBefore, where: was)
                total -= earlierPart * oldGain
            }
            scratch.contributions[split] += total
        }
    }
}
