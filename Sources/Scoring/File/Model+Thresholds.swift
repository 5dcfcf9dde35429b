extension Model {
    /// For each feature the thresholds at which its trees split, sorted; at most `limit` of them, evenly chosen.
    ///
    /// One pass over all tiles. Splits that only sort missing values (NaN) are left out.
    package func thresholds(limit: Int) -> [[Float]] {
        var found = [[Float]](repeating: [], count: featureCount)
        // After preprocessing, thresholds are in units that no feature of a row has.
        guard composition?.preprocessing == nil else { return found }
        for forest in forests {
            for shard in forest.shards {
                for index in 0..<shard.tileCount {
                    let tile = shard.base + index * Tile.bytes
                    for slot in 0..<Tile.slots {
                        let threshold = tile.load(fromByteOffset: slot * 4, as: Float.self)
                        guard threshold.isFinite, abs(threshold) < .greatestFiniteMagnitude else { continue }
                        let own = Tile.feature(tile, slot, wide: shard.wide)
                        let feature = shard.features.map {
                            Int($0.loadUnaligned(fromByteOffset: own * 4, as: UInt32.self))
                        }
                        found[feature ?? own].append(threshold)
                    }
                }
            }
        }
        return found.map { values in
            let sorted = values.sorted()
            guard sorted.count > limit else { return sorted }
            return (0..<limit).map { sorted[$0 * (sorted.count - 1) / (limit - 1)] }
        }
    }
}
