import Base
import CTraining
import Statistics
import Synchronization
import Trees

/// Grows an honest forest: half-samples in little bags, trees of a bag in order.
///
/// Athey, Tibshirani and Wager, "Generalized random forests" (2019): splits on the pseudo-outcomes
/// ρ = A_P⁻¹ T̃ (Ỹ − T̃ᵀθ_P), leaves of the rows that decided no split. Every tree depends on the seed and its own number
/// alone, and trees are handed over in order, so that the number of threads changes nothing.
package final class ForestGrower {
    package let problem: ForestProblem
    package let settings: GrowerSettings
    /// Sums over the trees that have not seen a row, of the trees given so far; nil when they are not wanted.
    package private(set) var outOfBag: OutOfBag?
    private let threads: Int
    private let split: RowSplit?
    private let spaces = SpacePool()
    private var nextBag = 0
    private var ready: [GrownTree] = []

    /// - Parameters:
    ///   - outOfBag: sums over the rows' unseen trees are wanted.
    ///   - split: the rows that trees may see, and those whose sums are wanted; nil: all.
    package init(
        _ problem: ForestProblem, _ settings: GrowerSettings, outOfBag: Bool = true,
        split: RowSplit? = nil
    ) {
        self.problem = problem
        self.split = split
        self.settings = settings
        threads = settings.threads > 0 ? settings.threads : Parallel.processors
        self.outOfBag = outOfBag ? OutOfBag(count: problem.rows.rows, treatments: problem.treatments) : nil
    }

    package var trees: Int { settings.trees / settings.bag * settings.bag }

    /// The next tree, or nil after the last one.
    ///
    /// - Throws: `out_of_memory`.
    package func next() throws(ImpactError) -> GrownTree? {
        if ready.isEmpty { try growBatch(to: settings.trees) }
        return ready.popLast()
    }

    /// Grows trees for their out-of-bag sums alone, until there are so many.
    package func grow(to trees: Int) throws(ImpactError) {
        while nextBag * settings.bag < min(trees, self.trees) { try growBatch(to: trees) }
        ready = []
    }

    /// Grows all trees for their out-of-bag sums alone.
    package func finish() throws(ImpactError) { try grow(to: trees) }

    /// Hands over the out-of-bag sums of a grown forest.
    package func takeOutOfBag() -> OutOfBag? {
        defer { outOfBag = nil }
        return outOfBag
    }

    /// The leaf of every row in a tree.
    package func leaves(of tree: GrownTree) -> [Int32] {
        let count = problem.rows.rows
        let steps = tree.steps
        return [Int32](unsafeUninitializedCapacity: count) { buffer, used in
            var rows = rows
            ctraining_leaves(&rows, &tree.tree, steps, 0, UInt64(count), buffer.baseAddress)
            used = count
        }
    }

    /// Grows the next bags, several at a time.
    private func growBatch(to trees: Int) throws(ImpactError) {
        let bags = min(trees, settings.trees) / settings.bag
        let parts = min(Self.bagsAtOnce(rows: problem.rows.rows, threads: threads), bags - nextBag)
        guard parts > 0 else { return }
        let failed = Atomic<Bool>(false)
        let start = nextBag
        let grown = Slots<Bag>(parts)
        Parallel.forEach(parts, threads: threads) { part in
            guard !failed.load(ordering: .relaxed) else { return }
            grown[part] = bag(start + part)
            if grown[part] == nil { failed.store(true, ordering: .relaxed) }
        }
        guard !failed.load(ordering: .relaxed) else {
            throw ImpactError(
                .failed, code: "out_of_memory",
                "not enough memory to grow trees on \(problem.rows.rows) rows: use fewer threads or rows")
        }
        let all = grown.values
        outOfBag?.add(all.flatMap { bag in bag.trees.map { ($0, bag.inside) } }, rows, threads: threads)
        ready = all.flatMap(\.trees).reversed()
        nextBag += parts
        // The last trees are grown: what threads worked in goes before the rows' effects are asked for.
        if nextBag == settings.trees / settings.bag { spaces.empty() }
    }

    /// Bags that are grown together. A tree of many rows is large: no more bags than threads at work stand in memory.
    static func bagsAtOnce(rows: Int, threads: Int) -> Int { rows > 1 << 19 ? threads : max(4, threads * 4) }

    private struct Bag {
        var trees: [GrownTree]
        /// A bit a row that the bag has seen; empty when nobody asks.
        var inside: [UInt64]
    }

    private var rows: ctraining_rows {
        ctraining_rows(
            bins: problem.rows.planes, rows: UInt64(problem.rows.rows), features: UInt32(problem.rows.features),
            values: problem.values, treatments: UInt32(problem.treatments), has_weights: problem.hasWeights ? 1 : 0,
            clusters: nil)
    }

    private func bag(_ number: Int) -> Bag? {
        let count = problem.rows.rows
        let chosen = sample(number)
        guard
            let space = spaces.take(
                rows: max(chosen.count, capacity), features: problem.rows.features, width: problem.width)
        else { return nil }
        defer { spaces.giveBack(space) }
        var inside: [UInt64] = []
        if outOfBag != nil {
            inside = split?.unasked ?? [UInt64](repeating: 0, count: (count + 63) / 64)
            for row in chosen { inside[Int(row) >> 6] |= 1 << UInt64(row & 63) }
        }
        var bag = Bag(trees: [], inside: inside)
        let share = min(1, max(0, settings.subsample))
        for place in 0..<settings.bag {
            let tree = GrownTree(treatments: problem.treatments)
            var stream = RandomStream(seed: settings.seed, lane: UInt64(number * settings.bag + place) << 1 | 1)
            let ok = withRows { rows in
                withMonotone { monotone in
                    var rules = ctraining_settings(
                        split_leaf: UInt32(max(1, settings.splitLeaf)),
                        estimate_leaf: UInt32(max(1, settings.estimateLeaf)),
                        features_tried: UInt32(settings.featuresTried ?? problem.rows.features),
                        max_depth: UInt32(settings.maxDepth), balance: Float(settings.balance),
                        least_variance: Float(settings.leastVariance), split_share: Float(share * settings.honesty),
                        estimate_share: Float(share * (1 - settings.honesty)), monotone: monotone)
                    return ctraining_grow(
                        settings.kernel.number, rows, &rules, chosen, UInt64(chosen.count), stream.next(),
                        space.pointer,
                        &tree.tree)
                }
            }
            guard ok != 0 else { return nil }
            bag.trees.append(tree)
        }
        return bag
    }

    /// The rows of a bag's half-sample, in order. Clusters are drawn whole.
    private func sample(_ number: Int) -> [UInt32] {
        var stream = RandomStream(seed: settings.seed, lane: UInt64(number) << 1)
        let seed = stream.next()
        func draw(_ count: Int) -> [UInt32] {
            let take = min(count, max(1, Int((Double(count) * settings.halfSample).rounded(.down))))
            return [UInt32](unsafeUninitializedCapacity: take + 1) { buffer, used in
                ctraining_sample(seed, UInt64(count), UInt64(take), buffer.baseAddress)
                used = take
            }
        }
        guard let clusters = problem.clusters else {
            guard let open = split?.training else { return draw(problem.rows.rows) }
            return draw(open.count).map { open[Int($0)] }
        }
        var isOpen = [Bool](repeating: split == nil, count: problem.clusterCount)
        for row in split?.training ?? [] { isOpen[Int(clusters[Int(row)])] = true }
        let open = isOpen.indices.filter { isOpen[$0] }
        var isDrawn = [Bool](repeating: false, count: problem.clusterCount)
        for place in draw(open.count) { isDrawn[open[Int(place)]] = true }
        return clusters.indices.compactMap { isDrawn[Int(clusters[$0])] ? UInt32($0) : nil }
    }

    /// Rows that a thread must have room for: a half-sample of clusters may hold more than half of the rows.
    private var capacity: Int { problem.clusters == nil ? 0 : problem.rows.rows / 2 }

    private func withRows<Result>(_ body: (UnsafePointer<ctraining_rows>) -> Result) -> Result {
        var rows = rows
        guard let clusters = problem.clusters else { return body(&rows) }
        return clusters.withUnsafeBufferPointer {
            rows.clusters = $0.baseAddress
            return body(&rows)
        }
    }

    private func withMonotone<Result>(_ body: (UnsafePointer<Int8>?) -> Result) -> Result {
        guard let monotone = settings.monotone, monotone.contains(where: { $0 != 0 }) else { return body(nil) }
        return monotone.withUnsafeBufferPointer { body($0.baseAddress) }
    }
}

/// Which rows trees may see, and which are then asked about.
package struct RowSplit: Sendable {
    /// In order; all or none of a cluster.
    let training: [UInt32]
    /// A bit a row that is not asked about.
    let unasked: [UInt64]

    init(rows: Int, training: (Int) -> Bool, asked: (Int) -> Bool) {
        self.training = (0..<UInt32(rows)).filter { training(Int($0)) }
        var unasked = [UInt64](repeating: 0, count: (rows + 63) / 64)
        for row in 0..<rows where !asked(row) { unasked[row >> 6] |= 1 << UInt64(row & 63) }
        self.unasked = unasked
    }
}

/// Memory for growing; used by one thread at a time.
private final class GrowSpace: @unchecked Sendable {  // handed from thread to thread by the pool's lock
    let pointer: OpaquePointer
    let rows: Int

    init?(rows: Int, features: Int, width: Int) {
        guard let made = ctraining_space_create(UInt64(rows), UInt32(features), UInt32(width)) else { return nil }
        pointer = made
        self.rows = rows
    }

    deinit { ctraining_space_destroy(pointer) }
}

/// Memory for growing, one a thread at work.
private final class SpacePool: Sendable {
    private let free = Mutex<[GrowSpace]>([])

    func take(rows: Int, features: Int, width: Int) -> GrowSpace? {
        let found = free.withLock { $0.popLast() }
        if let found, found.rows >= rows { return found }
        return GrowSpace(rows: rows, features: features, width: width)
    }

    func empty() { free.withLock { $0.removeAll() } }

    func giveBack(_ space: GrowSpace) { free.withLock { $0.append(space) } }
}
