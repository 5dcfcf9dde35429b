import Base

/// The model file, format 1, or 2 for models with a `Composition` (the same but for counts that may be 0). All numbers are little-endian; offsets count from the start of the file.
///
///     0      header      magic, format, content bytes, SHA-256 of the content; zeros up to 4,096
///     4096   directory   one record, then a record a forest (one an outcome), column maps, a record a shard
///            texts       metadata, feature specification, provenance (JSON)
///            shards      each: leaf payloads, the last one first │ base │ tiles: roots, then breadth first a tree
///
/// So `tail -c +4097 FILE | sha256sum` prints the model's SHA-256.
enum ModelFormat {
    static let magic: [UInt8] = Array("ImpactIQ".utf8)
    /// The newest format; plain causal forests are written in format 1, byte for byte as before.
    static let version: UInt32 = 2
    static let plainVersion: UInt32 = 1
    static let headerBytes = 4096
    static let pageBytes = 4096
    static let directoryBytes = 128
    static let forestBytes = 64
    static let columnBytes = 16
    static let shardBytes = 64

    // Bounds that keep a hostile directory from asking for more than any model needs.
    static let maximumForests = 256
    static let maximumParameters = 32
    static let maximumFeatures = 65_535
    static let maximumShards = 1 << 20
    static let maximumTextBytes = 64 << 20
    static let maximumTrees = 1 << 24

    /// What the header says.
    struct Header: Equatable {
        var version: UInt32
        var contentBytes: UInt64
        var digest: [UInt8]
    }

    /// Where the parts of the content are.
    struct Directory: Equatable {
        var version: UInt32
        var featureCount: Int
        var missing: MissingValues
        var effects: Int
        var metadata: Range<Int>
        var specification: Range<Int>
        var provenance: Range<Int>
        var forests: [Forest]
        var shards: [Shard]
    }

    /// One forest: one outcome.
    struct Forest: Equatable {
        var kind: ForestKind
        var parameters: Int
        var treatments: Int
        var groupSize: Int
        var treeCount: Int
        /// Doubles stored a leaf, and the bytes from one leaf to the next.
        var storedColumns: Int
        var leafStride: Int
        /// log2 of the exits' unit.
        var unitShift: Int
        var columns: [LeafColumns.Source]
        var shards: Range<Int>
        /// The place of one byte per tree: tiles that every row passes at the least.
        var leastTiles: Int

        var unit: Int { 1 << unitShift }
    }

    /// Consecutive trees around one base address.
    struct Shard: Equatable {
        var firstTree: Int
        var treeCount: Int
        var base: Int
        var tileCount: Int
        var leafCount: Int
        var wide: Bool
        /// The place of the model features by shard feature (UInt32 each); empty: the same numbers.
        var features: Range<Int>

        var featureCount: Int { features.count / 4 }
    }

    /// The bytes between leaves and the exits' unit for a count of stored doubles: the next power of two up to 64
    /// bytes, then whole cache lines, so that a leaf up to 64 bytes never spans two.
    static func leafLayout(storedColumns: Int) -> (stride: Int, unitShift: Int) {
        let bytes = storedColumns * 8
        if bytes <= 16 { return (16, 4) }
        if bytes <= 32 { return (32, 5) }
        return ((bytes + 63) / 64 * 64, 6)
    }

    static func refusal(_ code: String, _ message: String) -> ImpactError {
        ImpactError(.badInput, code: code, message)
    }
}
