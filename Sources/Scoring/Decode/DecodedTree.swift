/// One tree as plain arrays, a number per node; for what looks at trees instead of scoring with them.
///
/// Node 0 is the root. A row goes left when `value <= threshold`, and where `missingLeft` says when the value is missing.
package struct DecodedTree: Sendable, Equatable {
    /// Children; −1 at leaves.
    package var left: [Int32] = []
    package var right: [Int32] = []
    /// The feature of the split; −1 at leaves.
    package var feature: [Int32] = []
    package var threshold: [Float] = []
    package var missingLeft: [Bool] = []
    /// How many training rows (by weight) passed the node: at a split the sum of its children's. Empty when not known.
    package var cover: [Double] = []
    /// The row of the leaf values; −1 at splits.
    package var leaf: [Int32] = []

    package init() {}

    package var count: Int { left.count }

    /// Appends a node and returns its number; the caller sets the children of a split.
    package mutating func add(
        feature: Int32 = -1, threshold: Float = .nan, missingLeft: Bool = false, leaf: Int32 = -1
    ) -> Int32 {
        left.append(-1)
        right.append(-1)
        self.feature.append(feature)
        self.threshold.append(threshold)
        self.missingLeft.append(missingLeft)
        self.leaf.append(leaf)
        return Int32(count - 1)
    }

    /// The leaf's node that a row ends in.
    package func descend(_ row: UnsafePointer<Float>) -> Int {
        var node = 0
        while left[node] >= 0 { node = Int(goesLeft(node, row) ? left[node] : right[node]) }
        return node
    }

    @inline(__always)
    package func goesLeft(_ node: Int, _ row: UnsafePointer<Float>) -> Bool {
        let value = row[Int(feature[node])]
        return value.isNaN ? missingLeft[node] : value <= threshold[node]
    }
}

/// The trees of one outcome, and what their leaves hold.
package struct DecodedForest: Sendable {
    package var info: ForestInfo
    package var trees: [DecodedTree]
    /// `info.payloadColumns` numbers per leaf, tree by tree: `DecodedTree.leaf` counts within its tree.
    package var values: [[Double]]
    /// For each treatment the weights on the q treatment parameters; nil: parameter i is treatment i.
    package var contrasts: [[Double]]?
}

extension Model {
    /// Reads the trees of a forest of the file out of its tiles: one an outcome, or as a composition's parts name them.
    /// Memory: some 30 bytes per node.
    package func decodedForest(_ number: Int) -> DecodedForest {
        let forest = forests[number]
        let layout = forest.layout
        var trees: [DecodedTree] = []
        var values: [[Double]] = []
        for shard in forest.shards {
            for number in 0..<shard.treeCount {
                var reader = TileReader(shard: shard, layout: layout)
                reader.read(number)
                trees.append(reader.tree)
                values.append(reader.values)
            }
        }
        return DecodedForest(
            info: ForestInfo(
                kind: layout.kind, parameters: layout.parameters, treatments: layout.treatments,
                groupSize: layout.groupSize,
                featureCount: composition?.preprocessing?.outputCount ?? featureCount, missing: missingValues),
            trees: trees, values: values, contrasts: description.contrasts)
    }
}

/// Walks the tiles of one tree.
private struct TileReader {
    let shard: LoadedShard
    let layout: ModelFormat.Forest
    var tree = DecodedTree()
    var values: [Double] = []

    init(shard: LoadedShard, layout: ModelFormat.Forest) {
        self.shard = shard
        self.layout = layout
    }

    mutating func read(_ number: Int) { _ = node(shard.base + number * Tile.bytes, slot: 0) }

    /// `Model` has checked that every exit leads to a later tile or to a leaf, so this ends.
    private mutating func node(_ tile: UnsafeRawPointer, slot: Int) -> Int32 {
        guard slot < Tile.slots else {
            let exit = Tile.exit(tile, slot - Tile.slots)
            let target = shard.base + exit * layout.unit
            return exit < 0 ? leaf(target) : node(target, slot: 0)
        }
        let threshold = tile.load(fromByteOffset: slot * 4, as: Float.self)
        let bits = tile.load(fromByteOffset: shard.wide ? Tile.wideMissingOffset : Tile.missingOffset, as: UInt8.self)
        let missingRight = bits >> UInt8(slot) & 1 == 1
        // No split here: every row goes on to the left.
        if threshold.isNaN, !missingRight { return node(tile, slot: 2 * slot + 1) }
        let own = Tile.feature(tile, slot, wide: shard.wide)
        let feature =
            shard.features.map { Int($0.loadUnaligned(fromByteOffset: own * 4, as: UInt32.self)) } ?? own
        let place = tree.add(
            feature: Int32(feature), threshold: threshold.isNaN ? .infinity : threshold, missingLeft: !missingRight)
        tree.left[Int(place)] = node(tile, slot: 2 * slot + 1)
        tree.right[Int(place)] = node(tile, slot: 2 * slot + 2)
        return place
    }

    private mutating func leaf(_ target: UnsafeRawPointer) -> Int32 {
        let stored = target.assumingMemoryBound(to: Double.self)
        let row = Int32(values.count / layout.columns.count)
        for source in layout.columns {
            switch source {
            case .stored(let index): values.append(stored[index])
            // An empty leaf (grf) is NaN alone.
            case .constant(let value): values.append(stored[0].isNaN ? .nan : value)
            }
        }
        return tree.add(leaf: row)
    }
}
