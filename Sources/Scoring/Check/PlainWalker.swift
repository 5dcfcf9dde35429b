import CForest

/// Scores one row the plain way: split by split, tree by tree, in Swift, without the kernels and their batches.
///
/// What `RowCheck` holds the kernels against. The order of every sum is theirs, so that results are equal bit for bit.
final class PlainWalker {
    private let model: Model
    private let solvers: [EffectSolver]
    /// For the forest at hand: sums over its leaves, and the weights of the standard errors.
    private let sums: UnsafeMutablePointer<Double>
    private let coefficients: UnsafeMutablePointer<Double>
    private var leaves: [UnsafePointer<Double>] = []
    private let compiled: CompiledComposition?

    init(_ model: Model) {
        self.model = model
        solvers = model.effectSolvers()
        compiled = model.composition.map {
            CompiledComposition($0, features: model.treeFeatureCount, hasErrors: model.partHasErrors)
        }
        let columns = model.forests.reduce(1) { max($0, $1.layout.storedColumns) }
        sums = .allocate(capacity: columns)
        coefficients = .allocate(capacity: solvers.reduce(1) { max($0, $1.effects) } * (columns + 1))
    }

    deinit {
        for solver in solvers { solver.deallocate() }
        sums.deallocate()
        coefficients.deallocate()
    }

    /// The estimates of one row of `model.featureCount` features, as `Scorer` orders them.
    func score(_ row: UnsafePointer<Float>) -> [Estimate] {
        let refused = model.missingValues == .refuse && (0..<model.featureCount).contains { !row[$0].isFinite }
        var estimates = [Estimate](
            repeating: Estimate(effect: .nan, standardError: .nan), count: model.effectCount)
        if let compiled { return composed(row, compiled) }
        guard !refused else { return estimates }
        for outcome in model.forests.indices {
            score(row, outcome, into: &estimates) { self.model.effectIndex(treatment: $0, outcome: outcome) }
            guard let offset = model.offsets[outcome] else { continue }
            let (values, variances) = (offset.values(row), offset.variances(row))
            let hasVariances = !(offset.deviations ?? []).isEmpty
            for effect in values.indices {
                let place = model.effectIndex(treatment: effect, outcome: outcome)
                estimates[place].effect += values[effect]
                guard hasVariances else { continue }
                let error = estimates[place].standardError
                estimates[place].standardError = (error * error + variances[effect]).squareRoot()
            }
        }
        return estimates
    }

    /// A row through preprocessing, parts and effects.
    private func composed(_ row: UnsafePointer<Float>, _ compiled: CompiledComposition) -> [Estimate] {
        var columns = (0..<model.featureCount).map { row[$0] }
        if let preprocessing = compiled.composition.preprocessing { columns = preprocessing.apply(columns) }
        var (values, errors): ([Double], [Double]) = ([], [])
        for part in compiled.composition.parts.indices {
            let number = compiled.forestOfPart[part]
            if number < 0 {
                let (value, error) = compiled.linear(part, columns)
                values.append(value)
                errors.append(error)
            } else if case .causal(let causal) = compiled.composition.parts[part] {
                var estimates = [Estimate](
                    repeating: Estimate(effect: .nan, standardError: .nan), count: solvers[number].effects)
                columns.withUnsafeBufferPointer { score($0.baseAddress!, number, into: &estimates) { $0 } }
                values.append(estimates[causal.effect].effect)
                errors.append(estimates[causal.effect].standardError)
            } else {
                let forest = model.forests[number]
                var sum = 0.0
                for shard in forest.shards {
                    for tree in 0..<shard.treeCount {
                        sum += columns.withUnsafeBufferPointer {
                            leaf(shard, tree, unit: forest.layout.unit, $0.baseAddress!)[0]
                        }
                    }
                }
                values.append(compiled.trees(part, sum: sum))
                errors.append(.nan)
            }
        }
        let isRefused =
            model.missingValues == .refuse && (0..<model.featureCount).contains { !row[$0].isFinite }
        let estimates = (0..<model.effectCount).map { compiled.effect($0, values, errors, stride: 1) }
        guard isRefused, estimates[0].effect.isNaN else { return estimates }
        return .init(repeating: Estimate(effect: .nan, standardError: .nan), count: model.effectCount)
    }

    private func score(
        _ row: UnsafePointer<Float>, _ outcome: Int, into estimates: inout [Estimate], _ place: (Int) -> Int
    ) {
        let (forest, solver) = (model.forests[outcome], solvers[outcome])
        leaves.removeAll(keepingCapacity: true)
        for shard in forest.shards {
            for tree in 0..<shard.treeCount {
                leaves.append(leaf(shard, tree, unit: forest.layout.unit, row))
            }
        }
        let stored = solver.stored
        sums.update(repeating: 0, count: stored)
        var count: UInt32 = 0
        // An empty leaf (grf) has no say.
        for leaf in leaves where forest.layout.kind == .econml || !leaf[0].isNaN {
            for column in 0..<stored { sums[column] += leaf[column] }
            count += 1
        }
        let width = stored + 1
        let bag = forest.layout.groupSize
        solver.solve(
            sums: sums, count: count, coefficients: bag > 1 ? coefficients : nil, coefficientStride: width
        ) { effect, value in
            estimates[place(effect)] = Estimate(effect: value, standardError: .nan)
        }
        guard bag > 1 else { return }
        for effect in 0..<solver.effects {
            let variance = LittleBags.variance(
                bags(coefficients + effect * width, stored, bag), size: bag, kind: forest.layout.kind)
            estimates[place(effect)].standardError =
                max(variance, 0).squareRoot()
        }
    }

    /// The little bags of one effect: each tree's influence is the first coefficient plus the dot product of the others
    /// with its leaf.
    private func bags(_ coefficients: UnsafePointer<Double>, _ stored: Int, _ size: Int) -> cforest_bags {
        var state = cforest_bags()
        for start in stride(from: 0, to: leaves.count, by: size) {
            var (sum, squares) = (0.0, 0.0)
            for leaf in leaves[start..<min(start + size, leaves.count)] {
                var value = coefficients[0]
                for column in 0..<stored { value += coefficients[column + 1] * leaf[column] }
                sum += value
                squares += value * value
            }
            let mean = sum / Double(size)
            guard !mean.isNaN else { continue }
            state.mean += mean
            state.second += mean * mean
            state.total += squares / Double(size)
            state.bags += 1
        }
        return state
    }

    /// Where a row ends in a tree of a shard. `Model` has checked that every exit leads to a later tile or to a leaf.
    private func leaf(
        _ shard: LoadedShard, _ tree: Int, unit: Int, _ row: UnsafePointer<Float>
    ) -> UnsafePointer<Double> {
        var tile = shard.base + tree * Tile.bytes
        while true {
            let missingRight = tile.load(
                fromByteOffset: shard.wide ? Tile.wideMissingOffset : Tile.missingOffset, as: UInt8.self)
            var slot = 0
            while slot < Tile.slots {
                let threshold = tile.load(fromByteOffset: slot * 4, as: Float.self)
                let x = row[feature(shard, tile, slot)]
                let missing = model.missingValues == .route && x.isNaN && missingRight >> UInt8(slot) & 1 == 1
                slot = 2 * slot + (x > threshold || missing ? 2 : 1)
            }
            let exit = Tile.exit(tile, slot - Tile.slots)
            let target = shard.base + exit * unit
            if exit < 0 { return target.assumingMemoryBound(to: Double.self) }
            tile = target
        }
    }

    private func feature(_ shard: LoadedShard, _ tile: UnsafeRawPointer, _ slot: Int) -> Int {
        let own = Tile.feature(tile, slot, wide: shard.wide)
        guard let features = shard.features else { return own }
        return Int(features.loadUnaligned(fromByteOffset: own * 4, as: UInt32.self))
    }
}
