import Base

/// One forest of an open model.
struct LoadedForest: Sendable {
    let layout: ModelFormat.Forest
    let shards: [LoadedShard]

    var treeCount: Int { layout.treeCount }
}

/// Consecutive trees around one base address. The pointers live as long as the model's mapping.
struct LoadedShard: @unchecked Sendable {  // pointers into a read-only mapping
    let base: UnsafeRawPointer
    let firstTree: Int
    let treeCount: Int
    let tileCount: Int
    let leafCount: Int
    let wide: Bool
    /// Features that its tiles can name.
    let featureCount: Int
    /// For each of them the model's feature; nil: the same numbers.
    let features: UnsafeRawPointer?
    /// A byte per tree: tiles that every row passes at the least.
    let leastTiles: UnsafePointer<UInt8>
}

extension ModelFormat.Directory {
    /// Checks that the shards make up the forests and lie inside the file, and with `checkTiles` every tile, so that
    /// no kernel can leave the mapping or loop.
    func load(_ file: UnsafeRawBufferPointer, checkTiles: Bool) throws(ImpactError) -> [LoadedForest] {
        var loaded: [LoadedForest] = []
        for forest in forests {
            var tree = 0
            var parts: [LoadedShard] = []
            for shard in shards[forest.shards] {
                guard shard.firstTree == tree, shard.treeCount <= forest.treeCount - tree else {
                    throw ModelFormat.refusal("damaged_model", "holds shards that do not make up its forest")
                }
                let part = try load(shard, of: forest, file)
                if checkTiles { try ShardCheck(shard: part, forest: forest).run() }
                parts.append(part)
                tree += shard.treeCount
            }
            guard tree == forest.treeCount else {
                throw ModelFormat.refusal("damaged_model", "holds \(tree) trees of \(forest.treeCount)")
            }
            loaded.append(LoadedForest(layout: forest, shards: parts))
        }
        return loaded
    }

    private func load(
        _ shard: ModelFormat.Shard, of forest: ModelFormat.Forest, _ file: UnsafeRawBufferPointer
    ) throws(ImpactError) -> LoadedShard {
        guard let start = file.baseAddress, shard.base % Tile.bytes == 0,
            shard.leafCount * forest.leafStride <= shard.base - ModelFormat.headerBytes, shard.base <= file.count,
            shard.tileCount <= (file.count - shard.base) / Tile.bytes, shard.treeCount <= shard.tileCount,
            shard.leafCount > 0
        else { throw ModelFormat.refusal("damaged_model", "holds a shard that lies outside the file") }
        let limit = shard.wide ? Tile.wideFeatures : Tile.narrowFeatures
        let numbered = shard.features.isEmpty ? featureCount : shard.featureCount
        guard numbered <= limit, shard.features.count % 4 == 0 else {
            throw ModelFormat.refusal("damaged_model", "has more features than its tiles can name")
        }
        for place in stride(from: shard.features.lowerBound, to: shard.features.upperBound, by: 4) {
            guard file.loadUnaligned(fromByteOffset: place, as: UInt32.self) < featureCount else {
                throw ModelFormat.refusal("damaged_model", "names a feature that it does not have")
            }
        }
        return LoadedShard(
            base: start + shard.base, firstTree: shard.firstTree, treeCount: shard.treeCount,
            tileCount: shard.tileCount, leafCount: shard.leafCount, wide: shard.wide, featureCount: numbered,
            features: shard.features.isEmpty ? nil : start + shard.features.lowerBound,
            leastTiles: (start + forest.leastTiles + shard.firstTree).assumingMemoryBound(to: UInt8.self))
    }
}

/// One pass over the tiles of a shard, from the last to the first.
///
/// Every exit must lead to a leaf of the shard or to a later tile (so every descent ends), every feature must exist, and
/// no row may reach a leaf sooner than the stored least count of tiles says (the kernels look for leaves only then).
struct ShardCheck {
    let shard: LoadedShard
    let forest: ModelFormat.Forest

    func run() throws(ImpactError) {
        let (tileUnits, leafUnits) = (Tile.bytes / forest.unit, forest.leafStride / forest.unit)
        let leastExit = -shard.leafCount * leafUnits
        let exitEnd = shard.tileCount * tileUnits
        let least = UnsafeMutablePointer<UInt8>.allocate(capacity: shard.tileCount)
        defer { least.deallocate() }
        var index = shard.tileCount - 1
        while index >= 0 {
            let tile = shard.base + index * Tile.bytes
            var below = UInt8.max - 1
            var valid = true
            for place in 0..<Tile.exits {
                let exit = Tile.exit(tile, place)
                if exit < 0 {
                    // Leaf strides of several units are whole cache lines; one unit otherwise.
                    valid = valid && exit >= leastExit && (leafUnits == 1 || exit % leafUnits == 0)
                    below = 0
                } else {
                    let target = exit / tileUnits
                    guard exit < exitEnd, exit % tileUnits == 0, target > index else { throw fault(index, "exit") }
                    below = min(below, least[target])
                }
            }
            guard valid else { throw fault(index, "leaf") }
            guard hasFeatures(tile) else { throw fault(index, "feature") }
            least[index] = below + 1
            index -= 1
        }
        for tree in 0..<shard.treeCount where shard.leastTiles[tree] == 0 || shard.leastTiles[tree] > least[tree] {
            throw fault(tree, "least depth")
        }
    }

    @inline(__always)
    private func hasFeatures(_ tile: UnsafeRawPointer) -> Bool {
        if shard.wide {
            for slot in 0..<Tile.slots where Tile.feature(tile, slot, wide: true) >= shard.featureCount { return false }
            return true
        }
        // The eighth byte is loaded with the others, so it must name a feature too.
        for slot in 0..<Tile.exits where Tile.feature(tile, slot, wide: false) >= shard.featureCount { return false }
        return true
    }

    private func fault(_ tile: Int, _ what: String) -> ImpactError {
        ModelFormat.refusal("damaged_model", "has an impossible \(what) in tile \(tile) of its trees")
    }
}
