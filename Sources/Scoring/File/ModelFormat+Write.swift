/// Little-endian bytes in the making.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    mutating func append(_ value: UInt32) { withUnsafeBytes(of: value.littleEndian) { bytes += $0 } }
    mutating func append(_ value: UInt64) { withUnsafeBytes(of: value.littleEndian) { bytes += $0 } }
    mutating func append(_ value: Int) { append(UInt64(value)) }
    mutating func append(_ value: [UInt8]) { bytes += value }
    mutating func append(_ range: Range<Int>) {
        append(range.lowerBound)
        append(range.count)
    }

    /// Zeros up to `count` bytes since `start`.
    mutating func pad(to count: Int) { bytes += [UInt8](repeating: 0, count: max(0, count - bytes.count)) }
}

extension ModelFormat.Header {
    var bytes: [UInt8] {
        var writer = ByteWriter()
        writer.append(ModelFormat.magic)
        writer.append(version)
        writer.append(UInt32(ModelFormat.headerBytes))
        writer.append(contentBytes)
        writer.append(digest)
        writer.pad(to: ModelFormat.headerBytes)
        return writer.bytes
    }
}

extension ModelFormat.Directory {
    /// The bytes that this directory, its forests, column maps and shards take.
    static func byteCount(forests: [ModelFormat.Forest], shardCount: Int) -> Int {
        ModelFormat.directoryBytes + forests.count * ModelFormat.forestBytes
            + forests.reduce(0) { $0 + $1.columns.count } * ModelFormat.columnBytes + shardCount
            * ModelFormat.shardBytes
    }

    var bytes: [UInt8] {
        var writer = ByteWriter()
        writer.append(UInt32(featureCount))
        writer.append(missing.rawValue)
        writer.append(UInt32(forests.count))
        writer.append(UInt32(effects))
        writer.append(UInt32(shards.count))
        writer.append(UInt32(0))
        for text in [metadata, specification, provenance] { writer.append(text) }
        writer.pad(to: ModelFormat.directoryBytes)
        for forest in forests {
            let start = writer.bytes.count
            writer.append(forest.kind.rawValue)
            for value in [
                forest.parameters, forest.treatments, forest.groupSize, forest.treeCount, forest.storedColumns,
                forest.leafStride, forest.unitShift, forest.columns.count, forest.shards.lowerBound,
                forest.shards.count,
            ] {
                writer.append(UInt32(value))
            }
            writer.append(UInt32(0))
            writer.append(forest.leastTiles)
            writer.pad(to: start + ModelFormat.forestBytes)
        }
        for column in forests.flatMap(\.columns) {
            switch column {
            case .stored(let index):
                writer.append(UInt64(index))
                writer.append(UInt64(0))
            case .constant(let value):
                writer.append(UInt64.max)
                writer.append(value.bitPattern)
            }
        }
        for shard in shards {
            let start = writer.bytes.count
            writer.append(UInt32(shard.firstTree))
            writer.append(UInt32(shard.treeCount))
            for value in [shard.base, shard.tileCount, shard.leafCount] { writer.append(value) }
            writer.append(shard.features)
            writer.append(UInt32(shard.wide ? 1 : 0))
            writer.pad(to: start + ModelFormat.shardBytes)
        }
        return writer.bytes
    }
}
