import Base

/// Reads little-endian numbers from bytes, within their bounds.
struct ByteReader {
    private let bytes: UnsafeRawBufferPointer
    private(set) var position: Int

    init(_ bytes: UnsafeRawBufferPointer, at position: Int) {
        self.bytes = bytes
        self.position = position
    }

    mutating func next<T: FixedWidthInteger>(_: T.Type) throws(ImpactError) -> T {
        let size = MemoryLayout<T>.size
        guard position >= 0, position <= bytes.count - size else {
            throw ModelFormat.refusal("damaged_model", "the directory ends early, at byte \(bytes.count)")
        }
        defer { position += size }
        return T(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: T.self))
    }

    /// A 32-bit number up to `most`.
    mutating func count(_ what: String, from least: Int = 0, to most: Int) throws(ImpactError) -> Int {
        let value = Int(try next(UInt32.self))
        guard value >= least, value <= most else {
            throw ModelFormat.refusal("damaged_model", "\(what) is \(value), not \(least) to \(most)")
        }
        return value
    }

    /// A 64-bit place and a 64-bit size, together inside the file and after the header.
    mutating func range(_ what: String, most: Int = .max) throws(ImpactError) -> Range<Int> {
        let (start, size) = (try next(UInt64.self), try next(UInt64.self))
        guard start >= ModelFormat.headerBytes, start <= bytes.count, size <= UInt64(bytes.count) - start, size <= most
        else { throw ModelFormat.refusal("damaged_model", "\(what) lies outside the file") }
        return Int(start)..<Int(start + size)
    }

    mutating func skip(to position: Int) { self.position = position }
}

extension ModelFormat.Header {
    /// Says what a file is, or why it is not a model of ours. `size` is the size of the file.
    static func read(_ file: UnsafeRawBufferPointer) throws(ImpactError) -> ModelFormat.Header {
        guard file.count >= ModelFormat.magic.count,
            file.prefix(ModelFormat.magic.count).elementsEqual(ModelFormat.magic)
        else {
            throw ModelFormat.refusal(
                "foreign_model", "is not an ImpactIQ model; make one from a fitted forest with `impactiq model import`")
        }
        guard file.count > ModelFormat.headerBytes else {
            throw ModelFormat.refusal("truncated_model", "is cut off: it ends inside its header")
        }
        var reader = ByteReader(file, at: ModelFormat.magic.count)
        let version = try reader.next(UInt32.self)
        guard (ModelFormat.plainVersion...ModelFormat.version).contains(version) else {
            throw ModelFormat.refusal(
                "unknown_model_version",
                "has format \(version), but this version of impactiq reads formats up to \(ModelFormat.version)")
        }
        let headerBytes = try reader.next(UInt32.self)
        let contentBytes = try reader.next(UInt64.self)
        let digest = Array(file[reader.position..<reader.position + 32])
        guard headerBytes == ModelFormat.headerBytes,
            file[reader.position + 32..<ModelFormat.headerBytes].allSatisfy({ $0 == 0 })
        else { throw ModelFormat.refusal("damaged_model", "has a damaged header") }
        let actual = UInt64(file.count - ModelFormat.headerBytes)
        guard contentBytes <= actual else {
            throw ModelFormat.refusal(
                "truncated_model", "is cut off: \(actual) bytes follow the header of \(contentBytes)")
        }
        guard contentBytes == actual else {
            throw ModelFormat.refusal("damaged_model", "has \(actual - contentBytes) bytes after its end")
        }
        return ModelFormat.Header(version: version, contentBytes: contentBytes, digest: digest)
    }
}

extension ModelFormat.Directory {
    static func read(_ file: UnsafeRawBufferPointer, version: UInt32) throws(ImpactError) -> ModelFormat.Directory {
        // A model of linear parts alone has no trees.
        let least = version == ModelFormat.plainVersion ? 1 : 0
        var reader = ByteReader(file, at: ModelFormat.headerBytes)
        let features = try reader.count("the count of features", from: 1, to: ModelFormat.maximumFeatures)
        guard let missing = MissingValues(rawValue: try reader.next(UInt32.self)) else {
            throw ModelFormat.refusal("damaged_model", "names no known treatment of missing values")
        }
        let forestCount = try reader.count("the count of forests", from: least, to: ModelFormat.maximumForests)
        let effects = try reader.count("the count of treatments", from: 1, to: ModelFormat.maximumFeatures)
        let shardCount = try reader.count("the count of shards", from: least, to: ModelFormat.maximumShards)
        _ = try reader.next(UInt32.self)
        let metadata = try reader.range("the metadata", most: ModelFormat.maximumTextBytes)
        let specification = try reader.range("the feature specification", most: ModelFormat.maximumTextBytes)
        let provenance = try reader.range("the provenance", most: ModelFormat.maximumTextBytes)
        reader.skip(to: ModelFormat.headerBytes + ModelFormat.directoryBytes)
        var forests: [ModelFormat.Forest] = []
        var columnCounts: [Int] = []
        for _ in 0..<forestCount {
            let (forest, columns) = try readForest(&reader, shardCount: shardCount, fileBytes: file.count)
            forests.append(forest)
            columnCounts.append(columns)
        }
        for index in forests.indices {
            for _ in 0..<columnCounts[index] { forests[index].columns.append(try readColumn(&reader, forests[index])) }
        }
        var shards: [ModelFormat.Shard] = []
        for _ in 0..<shardCount { shards.append(try readShard(&reader)) }
        return ModelFormat.Directory(
            version: version, featureCount: features, missing: missing, effects: effects, metadata: metadata,
            specification: specification, provenance: provenance, forests: forests, shards: shards)
    }

    private static func readForest(
        _ reader: inout ByteReader, shardCount: Int, fileBytes: Int
    ) throws(ImpactError) -> (ModelFormat.Forest, columns: Int) {
        let start = reader.position
        guard let kind = ForestKind(rawValue: try reader.next(UInt32.self)) else {
            throw ModelFormat.refusal("damaged_model", "holds a forest of an unknown kind")
        }
        let p = try reader.count("the count of parameters", from: 1, to: ModelFormat.maximumParameters)
        let q = try reader.count("the count of treatment parameters", from: 1, to: p)
        let group = try reader.count("the size of a little bag", from: 1, to: ModelFormat.maximumTrees)
        let trees = try reader.count("the count of trees", from: 1, to: ModelFormat.maximumTrees)
        let info = ForestInfo(
            kind: kind, parameters: p, treatments: q, groupSize: group, featureCount: 1, missing: .refuse)
        let stored = try reader.count("the count of leaf values", from: 1, to: info.payloadColumns)
        let stride = try reader.count("the size of a leaf", to: .max)
        let unit = try reader.count("the unit of exits", to: 6)
        let columns = try reader.count("the count of leaf columns", to: .max)
        let firstShard = try reader.count("the first shard", to: shardCount)
        let shards = try reader.count("the count of shards", from: 1, to: shardCount - firstShard)
        _ = try reader.next(UInt32.self)
        let least = try reader.next(UInt64.self)
        guard (stride, unit) == ModelFormat.leafLayout(storedColumns: stored), columns == info.payloadColumns,
            trees % group == 0, least <= fileBytes, trees <= fileBytes - Int(least)
        else { throw ModelFormat.refusal("damaged_model", "holds a forest whose sizes do not agree") }
        reader.skip(to: start + ModelFormat.forestBytes)
        let forest = ModelFormat.Forest(
            kind: kind, parameters: p, treatments: q, groupSize: group, treeCount: trees, storedColumns: stored,
            leafStride: stride, unitShift: unit, columns: [], shards: firstShard..<firstShard + shards,
            leastTiles: Int(least))
        return (forest, columns)
    }

    private static func readColumn(
        _ reader: inout ByteReader, _ forest: ModelFormat.Forest
    ) throws(ImpactError) -> LeafColumns.Source {
        let (index, bits) = (try reader.next(UInt64.self), try reader.next(UInt64.self))
        if index == .max {
            let value = Double(bitPattern: bits)
            guard value.isFinite else { throw ModelFormat.refusal("damaged_model", "has a leaf constant not finite") }
            return .constant(value)
        }
        guard index < forest.storedColumns else {
            throw ModelFormat.refusal("damaged_model", "names a leaf value that is not stored")
        }
        return .stored(Int(index))
    }

    private static func readShard(_ reader: inout ByteReader) throws(ImpactError) -> ModelFormat.Shard {
        let start = reader.position
        let first = try reader.count("a shard's first tree", to: ModelFormat.maximumTrees)
        let trees = try reader.count("a shard's count of trees", from: 1, to: ModelFormat.maximumTrees)
        let (base, tiles) = (try reader.next(UInt64.self), try reader.next(UInt64.self))
        let leaves = try reader.next(UInt64.self)
        guard base <= Int.max, tiles <= 1 << 23, leaves <= 1 << 23 else {
            throw ModelFormat.refusal("damaged_model", "holds a shard of impossible size")
        }
        let features = try reader.range("a shard's features")
        let wide = try reader.count("a shard's width", to: 1) == 1
        reader.skip(to: start + ModelFormat.shardBytes)
        return ModelFormat.Shard(
            firstTree: first, treeCount: trees, base: Int(base), tileCount: Int(tiles), leafCount: Int(leaves),
            wide: wide, features: features)
    }
}
