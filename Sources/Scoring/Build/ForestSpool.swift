import Base

/// The trees of one forest on their way to the file: tiles and leaves in temporary files, roots in memory.
package struct ForestSpool {
    /// Consecutive trees that share one base address.
    package struct Shard {
        var trees: Range<Int>
        /// Tiles other than roots, and leaves, by their numbers in the spool.
        var tiles: Range<Int>
        var leaves: Range<Int>
        /// Model features by shard feature when the model has too many for a tile's index; empty: the same numbers.
        var features: [Int] = []
    }

    package let info: ForestInfo
    private(set) var shards: [Shard] = []
    private(set) var roots: [SpooledTile] = []
    /// Tiles that every row passes at the least, a tree.
    private(set) var leastTiles: [UInt8] = []
    private(set) var shape = TreeShape()
    private(set) var columns: LeafColumns
    package let tileFile: SpoolFile
    package let leafFile: SpoolFile

    private var tiler: TreeTiler
    private var featureNumbers: [Int: Int] = [:]
    private let maximumTiles: Int
    private let maximumLeaves: Int

    /// - Parameter maximumTiles: tiles a shard holds; the default is what exits reach at the smallest unit (16 bytes).
    package init(info: ForestInfo, directory: String, maximumTiles: Int? = nil) throws(ImpactError) {
        self.info = info
        columns = LeafColumns(info: info)
        tiler = TreeTiler(info: info)
        tileFile = try SpoolFile(directory: directory)
        leafFile = try SpoolFile(directory: directory)
        self.maximumTiles = maximumTiles ?? (1 << 23) / 4
        // A leaf takes one unit up to 64 bytes, one unit of 64 bytes for each 64 bytes beyond.
        maximumLeaves = (1 << 23) / max(1, (info.payloadColumns * 8 + 63) / 64)
    }

    package mutating func append(_ tree: borrowing RawTree) throws(ImpactError) {
        let number = roots.count
        try tiler.cut(tree, number: number)
        try openShard(for: number)
        var last = shards.removeLast()
        let (tileBase, leafBase) = (last.tiles.count, last.leaves.count)
        var moved: [SpooledTile] = []
        moved.reserveCapacity(tiler.tiles.count)
        for tile in tiler.tiles {
            var tile = tile
            for exit in 0..<Tile.exits {
                let to = Int(tile.exits[exit])
                tile.exits[exit] = Int32(to < 0 ? to - leafBase : to - 1 + tileBase)
            }
            if !last.features.isEmpty || info.featureCount > Tile.wideFeatures {
                for slot in 0..<Tile.slots where !tile.thresholds[slot].isNaN {
                    tile.features[slot] = UInt16(shardFeature(Int(tile.features[slot]), in: &last))
                }
            }
            moved.append(tile)
        }
        roots.append(moved[0])
        leastTiles.append(least(tiler.tiles))
        try write(moved.dropFirst(), to: tileFile)
        try writeLeaves(tree)
        last.trees = last.trees.lowerBound..<number + 1
        last.tiles = last.tiles.lowerBound..<last.tiles.upperBound + moved.count - 1
        last.leaves = last.leaves.lowerBound..<last.leaves.upperBound + tiler.leafRows.count
        shards.append(last)
        shape.add(tiler.shape)
    }

    /// Makes the last shard one that has room for the tree just cut.
    private mutating func openShard(for number: Int) throws(ImpactError) {
        let (tiles, leaves) = (tiler.tiles.count, tiler.leafRows.count)
        guard tiles <= maximumTiles, leaves <= maximumLeaves else {
            throw TreeTiler.fault(number, nil, "has \(leaves) leaves, more than one tree may have")
        }
        if let last = shards.last, last.trees.count + last.tiles.count + tiles <= maximumTiles,
            last.leaves.count + leaves <= maximumLeaves, hasFeatures(last)
        {
            return
        }
        featureNumbers.removeAll()
        let (tile, leaf) = (shards.last?.tiles.upperBound ?? 0, shards.last?.leaves.upperBound ?? 0)
        let shard = Shard(trees: number..<number, tiles: tile..<tile, leaves: leaf..<leaf)
        shards.append(shard)
        guard hasFeatures(shard) else {
            throw TreeTiler.fault(number, nil, "splits on more than \(Tile.wideFeatures) different features")
        }
    }

    /// Whether a shard can number the features of the tree just cut.
    private func hasFeatures(_ shard: Shard) -> Bool {
        guard info.featureCount > Tile.wideFeatures else { return true }
        var new = Set<UInt16>()
        for tile in tiler.tiles {
            for slot in 0..<Tile.slots where !tile.thresholds[slot].isNaN {
                if featureNumbers[Int(tile.features[slot])] == nil { new.insert(tile.features[slot]) }
            }
        }
        return shard.features.count + new.count <= Tile.wideFeatures
    }

    private mutating func shardFeature(_ feature: Int, in shard: inout Shard) -> Int {
        if let number = featureNumbers[feature] { return number }
        featureNumbers[feature] = shard.features.count
        shard.features.append(feature)
        return shard.features.count - 1
    }

    private func least(_ tiles: [SpooledTile]) -> UInt8 {
        var least = [UInt8](repeating: 1, count: tiles.count)
        for index in tiles.indices.reversed() {
            var below = UInt8.max - 1
            for exit in 0..<Tile.exits {
                let to = Int(tiles[index].exits[exit])
                below = min(below, to < 0 ? 0 : least[to])
            }
            least[index] = below + 1
        }
        return least[0]
    }

    private func write(_ tiles: ArraySlice<SpooledTile>, to file: SpoolFile) throws(ImpactError) {
        let result: Result<Void, ImpactError> = tiles.withUnsafeBytes { bytes in
            Result { () throws(ImpactError) in try file.append(bytes) }
        }
        try result.get()
    }

    private mutating func writeLeaves(_ tree: borrowing RawTree) throws(ImpactError) {
        let width = info.payloadColumns
        var leaves: [Double] = []
        leaves.reserveCapacity(tiler.leafRows.count * width)
        for row in tiler.leafRows { leaves += tree.payload[Int(row) * width..<(Int(row) + 1) * width] }
        leaves.withUnsafeBufferPointer { leaves in
            for start in Swift.stride(from: 0, to: leaves.count, by: width) where !leaves[start].isNaN {
                columns.observe(UnsafeBufferPointer(rebasing: leaves[start..<start + width]))
            }
        }
        let result: Result<Void, ImpactError> = leaves.withUnsafeBytes { bytes in
            Result { () throws(ImpactError) in try leafFile.append(bytes) }
        }
        try result.get()
    }
}
