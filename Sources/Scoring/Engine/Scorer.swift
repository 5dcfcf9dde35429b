import CForest

/// Scores rows with a model: one a thread, its buffers are reused.
///
/// The results do not depend on how rows are grouped into calls, on the kernel, nor on the count of threads: every row's
/// leaves are added up in the order of the trees, in double precision.
package final class Scorer {
    package let model: Model
    package let kernel: Kernel
    /// Rows that one call may have.
    package let maxRows: Int

    /// Rows that go down together, a power of two: fewer when leaf addresses are kept for the standard errors.
    private let effectRows: Int
    /// For models with a composition.
    private let composed: ComposedSpace?
    private let errorRows: Int
    let solvers: [EffectSolver]
    let offsets: [OffsetEvaluator?]
    let number: Int32

    let exits: UnsafeMutablePointer<Int32>
    private let active: UnsafeMutablePointer<UInt16>
    let sums: UnsafeMutablePointer<Double>
    let counts: UnsafeMutablePointer<UInt32>
    let coefficients: UnsafeMutablePointer<Double>
    private let bags: UnsafeMutablePointer<cforest_bags>
    /// A row's features by a shard's numbers, for shards that have their own.
    private let renumbered: UnsafeMutablePointer<Float>
    /// For each row of the last call the feature that made it refused, or −1.
    private let refused: UnsafeMutablePointer<Int32>
    private var lastCount = 0

    /// Rows that go down together at the most.
    private static let mostRows = 1024
    /// Rows × trees that go down together when a tree has room for more than its rows: enough to hide the memory's
    /// latency, and their tiles, 64 bytes each, are still in the L1 cache when their turn comes.
    private static let slots = 256
    /// Bytes of leaf addresses kept for the standard errors of a block of rows: they should fit the L1 cache. But 64 rows
    /// at the least, that trees from beyond the caches are fetched for more than a few rows.
    private static let addressBytes = 32 << 10

    /// - Parameter maxRows: rows that one call may have; memory grows with it, up to a block.
    package init(model: Model, maxRows: Int, kernel: Kernel = .best) {
        precondition(maxRows > 0, "a scorer needs room for a row")
        self.model = model
        self.kernel = kernel.isAvailable ? kernel : .scalar
        self.maxRows = maxRows
        number = self.kernel.number
        solvers = model.effectSolvers()
        offsets = model.offsets.map { $0.map(OffsetEvaluator.init) }
        let trees = model.forests.reduce(1) { max($0, $1.treeCount) }
        let columns = model.forests.reduce(0) { max($0, $1.layout.storedColumns) }
        effectRows = min(Self.mostRows, Self.powerOfTwo(atLeast: maxRows))
        errorRows = min(effectRows, max(64, min(256, Self.powerOfTwo(atLeast: Self.addressBytes / 4 / trees + 1) / 2)))
        exits = .allocate(capacity: max(Self.mostRows, errorRows * trees))
        active = .allocate(capacity: Self.mostRows)
        sums = .allocate(capacity: effectRows * columns)
        counts = .allocate(capacity: effectRows)
        let mostEffects = solvers.reduce(1) { max($0, $1.effects) }
        coefficients = .allocate(capacity: errorRows * mostEffects * (columns + 1))
        let blockRows = effectRows
        composed = model.composition.map { composition in
            let compiled = CompiledComposition(
                composition, features: model.treeFeatureCount, hasErrors: model.partHasErrors)
            return ComposedSpace(compiled, rows: blockRows, causalEffects: mostEffects)
        }
        bags = .allocate(capacity: errorRows)
        let shards = model.forests.flatMap(\.shards).filter { $0.features != nil }
        let widest = shards.reduce(0) { max($0, $1.featureCount) }
        renumbered = .allocate(capacity: max(1, effectRows * ((widest + 15) / 16 * 16)))
        refused = .allocate(capacity: maxRows)
    }

    deinit {
        for solver in solvers { solver.deallocate() }
        exits.deallocate()
        active.deallocate()
        sums.deallocate()
        counts.deallocate()
        coefficients.deallocate()
        bags.deallocate()
        renumbered.deallocate()
        refused.deallocate()
    }

    private static func powerOfTwo(atLeast n: Int) -> Int {
        n <= 1 ? 1 : 1 << (Int.bitWidth - (n - 1).leadingZeroBitCount)
    }

    /// Scores `count` rows.
    ///
    /// - Parameters:
    ///   - rows: row-major float32, `stride` floats per row, at least `model.rowStride`; NaN is a missing value.
    ///   - estimates: room for count × `model.effectCount`; a row's effects stand together, treatment-major
    ///     (`Model.effectIndex`).
    ///   - standardErrors: without them about half the time of a single row; then they are NaN.
    /// - Returns: the count of rows that have no estimate (`refusedFeature`), whose effects are NaN.
    @discardableResult
    package func score(
        rows: UnsafePointer<Float>, stride: Int, count: Int, into estimates: UnsafeMutablePointer<Estimate>,
        standardErrors: Bool = true
    ) -> Int {
        precondition(count <= maxRows && stride >= model.rowStride, "more rows than room, or rows too short")
        lastCount = count
        let block = standardErrors ? errorRows : effectRows
        let effects = model.effectCount
        var start = 0
        while start < count {
            let rowCount = min(block, count - start)
            if let composed {
                scoreComposed(
                    composed, rows + start * stride, stride, rowCount, into: estimates + start * effects,
                    standardErrors: standardErrors)
                start += rowCount
                continue
            }
            for (outcome, forest) in model.forests.enumerated() {
                score(
                    forest, solvers[outcome], rows + start * stride, stride, rowCount,
                    into: estimates + start * effects + outcome, rowSpacing: effects,
                    effectSpacing: model.outcomes.count, standardErrors: standardErrors)
            }
            start += rowCount
        }
        for (outcome, offset) in offsets.enumerated() {
            if let offset { add(offset, outcome, rows, stride, count, estimates, standardErrors) }
        }
        return refuse(rows, stride, count, estimates)
    }

    /// The feature whose missing or infinite value left a row of the last call without an estimate; nil when it has one.
    package func refusedFeature(row: Int) -> Int? {
        precondition(row >= 0 && row < lastCount, "no such row in the last call")
        return refused[row] < 0 ? nil : Int(refused[row])
    }

    /// One block of rows through one causal forest. Estimates of a row are `rowSpacing` apart, of a row's treatments
    /// `effectSpacing`.
    func score(
        _ forest: LoadedForest, _ solver: EffectSolver, _ rows: UnsafePointer<Float>, _ stride: Int, _ count: Int,
        into estimates: UnsafeMutablePointer<Estimate>, rowSpacing effectCount: Int, effectSpacing outcomes: Int,
        standardErrors: Bool
    ) {
        let stored = solver.stored
        let isGRF = forest.layout.kind == .grf
        let keeps = standardErrors && forest.layout.groupSize > 1
        sums.update(repeating: 0, count: count * stored)
        counts.update(repeating: 0, count: count)
        forEachDescent(forest, rows, stride, count, keepsExits: keeps) { descent, _ in
            cforest_descend(number, &descent)
            cforest_accumulate(number, &descent, UInt32(stored), isGRF ? 1 : 0, sums, counts)
        }
        let width = stored + 1
        // Coefficients are effect-major, so that the bags of one effect find its rows together.
        let effectStride = count * width
        for row in 0..<count {
            let own = estimates + row * effectCount
            solver.solve(
                sums: sums + row * stored, count: counts[row],
                coefficients: keeps ? coefficients + row * width : nil, coefficientStride: effectStride
            ) { effect, value in
                own[effect * outcomes] = Estimate(effect: value, standardError: .nan)
            }
        }
        guard keeps else { return }
        for effect in 0..<solver.effects {
            bags.update(repeating: cforest_bags(), count: count)
            forEachDescent(forest, rows, stride, count, keepsExits: true) { descent, tree in
                cforest_add_bags(
                    number, &descent, UInt32(tree), UInt32(forest.layout.groupSize), UInt32(stored),
                    coefficients + effect * effectStride, bags)
            }
            for row in 0..<count {
                let variance = LittleBags.variance(bags[row], size: forest.layout.groupSize, kind: forest.layout.kind)
                estimates[row * effectCount + effect * outcomes].standardError = max(variance, 0).squareRoot()
            }
        }
    }

    /// The descents that make up a forest for one block of rows, in the order of the trees, each with the number of its
    /// first tree. With `keepsExits` each has its own place in `exits`.
    @inline(__always)
    func forEachDescent(
        _ forest: LoadedForest, _ rows: UnsafePointer<Float>, _ stride: Int, _ count: Int, keepsExits: Bool,
        _ body: (inout cforest_descent, Int) -> Void
    ) {
        let shift = count <= 1 ? 0 : Int.bitWidth - (count - 1).leadingZeroBitCount
        let group = max(1, Self.slots >> shift)
        for shard in forest.shards {
            var (shardRows, shardStride) = (rows, stride)
            if let features = shard.features {
                shardStride = (shard.featureCount + 15) / 16 * 16
                renumber(features, shard.featureCount, rows, stride, count, shardStride)
                shardRows = UnsafePointer(renumbered)
            }
            var descent = cforest_descent()
            descent.base = shard.base.assumingMemoryBound(to: UInt8.self)
            descent.unit_shift = UInt32(forest.layout.unitShift)
            descent.row_shift = UInt32(shift)
            descent.rows = shardRows
            descent.row_stride = UInt64(shardStride)
            descent.row_count = UInt32(count)
            descent.feature_count = UInt32(shard.featureCount)
            descent.routes_missing = model.missingValues == .route ? 1 : 0
            descent.wide = shard.wide ? 1 : 0
            descent.active = active
            var tree = 0
            while tree < shard.treeCount {
                let trees = min(group, shard.treeCount - tree)
                var least = UInt8.max
                for index in tree..<tree + trees { least = min(least, shard.leastTiles[index]) }
                descent.first_tree = UInt32(tree)
                descent.tree_count = UInt32(trees)
                descent.least_tiles = UInt32(least)
                descent.exits = keepsExits ? exits + (shard.firstTree + tree) << shift : exits
                body(&descent, shard.firstTree + tree)
                tree += trees
            }
        }
    }

    private func add(
        _ offset: OffsetEvaluator, _ outcome: Int, _ rows: UnsafePointer<Float>, _ stride: Int, _ count: Int,
        _ estimates: UnsafeMutablePointer<Estimate>, _ standardErrors: Bool
    ) {
        for row in 0..<count {
            offset.prepared(rows + row * stride)
            let own = estimates + row * model.effectCount + outcome
            for effect in 0..<model.treatments.count {
                let place = own + effect * model.outcomes.count
                place.pointee.effect += offset.value(effect)
                guard standardErrors, offset.isUncertain else { continue }
                let error = place.pointee.standardError
                place.pointee.standardError = (error * error + offset.covariance(effect, effect)).squareRoot()
            }
        }
    }

    private func renumber(
        _ features: UnsafeRawPointer, _ featureCount: Int, _ rows: UnsafePointer<Float>, _ stride: Int, _ count: Int,
        _ newStride: Int
    ) {
        for row in 0..<count {
            for feature in 0..<featureCount {
                let source = Int(features.loadUnaligned(fromByteOffset: feature * 4, as: UInt32.self))
                renumbered[row * newStride + feature] = rows[row * stride + source]
            }
        }
    }

    /// Takes the estimates from rows that the model refuses. They have been scored like all others: a missing value is
    /// harmless in the descent.
    private func refuse(
        _ rows: UnsafePointer<Float>, _ stride: Int, _ count: Int, _ estimates: UnsafeMutablePointer<Estimate>
    ) -> Int {
        refused.update(repeating: -1, count: count)
        guard model.missingValues == .refuse else { return 0 }
        var refusals = 0
        for row in 0..<count {
            // A composition's preprocessing may fill in what is missing.
            if composed != nil, !estimates[row * model.effectCount].effect.isNaN { continue }
            let values = rows + row * stride
            // Zero times a finite number is zero; times anything else NaN.
            var sum: Float = 0
            for feature in 0..<model.featureCount { sum += values[feature] * 0 }
            guard sum != 0 else { continue }
            let feature = (0..<model.featureCount).first { !values[$0].isFinite }
            refused[row] = Int32(feature ?? 0)
            refusals += 1
            (estimates + row * model.effectCount).update(
                repeating: Estimate(effect: .nan, standardError: .nan), count: model.effectCount)
        }
        return refusals
    }
}
