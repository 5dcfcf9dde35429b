import Base

/// Checks one tree and cuts it into tiles.
///
/// The tiles come breadth first, so that an exit always leads to a later tile: this is what lets `Model` prove with one
/// pass that every descent ends. A NaN threshold (grf: numbers go right, missing left) becomes +∞ with the children
/// swapped, since a NaN threshold in a tile means that there is no split.
package struct TreeTiler {
    package let info: ForestInfo

    /// The tiles of the last tree; exits count the tree's own tiles and leaves.
    private(set) var tiles: [SpooledTile] = []
    /// For each leaf of the last tree, the row of the payload.
    private(set) var leafRows: [Int32] = []
    private(set) var shape = TreeShape()

    /// The payload row of each leaf, −1 at splits.
    private var payloadRow: [Int32] = []
    /// The tile or leaf that a node became; `unplaced` before.
    private var placed: [Int32] = []
    private var reached: [Bool] = []
    private var depth: [Int32] = []
    private var queue: [Int32] = []
    private static let unplaced = Int32.max

    private var order: [Int32] = []
    private var cuts: TileCuts

    /// A tile less in memory is worth one row in a thousand passing one tile more: on a forest of 500 trees and 598,000
    /// nodes 15 % fewer tiles than filling from the top, for paths 0.1 % longer (docs/forest-engine.md).
    private static let tileWeight = 0.001

    package init(info: ForestInfo) {
        self.info = info
        cuts = TileCuts(tileWeight: Self.tileWeight)
    }

    /// Cuts `tree`, the forest's tree number `number`. Throws `invalid_forest` naming tree and node.
    package mutating func cut(_ tree: borrowing RawTree, number: Int) throws(ImpactError) {
        try check(tree, number)
        try reachAll(tree, number)
        cuts.choose(tree, order: order, depth: depth)
        tiles.removeAll(keepingCapacity: true)
        leafRows.removeAll(keepingCapacity: true)
        queue.removeAll(keepingCapacity: true)
        queue.append(tree.root)
        // A tree that is one leaf still has a tile, all of whose exits are the leaf.
        if payloadRow[Int(tree.root)] < 0 { placed[Int(tree.root)] = 0 }
        var next = 0
        while next < queue.count {
            cutTile(tree, at: queue[next])
            next += 1
        }
        shape.tiles = tiles.count
        shape.leaves = leafRows.count
    }

    /// Lists what the root reaches, breadth first, and refuses a node that two paths reach.
    private mutating func reachAll(_ tree: borrowing RawTree, _ number: Int) throws(ImpactError) {
        shape = TreeShape()
        shape.nodes = tree.left.count
        order.removeAll(keepingCapacity: true)
        order.append(tree.root)
        reached[Int(tree.root)] = true
        var next = 0
        while next < order.count {
            let node = Int(order[next])
            next += 1
            guard payloadRow[node] < 0 else { continue }
            shape.count(split: Int(tree.feature[node]), depth: Int(depth[node]))
            for child in [tree.left[node], tree.right[node]] {
                guard !reached[Int(child)] else {
                    throw Self.fault(number, node, "leads to node \(child), which another path reaches too")
                }
                reached[Int(child)] = true
                depth[Int(child)] = depth[node] + 1
                order.append(child)
            }
        }
    }

    /// The tile whose first slot is `node`; queues the tiles below it.
    private mutating func cutTile(_ tree: borrowing RawTree, at node: Int32) {
        var tile = SpooledTile()
        var nodes = SIMD16<Int32>()
        nodes[0] = node
        shape.expectedTiles += chance(node)
        for slot in 0..<Tile.slots {
            let node = Int(nodes[slot])
            let level = slot == 0 ? 0 : slot < 3 ? 1 : 2
            // A leaf, a node that starts its own tile, or a slot below one of these: every way out leads there.
            guard payloadRow[node] < 0, slot == 0 || node != Int(nodes[(slot - 1) / 2]),
                !cuts.starts(node, level: level)
            else {
                nodes[2 * slot + 1] = Int32(node)
                nodes[2 * slot + 2] = Int32(node)
                continue
            }
            let threshold = tree.threshold[node]
            var (left, right) = (tree.left[node], tree.right[node])
            var missingLeft = tree.missingLeft.isEmpty ? false : tree.missingLeft[node]
            if threshold.isNaN {
                swap(&left, &right)
                missingLeft = false
            }
            tile.thresholds[slot] = threshold.isNaN ? .infinity : Tile.roundedDown(threshold)
            tile.features[slot] = UInt16(tree.feature[node])
            if info.missing == .route, !missingLeft { tile.missingRight |= 1 << UInt8(slot) }
            nodes[2 * slot + 1] = left
            nodes[2 * slot + 2] = right
        }
        for exit in 0..<Tile.exits { tile.exits[exit] = place(nodes[Tile.slots + exit]) }
        tiles.append(tile)
    }

    /// Where a node stands, giving it a place if it has none yet.
    private mutating func place(_ node: Int32) -> Int32 {
        let index = Int(node)
        if placed[index] != Self.unplaced { return placed[index] }
        let row = payloadRow[index]
        if row >= 0 {
            placed[index] = -1 - Int32(leafRows.count)
            leafRows.append(row)
            shape.count(leafAtDepth: Int(depth[index]), chance: chance(node))
        } else {
            placed[index] = Int32(queue.count)
            queue.append(node)
        }
        return placed[index]
    }

    /// The share of rows that reach a node if every split halves them.
    private func chance(_ node: Int32) -> Double {
        Double(sign: .plus, exponent: -min(Int(depth[Int(node)]), 1000), significand: 1)
    }
}

extension TreeTiler {
    /// Everything that can be wrong with a tree but its topology, which the cutting itself proves.
    private mutating func check(_ tree: borrowing RawTree, _ number: Int) throws(ImpactError) {
        let count = tree.left.count
        guard count > 0 else { throw Self.fault(number, nil, "has no nodes") }
        guard count < Int(Int32.max) / 2 else { throw Self.fault(number, nil, "has \(count) nodes, too many") }
        for (name, length) in [
            ("right", tree.right.count), ("feature", tree.feature.count), ("threshold", tree.threshold.count),
            ("missingLeft", tree.missingLeft.isEmpty ? count : tree.missingLeft.count),
        ] where length != count {
            throw Self.fault(number, nil, "has \(count) nodes but \(length) values of \(name)")
        }
        guard tree.root >= 0, tree.root < count else {
            throw Self.fault(number, nil, "starts at node \(tree.root), of nodes 0 to \(count - 1)")
        }
        payloadRow.removeAll(keepingCapacity: true)
        var leaves: Int32 = 0
        for node in 0..<count {
            let (left, right) = (tree.left[node], tree.right[node])
            if left == -1, right == -1 {
                payloadRow.append(leaves)
                leaves += 1
                continue
            }
            payloadRow.append(-1)
            for child in [left, right] where child < 0 || child >= count {
                throw Self.fault(number, node, "has the child \(child), of nodes 0 to \(count - 1)")
            }
            guard tree.feature[node] >= 0, tree.feature[node] < info.featureCount else {
                throw Self.fault(
                    number, node, "splits on feature \(tree.feature[node]), of features 0 to \(info.featureCount - 1)")
            }
            if tree.threshold[node].isNaN, info.missing == .refuse {
                throw Self.fault(number, node, "has a threshold that is not a number")
            }
        }
        try checkPayload(tree, number, leaves: Int(leaves))
        reached = [Bool](repeating: false, count: count)
        placed = [Int32](repeating: Self.unplaced, count: count)
        depth = [Int32](repeating: 0, count: count)
    }

    private func checkPayload(_ tree: borrowing RawTree, _ number: Int, leaves: Int) throws(ImpactError) {
        let columns = info.payloadColumns
        guard tree.payload.count == leaves * columns else {
            throw Self.fault(
                number, nil, "has \(tree.payload.count) leaf values, but \(leaves) leaves of \(columns) values each")
        }
        for leaf in 0..<leaves {
            let values = tree.payload[leaf * columns..<(leaf + 1) * columns]
            let finite = values.reduce(0) { $1.isFinite ? $0 + 1 : $0 }
            if finite == columns { continue }
            if info.kind == .grf, values.allSatisfy(\.isNaN) { continue }
            let node = payloadRow.firstIndex(of: Int32(leaf)) ?? 0
            throw Self.fault(number, node, "is a leaf with a value that is not a finite number")
        }
    }

    package static func fault(_ tree: Int, _ node: Int?, _ what: String) -> ImpactError {
        let place = node.map { "tree \(tree), node \($0)" } ?? "tree \(tree)"
        return ImpactError(.badInput, code: "invalid_forest", "\(place) \(what)")
    }
}
