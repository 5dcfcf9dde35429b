import Base
import Foundation

/// Makes a model file from trees that come one at a time; memory stays far below the size of the forest.
///
/// ```swift
/// var builder = try ModelBuilder(metadata: metadata, path: "spring.impactiq")
/// try builder.addForest(info, trees: &source)   // once an outcome, in the order of `metadata.outcomes`
/// let sha256 = try builder.finish()             // writes the file and puts it in the place of `path`
/// ```
package struct ModelBuilder {
    private var metadata: ModelMetadata
    private let path: String
    private let maximumTiles: Int?
    private var spools: [ForestSpool] = []

    /// - Throws: `invalid_model` when the metadata contradict themselves.
    package init(metadata: ModelMetadata, path: String) throws(ImpactError) {
        try self.init(metadata: metadata, path: path, maximumTiles: nil)
    }

    /// `maximumTiles`: tiles that a shard holds at most, for tests.
    package init(metadata: ModelMetadata, path: String, maximumTiles: Int?) throws(ImpactError) {
        self.metadata = metadata
        self.path = path
        self.maximumTiles = maximumTiles
        try metadata.check()
    }

    /// Takes all trees of the next outcome's forest. `progress` is called after each tree with the count so far.
    /// - Throws: `invalid_forest` naming the tree and node at fault; what the source throws; `file_failed`.
    package mutating func addForest<Source: TreeSource>(
        _ info: ForestInfo, trees: inout Source, progress: (Int) -> Void = { _ in }
    ) throws(ImpactError) {
        try metadata.check(info)
        if let first = spools.first?.info, first.featureCount != info.featureCount || first.missing != info.missing {
            throw ImpactError(
                .badInput, code: "invalid_model", "the forests of several outcomes must share their features")
        }
        guard spools.count < metadata.forestNames.count else {
            throw ImpactError(
                .badInput, code: "invalid_model",
                "there are more forests than the \(metadata.forestNames.count) that the model names")
        }
        if let composition = metadata.composition {
            let isAdditive = composition.forestSlots[spools.count].causal == nil
            guard isAdditive == (info.kind == .additive) else {
                throw ImpactError(
                    .badInput, code: "invalid_model", "forest \(spools.count) is not of the kind that its part says")
            }
        }
        let slash = path.lastIndex(of: "/")
        let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        var spool = try ForestSpool(info: info, directory: directory, maximumTiles: maximumTiles)
        while let tree = try trees.nextTree() {
            guard spool.roots.count < ModelFormat.maximumTrees else {
                throw ImpactError(.badInput, code: "invalid_forest", "more than \(ModelFormat.maximumTrees) trees")
            }
            try spool.append(tree)
            progress(spool.roots.count)
        }
        guard spool.roots.count > 0, spool.roots.count % info.groupSize == 0 else {
            throw ImpactError(
                .badInput, code: "invalid_forest",
                "\(spool.roots.count) trees do not make little bags of \(info.groupSize)")
        }
        spools.append(spool)
    }

    /// How much each forest added so far splits on each of the trees' features (`ForestSummary.splitImportance`).
    package var splitImportances: [[Double]] {
        spools.map { $0.shape.importance(featureCount: metadata.treeFeatureCount) }
    }

    /// What each feature moves of the effects, told once the forests are done.
    package mutating func setImportances(_ importances: [Double]) { metadata.importances = importances }

    /// Where the forests come from, told once they are done.
    package mutating func setProvenance(_ provenance: String) { metadata.provenance = provenance }

    /// Writes the model. Returns its SHA-256, in hexadecimal.
    @discardableResult
    package mutating func finish() throws(ImpactError) -> String {
        guard spools.count == metadata.forestNames.count else {
            throw ImpactError(
                .badInput, code: "invalid_model",
                "there are \(spools.count) forests of the \(metadata.forestNames.count) that the model names")
        }
        try metadata.check()
        let description = try ModelDescription(metadata, shapes: spools.map(\.shape)).json()
        let file = try ModelFileWriter(path: path, headerBytes: ModelFormat.headerBytes)
        let directory = plan(description)
        try file.append(directory.bytes)
        try file.append(description)
        try file.append(metadata.specification)
        try file.append(Array(metadata.provenance.utf8))
        for spool in spools { try file.append(spool.leastTiles) }
        for spool in spools {
            for shard in spool.shards {
                var features = ByteWriter()
                for feature in shard.features { features.append(UInt32(feature)) }
                try file.append(features.bytes)
            }
        }
        for (forest, spool) in zip(directory.forests, spools) {
            for (index, shard) in zip(forest.shards, spool.shards) {
                let writer = ShardWriter(spool: spool, shard: shard, forest: forest)
                try file.pad(to: directory.shards[index].base - shard.leaves.count * forest.leafStride)
                try writer.writeLeaves(to: file)
                try writer.writeTiles(to: file)
            }
        }
        let digest = try file.finish(
            { [version = directory.version] in
                ModelFormat.Header(version: version, contentBytes: $0, digest: $1).bytes
            }, headerBytes: ModelFormat.headerBytes)
        return SHA256.hex(digest)
    }

    /// Gives everything its place in the file, in the order in which `finish` writes.
    private func plan(_ description: [UInt8]) -> ModelFormat.Directory {
        var forests: [ModelFormat.Forest] = []
        var firstShard = 0
        let missing: MissingValues = metadata.composition?.refusesMissing ?? false ? .refuse : .route
        for spool in spools {
            let sources = spool.columns.sources
            let stored = sources.reduce(1) { if case .stored(let index) = $1 { max($0, index + 1) } else { $0 } }
            let layout = ModelFormat.leafLayout(storedColumns: stored)
            forests.append(
                ModelFormat.Forest(
                    kind: spool.info.kind, parameters: spool.info.parameters, treatments: spool.info.treatments,
                    groupSize: spool.info.groupSize, treeCount: spool.roots.count, storedColumns: stored,
                    leafStride: layout.stride, unitShift: layout.unitShift, columns: sources,
                    shards: firstShard..<firstShard + spool.shards.count, leastTiles: 0))
            firstShard += spool.shards.count
        }
        var place =
            ModelFormat.headerBytes + ModelFormat.Directory.byteCount(forests: forests, shardCount: firstShard)
        func take(_ bytes: Int) -> Range<Int> {
            defer { place += bytes }
            return place..<place + bytes
        }
        let texts = [description.count, metadata.specification.count, metadata.provenance.utf8.count].map(take)
        for index in forests.indices { forests[index].leastTiles = take(forests[index].treeCount).lowerBound }
        let features = spools.flatMap(\.shards).map { take($0.features.count * 4) }
        var shards: [ModelFormat.Shard] = []
        for (forest, spool) in zip(forests, spools) {
            for shard in spool.shards {
                let leafBytes = shard.leaves.count * forest.leafStride
                let page = ModelFormat.pageBytes
                let base = (place + leafBytes + page - 1) / page * page
                let tiles = shard.trees.count + shard.tiles.count
                shards.append(
                    ModelFormat.Shard(
                        firstTree: shard.trees.lowerBound, treeCount: shard.trees.count, base: base, tileCount: tiles,
                        leafCount: shard.leaves.count, wide: spool.info.featureCount > Tile.narrowFeatures,
                        features: features[shards.count]))
                place = base + tiles * Tile.bytes
            }
        }
        return ModelFormat.Directory(
            version: metadata.composition == nil ? ModelFormat.plainVersion : ModelFormat.version,
            featureCount: metadata.treeFeatureCount,
            missing: metadata.composition == nil ? spools[0].info.missing : missing,
            effects: metadata.treatments.count, metadata: texts[0], specification: texts[1], provenance: texts[2],
            forests: forests, shards: shards)
    }
}
