/// Sizes of a tree, or of a forest when added up: what `model inspect` shows.
package struct TreeShape: Sendable, Equatable {
    package var trees = 0
    package var nodes = 0
    package var leaves = 0
    package var tiles = 0
    package var deepest = 0
    /// Sum over leaves of their depth.
    package var leafDepths = 0
    /// Splits and tiles that a row passes if every split halves the rows, summed over trees.
    package var expectedDepth = 0.0
    package var expectedTiles = 0.0
    /// Splits by depth (the first `countedDepths`) and feature.
    private(set) var splits: [[Int: Int]] = .init(repeating: [:], count: countedDepths)

    package static let countedDepths = 4

    package mutating func count(split feature: Int, depth: Int) {
        if depth < Self.countedDepths { splits[depth][feature, default: 0] += 1 }
    }

    package mutating func count(leafAtDepth depth: Int, chance: Double) {
        leafDepths += depth
        deepest = max(deepest, depth)
        expectedDepth += chance * Double(depth)
    }

    package mutating func add(_ tree: TreeShape) {
        trees += 1
        nodes += tree.nodes
        leaves += tree.leaves
        tiles += tree.tiles
        deepest = max(deepest, tree.deepest)
        leafDepths += tree.leafDepths
        expectedDepth += tree.expectedDepth
        expectedTiles += tree.expectedTiles
        for depth in 0..<Self.countedDepths { splits[depth].merge(tree.splits[depth], uniquingKeysWith: +) }
    }

    /// How much each feature is split on: Σ_d w_d · (share of the splits at depth d that are on it) / Σ_d w_d over the
    /// depths d = 0 … 3 that have splits, w_d = (d + 1)⁻². The weights are those that grf documents for
    /// `variable_importance` (decay.exponent 2, max.depth 4).
    package func importance(featureCount: Int) -> [Double] {
        var importance = [Double](repeating: 0, count: featureCount)
        var weights = 0.0
        for (depth, counts) in splits.enumerated() {
            let total = counts.values.reduce(0, +)
            guard total > 0 else { continue }
            let weight = 1 / Double((depth + 1) * (depth + 1))
            weights += weight
            for (feature, count) in counts where feature < featureCount {
                importance[feature] += weight * Double(count) / Double(total)
            }
        }
        return weights > 0 ? importance.map { $0 / weights } : importance
    }
}
