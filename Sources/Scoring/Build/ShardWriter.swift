import Base

/// Turns one spooled shard into the bytes of the file: leaves in descending order, then tiles with final exits.
package struct ShardWriter {
    package let spool: ForestSpool
    package let shard: ForestSpool.Shard
    let forest: ModelFormat.Forest

    private static let chunk = 4096

    /// The last leaf first, so that leaf i stands (i + 1) strides below the base.
    package func writeLeaves(to file: ModelFileWriter) throws(ImpactError) {
        let width = spool.info.payloadColumns
        let kept = keptColumns()
        let from = UnsafeMutableBufferPointer<Double>.allocate(capacity: Self.chunk * width)
        let to = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.chunk * forest.leafStride, alignment: 64)
        defer {
            from.deallocate()
            to.deallocate()
        }
        var end = shard.leaves.upperBound
        while end > shard.leaves.lowerBound {
            let start = max(shard.leaves.lowerBound, end - Self.chunk)
            let leaves = UnsafeMutableBufferPointer(rebasing: from[..<((end - start) * width)])
            try spool.leafFile.read(at: start * width * 8, into: UnsafeMutableRawBufferPointer(leaves))
            to.initializeMemory(as: UInt8.self, repeating: 0)
            for leaf in 0..<end - start {
                let place = (end - start - 1 - leaf) * forest.leafStride
                for (column, index) in kept {
                    let bits = leaves[leaf * width + column].bitPattern.littleEndian
                    to.storeBytes(of: bits, toByteOffset: place + index * 8, as: UInt64.self)
                }
            }
            try file.append(UnsafeRawBufferPointer(rebasing: to[..<((end - start) * forest.leafStride)]))
            end = start
        }
    }

    /// Each stored value with the first column that it stands for.
    private func keptColumns() -> [(column: Int, index: Int)] {
        var kept: [(column: Int, index: Int)] = []
        for (column, source) in forest.columns.enumerated() {
            if case .stored(let index) = source, index == kept.count { kept.append((column, index)) }
        }
        return kept
    }

    package func writeTiles(to file: ModelFileWriter) throws(ImpactError) {
        let size = MemoryLayout<SpooledTile>.stride
        let from = UnsafeMutableBufferPointer<SpooledTile>.allocate(capacity: Self.chunk)
        let to = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.chunk * Tile.bytes, alignment: 64)
        defer {
            from.deallocate()
            to.deallocate()
        }
        func put(_ tiles: Slice<UnsafeMutableBufferPointer<SpooledTile>>) throws(ImpactError) {
            for (index, tile) in tiles.enumerated() {
                Tile.write(
                    tile, features: tile.features, exits: exits(of: tile),
                    wide: spool.info.featureCount > Tile.narrowFeatures, to: to.baseAddress! + index * Tile.bytes)
            }
            try file.append(UnsafeRawBufferPointer(rebasing: to[..<(tiles.count * Tile.bytes)]))
        }
        var root = shard.trees.lowerBound
        while root < shard.trees.upperBound {
            let count = min(Self.chunk, shard.trees.upperBound - root)
            for index in 0..<count { from.initializeElement(at: index, to: spool.roots[root + index]) }
            try put(from[..<count])
            root += count
        }
        var tile = shard.tiles.lowerBound
        while tile < shard.tiles.upperBound {
            let count = min(Self.chunk, shard.tiles.upperBound - tile)
            let bytes = UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: from[..<count]))
            try spool.tileFile.read(at: tile * size, into: bytes)
            try put(from[..<count])
            tile += count
        }
    }

    /// Exits in units from the base; the spool counts the tiles after the roots and the leaves.
    private func exits(of tile: SpooledTile) -> SIMD8<Int32> {
        var exits = SIMD8<Int32>()
        let (tileUnits, leafUnits) = (Tile.bytes / forest.unit, forest.leafStride / forest.unit)
        for exit in 0..<Tile.exits {
            let to = Int(tile.exits[exit])
            exits[exit] = Int32(to < 0 ? (to) * leafUnits : (shard.trees.count + to) * tileUnits)
        }
        return exits
    }
}
