import Base
import CTrees
import Foundation
import Statistics

/// How to grow a random forest.
package struct RandomForestSettings: Sendable, Equatable {
    package var trees = 200
    /// Features tried at each split; 0: √p for a target of 0 and 1, p / 3 for others (Breiman 2001).
    package var featuresTried = 0
    /// Rows in a leaf at the least, and splits on a path at the most (0: no limit).
    package var leafRows = 5
    package var depth = 0
    package var seed: UInt64 = 1
    package var threads = 1

    package init() {}
}

/// A forest and what each row's own out-of-bag trees say of it.
package struct RandomForestFit: Sendable {
    /// Leaf values are divided by the count of trees, so that the sum is the mean.
    package var ensemble: TreeEnsemble
    /// One a row of the matrix: the mean of the trees that did not see it; NaN where every tree did, or the row was
    /// not among those fitted on.
    package var outOfBag: [Float]
}

/// Random forests (Breiman 2001) on a binned matrix: bootstrap samples, a few features tried at each split, splits by
/// variance, which for a target of 0 and 1 is the Gini impurity. The same bits for any number of threads.
package enum RandomForest {
    /// - Parameters:
    ///   - target: one a row; a mean in a leaf is its prediction, so that 0 and 1 give probabilities.
    ///   - rows: the rows to fit on, ascending; nil: all.
    ///   - progress: called now and then, from one thread at a time, with the count of trees; returns whether to go on.
    package static func fit(
        _ matrix: BinnedMatrix, target: UnsafeBufferPointer<Float>, weights: UnsafeBufferPointer<Float>? = nil,
        rows: [UInt32]? = nil, settings: RandomForestSettings, progress: @Sendable (Int) -> Void = { _ in }
    ) -> RandomForestFit {
        precondition(target.count == matrix.rows, "one target a row")
        let rows = rows ?? (0..<UInt32(matrix.rows)).map { $0 }
        let isBinary = rows.allSatisfy { target[Int($0)] == 0 || target[Int($0)] == 1 }
        let p = matrix.features
        let tried =
            settings.featuresTried > 0
            ? min(settings.featuresTried, p)
            : max(1, isBinary ? Int(Double(p).squareRoot().rounded()) : p / 3)
        let largest = rows.reduce(Float(0)) { max($0, abs(target[Int($1)])) }
        // Out-of-bag sums are integers, which may be added in any order.
        let unit = Double(
            sign: .plus, exponent: 40 - Int(Double(max(largest, .leastNormalMagnitude)).exponent), significand: 1)
        let trees = Collected<DecisionTree>(count: settings.trees, empty: DecisionTree())
        let workers = max(1, min(settings.threads, settings.trees))
        let bags = Collected<OutOfBag>(count: workers, empty: OutOfBag(rows: 0))
        let next = SharedCounter()
        let done = SharedCounter()
        nonisolated(unsafe) let (target, weights) = (target, weights)
        Parallel.forEach(workers, threads: workers) { worker in
            let grower = ForestGrower(matrix, target, weights, tried: tried, settings)
            var bag = OutOfBag(rows: matrix.rows)
            while true {
                let number = next.take()
                guard number < settings.trees else { break }
                let (tree, outside) = grower.grow(rows, number: number)
                let nodes = tree.binnedNodes(matrix)
                var out = [Float](repeating: 0, count: outside.count)
                ctrees_predict(matrix.planes, nodes, outside, UInt64(outside.count), &out)
                for (row, value) in zip(outside, out) {
                    bag.sums[Int(row)] &+= Int64((Double(value) * unit).rounded())
                    bag.counts[Int(row)] += 1
                }
                trees.set(number, tree)
                let count = done.take() + 1
                if worker == 0 { progress(count) }
            }
            bags.set(worker, bag)
        }
        var outOfBag = [Float](repeating: .nan, count: matrix.rows)
        for row in 0..<matrix.rows {
            var (sum, count): (Int64, Int32) = (0, 0)
            for bag in bags.all {
                sum &+= bag.sums[row]
                count += bag.counts[row]
            }
            if count > 0 { outOfBag[row] = Float(Double(sum) / unit / Double(count)) }
        }
        var all = trees.all
        for index in all.indices {
            for node in 0..<all[index].nodes {
                let share = all[index].value[node] / Double(settings.trees)
                // Shares of probabilities are rounded down to a grid that sums are exact on: none is beyond 1.
                all[index].value[node] = isBinary ? (share * 0x1p50).rounded(.down) * 0x1p-50 : share
            }
        }
        let ensemble = TreeEnsemble(base: 0, link: .identity, features: p, trees: all)
        return RandomForestFit(ensemble: ensemble, outOfBag: outOfBag)
    }

    private struct OutOfBag {
        var sums: [Int64]
        var counts: [Int32]
        init(rows: Int) {
            sums = .init(repeating: 0, count: rows)
            counts = .init(repeating: 0, count: rows)
        }
    }
}

/// Results of several threads, each at a place of its own.
///
/// @unchecked Sendable: no two threads write one element, and nobody reads before all have ended.
private final class Collected<Element>: @unchecked Sendable {
    private let elements: UnsafeMutableBufferPointer<Element>

    init(count: Int, empty: Element) {
        elements = .allocate(capacity: count)
        elements.initialize(repeating: empty)
    }

    deinit {
        elements.deinitialize()
        elements.deallocate()
    }

    func set(_ index: Int, _ element: Element) { elements[index] = element }
    var all: [Element] { Array(elements) }
}

/// Grows trees depth first; one a thread.
private final class ForestGrower {
    private struct Task {
        var node: Int
        var start: Int
        var count: Int
        var depth: Int
    }

    private let matrix: BinnedMatrix
    private let target: UnsafeBufferPointer<Float>
    private let weights: UnsafeBufferPointer<Float>?
    private let settings: RandomForestSettings
    private let tried: Int
    private let rows: UnsafeMutablePointer<UInt32>
    private let scratch: UnsafeMutablePointer<UInt32>
    private let packed: UnsafeMutablePointer<Int64>
    private let gradients: UnsafeMutablePointer<Float>
    private let hessians: UnsafeMutablePointer<Float>
    private let histogram: UnsafeMutablePointer<Int64>
    private let goesLeft: UnsafeMutablePointer<UInt8>
    private var order: [Int]

    init(
        _ matrix: BinnedMatrix, _ target: UnsafeBufferPointer<Float>, _ weights: UnsafeBufferPointer<Float>?,
        tried: Int, _ settings: RandomForestSettings
    ) {
        self.matrix = matrix
        self.target = target
        self.weights = weights
        self.tried = tried
        self.settings = settings
        rows = .allocate(capacity: matrix.rows + 1)
        scratch = .allocate(capacity: matrix.rows + 1)
        packed = .allocate(capacity: matrix.rows + 1)
        packed.initialize(repeating: 0, count: matrix.rows + 1)
        gradients = .allocate(capacity: matrix.rows + 1)
        hessians = .allocate(capacity: matrix.rows + 1)
        gradients.initialize(repeating: 0, count: matrix.rows + 1)
        hessians.initialize(repeating: 0, count: matrix.rows + 1)
        histogram = .allocate(capacity: BinnedMatrix.bins)
        goesLeft = .allocate(capacity: 256)
        order = Array(0..<matrix.features)
    }

    deinit {
        rows.deallocate()
        scratch.deallocate()
        packed.deallocate()
        gradients.deallocate()
        hessians.deallocate()
        histogram.deallocate()
        goesLeft.deallocate()
    }

    /// One tree, and the rows that its bootstrap sample left out.
    func grow(_ sample: [UInt32], number: Int) -> (DecisionTree, outside: [UInt32]) {
        var random = RandomStream(seed: settings.seed, lane: UInt64(number) &+ 0xF0)
        // Not as the tree before left it: which tree that was depends on the threads.
        for feature in order.indices { order[feature] = feature }
        var draws = [UInt16](repeating: 0, count: sample.count)
        for _ in sample { draws[random.below(sample.count)] += 1 }
        var outside: [UInt32] = []
        var count = 0
        for (row, draw) in zip(sample, draws) {
            guard draw > 0 else {
                outside.append(row)
                continue
            }
            let weight = Float(draw) * (weights?[Int(row)] ?? 1)
            guard weight > 0 else { continue }
            rows[count] = row
            hessians[Int(row)] = weight
            gradients[Int(row)] = target[Int(row)] * weight
            count += 1
        }
        var tree = DecisionTree()
        guard count > 0 else {
            _ = tree.addLeaf(cover: 0)
            return (tree, outside)
        }
        let scales = pack(count, seed: UInt32(truncatingIfNeeded: random.next()))
        var tasks = [Task(node: tree.addLeaf(cover: 0), start: 0, count: count, depth: 0)]
        while let task = tasks.popLast() { split(task, &tree, &tasks, scales, &random) }
        return (tree, outside)
    }

    private func pack(_ count: Int, seed: UInt32) -> (gradient: Double, hessian: Double) {
        var (size, weight) = (0.0, 0.0)
        ctrees_totals(gradients, hessians, rows, UInt64(count), &size, &weight)
        func scale(_ sum: Double) -> Double {
            sum > 0 ? Double(sign: .plus, exponent: 28 - sum.exponent, significand: 1) : 1
        }
        let scales = (gradient: scale(size), hessian: scale(weight))
        ctrees_pack(
            gradients, hessians, 0, UInt64(matrix.rows), Float(scales.gradient), Float(scales.hessian), seed, packed)
        return scales
    }

    private func split(
        _ task: Task, _ tree: inout DecisionTree, _ tasks: inout [Task], _ scales: (gradient: Double, hessian: Double),
        _ random: inout RandomStream
    ) {
        let own = rows + task.start
        var (sum, weight) = (0.0, 0.0)
        ctrees_leaf_sums(gradients, hessians, own, UInt64(task.count), &sum, &weight)
        tree.cover[task.node] = weight
        tree.value[task.node] = weight > 0 ? sum / weight : 0
        guard task.count >= 2 * settings.leafRows, settings.depth == 0 || task.depth < settings.depth,
            let (feature, found, gain) = best(task, scales, &random)
        else { return }
        fill(feature, own, task.count)
        var (below, above) = (Int(found.bin), Int(found.bin) + 1)
        while below > 1, histogram[below] == 0 { below -= 1 }
        while above <= matrix.edges[feature].binCount, histogram[above] == 0 { above += 1 }
        let bin = matrix.lastLeft(feature: feature, left: below, right: above)
        for index in 1..<256 { goesLeft[index] = index <= bin ? 1 : 0 }
        let total = (0..<BinnedMatrix.bins).reduce(Int64(0)) { $0 &+ histogram[$1] }
        let leftWeight = Int32(truncatingIfNeeded: found.left)
        let missingLeft =
            histogram[0] != 0
            ? found.missing_left != 0 : leftWeight >= Int32(truncatingIfNeeded: total &- found.left)
        goesLeft[0] = missingLeft ? 1 : 0
        let left = Int(
            ctrees_partition(matrix.column(feature), goesLeft, own, UInt64(task.count), own, scratch))
        guard left >= settings.leafRows, task.count - left >= settings.leafRows else {
            // Rows are counted once however often they are drawn; put them back in their order.
            (own + left).update(from: scratch, count: task.count - left)
            return
        }
        (own + left).update(from: scratch, count: task.count - left)
        tree.feature[task.node] = Int32(feature)
        tree.threshold[task.node] = matrix.threshold(feature: feature, left: bin, right: bin + 1)
        tree.bin[task.node] = UInt8(bin)
        tree.missingLeft[task.node] = missingLeft
        tree.gain[task.node] = gain
        tree.value[task.node] = 0
        let children = (tree.addLeaf(cover: 0), tree.addLeaf(cover: 0))
        (tree.left[task.node], tree.right[task.node]) = (Int32(children.0), Int32(children.1))
        tasks.append(
            Task(node: children.1, start: task.start + left, count: task.count - left, depth: task.depth + 1))
        tasks.append(Task(node: children.0, start: task.start, count: left, depth: task.depth + 1))
    }

    private func fill(_ feature: Int, _ rows: UnsafePointer<UInt32>, _ count: Int) {
        histogram.update(repeating: 0, count: BinnedMatrix.bins)
        ctrees_histogram(matrix.column(feature), 1, rows, UInt64(count), packed, histogram)
    }

    /// The best split of `tried` features drawn at random; features that cannot split do not count among them.
    private func best(
        _ task: Task, _ scales: (gradient: Double, hessian: Double), _ random: inout RandomStream
    ) -> (Int, ctrees_split, gain: Double)? {
        var best: (Int, ctrees_split, gain: Double)?
        var (bestScore, parent, useful) = (-Double.infinity, 0.0, 0)
        for place in 0..<order.count where useful < tried {
            order.swapAt(place, place + random.below(order.count - place))
            let feature = order[place]
            fill(feature, rows + task.start, task.count)
            let total = (0..<BinnedMatrix.bins).reduce(Int64(0)) { $0 &+ histogram[$1] }
            let (g, h) = (Double(Int32(truncatingIfNeeded: total >> 32)), Double(Int32(truncatingIfNeeded: total)))
            parent = g * g / max(h, 1)
            let least = Double(settings.leafRows) / Double(task.count) * h * 0.5
            let split = ctrees_best_split(
                histogram, UInt32(matrix.edges[feature].binCount), total, 0, max(1, least))
            guard split.score > -.infinity else { continue }
            useful += 1
            if split.score > bestScore {
                bestScore = split.score
                best = (feature, split, (split.score - parent) * scales.hessian / (scales.gradient * scales.gradient))
            }
        }
        guard let best, bestScore > parent + abs(parent) * 1e-12 else { return nil }
        return best
    }
}
