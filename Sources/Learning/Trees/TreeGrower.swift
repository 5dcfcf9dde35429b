import Base
import CTrees
import Statistics

/// What a boosted tree must keep to.
package struct TreeLimits: Sendable, Equatable {
    /// Leaves at the most; the leaf whose split gains most is split first.
    package var leaves = 31
    /// Splits on a path at the most; 0: no limit.
    package var depth = 0
    /// Rows in a leaf at the least. Held by the leaf's share of the node's Hessian, which is exact for the squared loss.
    package var rows = 20
    /// Σ Hessian of a leaf at the least.
    package var childWeight = 1e-3
    /// Added to the Hessian of a leaf.
    package var l2 = 1.0
    /// By how much a split must lower the loss.
    package var gain = 0.0

    package init() {}
}

/// Grows one tree after another on gradients and Hessians (second-order boosting: Friedman 2001; Chen and Guestrin 2016),
/// best leaf first.
///
/// The histogram of a node's larger child is the node's less the smaller child's. Sums are of integers, so that a tree
/// does not depend on the number of threads; leaf values come from the exact gradients, added in the order of the rows.
final class TreeGrower {
    /// Features that stand together in a plane: what one task handles.
    private struct Group {
        let features: Range<Int>
        let bins: UnsafeMutablePointer<UInt8>
    }

    private struct Leaf {
        var node: Int
        var start: Int
        var count: Int
        var depth: Int
        var total: Int64
        /// The histogram's number in the pool; −1 when the leaf will not be split.
        var histogram = -1
        var gain = 0.0
        var feature = -1
        var split = ctrees_split()
    }

    private let matrix: BinnedMatrix
    private let limits: TreeLimits
    private let threads: Int
    private let groups: [Group]
    private let hasMissing: [Bool]
    private let rows: UnsafeMutablePointer<UInt32>
    private let scratch: UnsafeMutablePointer<UInt32>
    private let packed: UnsafeMutablePointer<Int64>
    private let splits: UnsafeMutablePointer<ctrees_split>
    private var histograms: [UnsafeMutablePointer<Int64>] = []
    private var free: [Int] = []
    private let goesLeft = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)

    /// Rows × features below which a second thread costs more than it saves.
    private static let smallWork = 40_000

    init(_ matrix: BinnedMatrix, limits: TreeLimits, threads: Int) {
        self.matrix = matrix
        self.limits = limits
        self.threads = threads
        groups = Self.groups(matrix)
        hasMissing = (0..<matrix.features).map(matrix.hasMissing)
        rows = .allocate(capacity: matrix.rows + 1)
        scratch = .allocate(capacity: matrix.rows + 2)
        packed = .allocate(capacity: matrix.rows + 1)
        splits = .allocate(capacity: matrix.features * 2)
        splits.initialize(repeating: ctrees_split(), count: matrix.features * 2)
    }

    deinit {
        rows.deallocate()
        scratch.deallocate()
        packed.deallocate()
        splits.deallocate()
        for histogram in histograms { histogram.deallocate() }
        goesLeft.deallocate()
    }

    /// Each plane in an even number of nearly equal parts of at most eight features, so that two threads share the work.
    private static func groups(_ matrix: BinnedMatrix) -> [Group] {
        var groups: [Group] = []
        for first in stride(from: 0, to: matrix.features, by: BinnedMatrix.lanes) {
            let count = min(BinnedMatrix.lanes, matrix.features - first)
            let parts = min(count, 2)
            for part in 0..<parts {
                let range = Parallel.slice(part, of: parts, count: count)
                let features = first + range.lowerBound..<first + range.upperBound
                groups.append(Group(features: features, bins: matrix.column(features.lowerBound)))
            }
        }
        return groups
    }

    /// Grows a tree on `sample` (ascending rows) and sets its leaf values to `rate` times the step that minimises the loss.
    ///
    /// - Parameters:
    ///   - gradients, hessians: one a row of the matrix.
    ///   - active: which features may split.
    ///   - leaf: called for each leaf with its rows and value.
    func grow(
        gradients: UnsafePointer<Float>, hessians: UnsafePointer<Float>, sample: UnsafeBufferPointer<UInt32>,
        active: [Bool]?, rate: Double, seed: UInt32, leaf visit: (UnsafeBufferPointer<UInt32>, Double) -> Void
    ) -> DecisionTree {
        var tree = DecisionTree()
        let count = sample.count
        guard count > 0, let first = sample.baseAddress else { return tree }
        rows.update(from: first, count: count)
        let isAll = count == matrix.rows
        // Powers of two, so that the sums stay within 30 bits.
        var (size, weight) = (0.0, 0.0)
        ctrees_totals(gradients, hessians, isAll ? nil : first, UInt64(count), &size, &weight)
        let gradientScale = Self.scale(size)
        let hessianScale = Self.scale(weight)
        let parts = matrix.rows > 1 << 15 ? threads : 1
        nonisolated(unsafe) let (gradientsOfAll, hessiansOfAll) = (gradients, hessians)
        Parallel.forEach(parts, threads: threads) { part in
            let range = Parallel.slice(part, of: parts, count: matrix.rows)
            ctrees_pack(
                gradientsOfAll, hessiansOfAll, UInt64(range.lowerBound), UInt64(range.upperBound),
                Float(gradientScale), Float(hessianScale), seed, packed)
        }
        let units = Units(gradient: gradientScale, hessian: hessianScale, limits: limits)
        var leaves: [Leaf] = []
        leaves.reserveCapacity(limits.leaves)
        var root = Leaf(node: tree.addLeaf(cover: Double(count)), start: 0, count: count, depth: 0, total: 0)
        root.histogram = takeHistogram()
        searchRoot(&root, isAll: isAll, active, units)
        leaves.append(root)
        while leaves.count < limits.leaves {
            var best = -1
            for index in leaves.indices where leaves[index].feature >= 0 {
                if best < 0 || leaves[index].gain > leaves[best].gain { best = index }
            }
            guard best >= 0 else { break }
            let isLast = leaves.count + 1 == limits.leaves
            leaves.append(split(&leaves[best], &tree, isLast: isLast, active, units))
        }
        finish(&tree, leaves, gradients, hessians, rate, visit)
        return tree
    }

    private struct Units {
        let l2: Double
        /// A score in the histogram's units times this is a loss.
        let loss: Double
        let childWeight: Double

        init(gradient: Double, hessian: Double, limits: TreeLimits) {
            l2 = limits.l2 * hessian
            loss = hessian / (gradient * gradient) / 2
            childWeight = limits.childWeight * hessian
        }
    }

    private static func scale(_ sum: Double) -> Double {
        guard sum > 0, sum.isFinite else { return 1 }
        // Sums of up to 2^29 in the scale's units leave room for one unit of rounding a row.
        return Double(sign: .plus, exponent: 28 - sum.exponent, significand: 1)
    }

    private func takeHistogram() -> Int {
        if let number = free.popLast() { return number }
        histograms.append(.allocate(capacity: matrix.features * BinnedMatrix.bins))
        return histograms.count - 1
    }

    private func isActive(_ group: Group, _ active: [Bool]?) -> Bool {
        active.map { active in group.features.contains { active[$0] } } ?? true
    }

    private func searchRoot(_ leaf: inout Leaf, isAll: Bool, _ active: [Bool]?, _ units: Units) {
        let histogram = histograms[leaf.histogram]
        let count = leaf.count
        Parallel.forEach(groups.count, threads: count * matrix.features > Self.smallWork ? threads : 1) { index in
            fill(groups[index], histogram, isAll ? nil : UnsafePointer(rows), count)
        }
        var total: Int64 = 0
        for bin in 0..<BinnedMatrix.bins { total &+= histogram[bin] }
        leaf.total = total
        guard mayBeSplit(leaf) else { return }
        let least = leastHessian(leaf, units)
        for group in groups where isActive(group, active) { search(group, histogram, total, least, 0, active, units) }
        take(&leaf, 0, active, units)
    }

    private func fill(
        _ group: Group, _ histogram: UnsafeMutablePointer<Int64>, _ rows: UnsafePointer<UInt32>?, _ count: Int
    ) {
        let own = histogram + group.features.lowerBound * BinnedMatrix.bins
        own.update(repeating: 0, count: group.features.count * BinnedMatrix.bins)
        ctrees_histogram(group.bins, UInt32(group.features.count), rows, UInt64(count), packed, own)
    }

    private func mayBeSplit(_ leaf: Leaf) -> Bool {
        leaf.count >= 2 * max(1, limits.rows) && (limits.depth == 0 || leaf.depth < limits.depth)
    }

    private func leastHessian(_ leaf: Leaf, _ units: Units) -> Double {
        let hessian = Double(Int32(truncatingIfNeeded: leaf.total))
        return max(units.childWeight, hessian / Double(leaf.count) * Double(limits.rows) * (1 - 1e-6))
    }

    /// The best split of each feature of a group, into the splits of `side` (0 or 1).
    private func search(
        _ group: Group, _ histogram: UnsafePointer<Int64>, _ total: Int64, _ least: Double, _ side: Int,
        _ active: [Bool]?, _ units: Units
    ) {
        for feature in group.features where active?[feature] ?? true {
            splits[side * matrix.features + feature] = ctrees_best_split(
                histogram + feature * BinnedMatrix.bins, UInt32(matrix.edges[feature].binCount), total, units.l2, least)
        }
    }

    /// The best of the features' splits becomes the leaf's.
    private func take(_ leaf: inout Leaf, _ side: Int, _ active: [Bool]?, _ units: Units) {
        let gradient = Double(Int32(truncatingIfNeeded: leaf.total >> 32))
        let hessian = Double(Int32(truncatingIfNeeded: leaf.total))
        let own = gradient * gradient / (hessian + units.l2)
        var best = -Double.infinity
        for feature in 0..<matrix.features where active?[feature] ?? true {
            let split = splits[side * matrix.features + feature]
            guard split.score > best else { continue }
            best = split.score
            leaf.feature = feature
            leaf.split = split
        }
        leaf.gain = (best - own) * units.loss
        if !(leaf.gain > max(limits.gain, 1e-12 * abs(own) * units.loss)) { leaf.feature = -1 }
    }

    /// Splits a leaf; it becomes the left child, the right one is returned.
    private func split(
        _ leaf: inout Leaf, _ tree: inout DecisionTree, isLast: Bool, _ active: [Bool]?, _ units: Units
    ) -> Leaf {
        let (feature, found) = (leaf.feature, leaf.split)
        let missingLeft = found.missing_left != 0
        let parent = histograms[leaf.histogram]
        let own = parent + feature * BinnedMatrix.bins
        var (below, above) = (Int(found.bin), Int(found.bin) + 1)
        while below > 1, own[below] == 0 { below -= 1 }
        while above <= matrix.edges[feature].binCount, own[above] == 0 { above += 1 }
        let bin = matrix.lastLeft(feature: feature, left: below, right: above)
        for index in 1..<256 { goesLeft[index] = index <= bin ? 1 : 0 }
        // Without missing values in the node, those to come go with the larger side.
        let leftHessian = Int32(truncatingIfNeeded: found.left)
        let rightHessian = Int32(truncatingIfNeeded: leaf.total &- found.left)
        let sendsMissingLeft = own[0] != 0 ? missingLeft : leftHessian >= rightHessian
        goesLeft[0] = sendsMissingLeft ? 1 : 0
        let start = rows + leaf.start
        let leftCount = partition(start, leaf.count, matrix.column(feature))
        let node = leaf.node
        tree.feature[node] = Int32(feature)
        tree.threshold[node] = matrix.threshold(feature: feature, left: bin, right: bin + 1)
        tree.bin[node] = UInt8(bin)
        tree.missingLeft[node] = sendsMissingLeft
        tree.gain[node] = leaf.gain
        let children = (tree.addLeaf(cover: Double(leftCount)), tree.addLeaf(cover: Double(leaf.count - leftCount)))
        (tree.left[node], tree.right[node]) = (Int32(children.0), Int32(children.1))

        var left = Leaf(
            node: children.0, start: leaf.start, count: leftCount, depth: leaf.depth + 1, total: found.left)
        var right = Leaf(
            node: children.1, start: leaf.start + leftCount, count: leaf.count - leftCount, depth: leaf.depth + 1,
            total: leaf.total &- found.left)
        if isLast || !(mayBeSplit(left) || mayBeSplit(right)) {
            free.append(leaf.histogram)
        } else {
            searchChildren(&left, &right, parent: leaf.histogram, active, units)
        }
        leaf = left
        return right
    }

    /// Histograms and best splits of two siblings: the smaller one is counted, the larger is what remains of the parent.
    private func searchChildren(
        _ left: inout Leaf, _ right: inout Leaf, parent: Int, _ active: [Bool]?, _ units: Units
    ) {
        let isLeftSmall = left.count <= right.count
        let small = isLeftSmall ? left : right
        let large = isLeftSmall ? right : left
        let smallNumber = takeHistogram()
        let (smallHistogram, largeHistogram) = (histograms[smallNumber], histograms[parent])
        let (splitsSmall, splitsLarge) = (mayBeSplit(small), mayBeSplit(large))
        let (leastSmall, leastLarge) = (leastHessian(small, units), leastHessian(large, units))
        let work = (small.count + 1024) * matrix.features
        Parallel.forEach(groups.count, threads: work > Self.smallWork ? threads : 1) { index in
            let group = groups[index]
            guard isActive(group, active) else { return }
            fill(group, smallHistogram, rows + small.start, small.count)
            let first = group.features.lowerBound * BinnedMatrix.bins
            for bin in first..<first + group.features.count * BinnedMatrix.bins {
                largeHistogram[bin] &-= smallHistogram[bin]
            }
            if splitsSmall { search(group, smallHistogram, small.total, leastSmall, 0, active, units) }
            if splitsLarge { search(group, largeHistogram, large.total, leastLarge, 1, active, units) }
        }
        var (first, second) = (small, large)
        if splitsSmall { take(&first, 0, active, units) }
        if splitsLarge { take(&second, 1, active, units) }
        if first.feature >= 0 { first.histogram = smallNumber } else { free.append(smallNumber) }
        if second.feature >= 0 { second.histogram = parent } else { free.append(parent) }
        (left, right) = isLeftSmall ? (first, second) : (second, first)
    }

    /// Rows that go left come first; both sides keep their order. Returns how many go left.
    private func partition(_ start: UnsafeMutablePointer<UInt32>, _ count: Int, _ bins: UnsafePointer<UInt8>) -> Int {
        guard threads > 1, count > 1 << 14 else {
            let left = Int(ctrees_partition(bins, goesLeft, start, UInt64(count), start, scratch))
            (start + left).update(from: scratch, count: count - left)
            return left
        }
        // Two halves: each puts its left rows in place and its right rows aside, then all are put together.
        let half = count / 2
        var sizes = (0, 0)
        withUnsafeMutablePointer(to: &sizes) { sizes in
            nonisolated(unsafe) let sizes = sizes
            nonisolated(unsafe) let (start, bins) = (start, bins)
            Parallel.forEach(2, threads: 2) { part in
                let from = part == 0 ? 0 : half
                let size = part == 0 ? half : count - half
                // Each partition writes one element beyond its own at the most; `scratch` has room between the halves.
                let left = ctrees_partition(
                    bins, goesLeft, start + from, UInt64(size), start + from, scratch + from + part)
                if part == 0 { sizes.pointee.0 = Int(left) } else { sizes.pointee.1 = Int(left) }
            }
        }
        let left = sizes.0 + sizes.1
        (start + sizes.0).update(from: start + half, count: sizes.1)
        (start + left).update(from: scratch, count: half - sizes.0)
        (start + left + half - sizes.0).update(from: scratch + half + 1, count: count - half - sizes.1)
        return left
    }

    /// Leaf values from the exact gradients.
    private func finish(
        _ tree: inout DecisionTree, _ leaves: [Leaf], _ gradients: UnsafePointer<Float>,
        _ hessians: UnsafePointer<Float>, _ rate: Double, _ visit: (UnsafeBufferPointer<UInt32>, Double) -> Void
    ) {
        free.removeAll(keepingCapacity: true)
        free += histograms.indices
        var values = [Double](repeating: 0, count: leaves.count)
        let l2 = limits.l2
        values.withUnsafeMutableBufferPointer { values in
            nonisolated(unsafe) let values = values
            nonisolated(unsafe) let (gradients, hessians) = (gradients, hessians)
            Parallel.forEach(leaves.count, threads: matrix.rows > 1 << 14 ? threads : 1) { index in
                let own = UnsafeBufferPointer(start: rows + leaves[index].start, count: leaves[index].count)
                var (gradient, hessian) = (0.0, 0.0)
                ctrees_leaf_sums(gradients, hessians, own.baseAddress, UInt64(own.count), &gradient, &hessian)
                let step = hessian + l2 > 0 ? -gradient / (hessian + l2) : 0
                values[index] = step * rate
            }
        }
        for (leaf, value) in zip(leaves, values) {
            tree.value[leaf.node] = value
            visit(UnsafeBufferPointer(start: rows + leaf.start, count: leaf.count), value)
        }
    }
}
