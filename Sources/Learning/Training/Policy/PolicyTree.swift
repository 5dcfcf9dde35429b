import Base
import Foundation
import Trees

/// A shallow tree of whom to give which arm, the best of all trees of its depth by exact search over quantile cuts (Athey and
/// Wager 2021; Zhou, Athey and Wager 2023).
///
/// A leaf takes the arm of the greatest sum of rewards: doubly robust scores less the arm's cost, 0 for the control.
package indirect enum PolicyTree: Sendable, Equatable {
    /// Arm 0 is the control.
    case leaf(arm: Int, rows: Int)
    /// `bin`: the last one that goes left; missing values, bin 0, do.
    case split(feature: Int, bin: UInt8, left: PolicyTree, right: PolicyTree)

    /// The arm of a row.
    package func arm(_ row: Int, _ matrix: BinnedMatrix) -> Int {
        switch self {
        case .leaf(let arm, _): arm
        case .split(let feature, let bin, let left, let right):
            matrix.bin(row: row, feature: feature) <= bin ? left.arm(row, matrix) : right.arm(row, matrix)
        }
    }

    /// The number of the leaf that a row is in, from the left.
    package func leaf(_ row: Int, _ matrix: BinnedMatrix) -> Int {
        switch self {
        case .leaf: 0
        case .split(let feature, let bin, let left, let right):
            matrix.bin(row: row, feature: feature) <= bin
                ? left.leaf(row, matrix) : left.leafCount + right.leaf(row, matrix)
        }
    }

    package var leafCount: Int {
        switch self {
        case .leaf: 1
        case .split(_, _, let left, let right): left.leafCount + right.leafCount
        }
    }

    /// Each leaf in words: `womens = 1 and recency ≤ 6.5`.
    ///
    /// - Parameter levels: of a feature that is a category, its texts by code.
    package func words(
        _ names: [String], _ matrix: BinnedMatrix, isBinary: (Int) -> Bool, levels: (Int) -> [String]?
    ) -> [(
        words: String, arm: Int
    )] {
        func walk(_ tree: PolicyTree, _ path: [(feature: Int, low: Double, high: Double)]) -> [(String, Int)] {
            switch tree {
            case .leaf(let arm, _):
                let parts = path.map { part -> String in
                    let name = names[part.feature]
                    if let levels = levels(part.feature) {
                        let own = levels.indices.filter { Double($0) > part.low && Double($0) <= part.high }
                        let others = own.count > 4 ? " and \(own.count - 3) others" : ""
                        return "\(name) " + own.prefix(own.count > 4 ? 3 : 4).map { levels[$0] }.joined(separator: ", ")
                            + others
                    }
                    if isBinary(part.feature) { return part.high < .infinity ? "not \(name)" : name }
                    func number(_ value: Double) -> String {
                        value.formatted(
                            .number.precision(.significantDigits(1...4)).locale(.init(identifier: "en_US_POSIX"))
                                .grouping(.never))
                    }
                    if part.low == -.infinity { return "\(name) ≤ \(number(part.high))" }
                    if part.high == .infinity { return "\(name) > \(number(part.low))" }
                    return "\(name) in (\(number(part.low)), \(number(part.high))]"
                }
                return [(parts.isEmpty ? "everyone" : parts.joined(separator: " and "), arm)]
            case .split(let feature, let bin, let left, let right):
                let cut =
                    bin == 0
                    ? -Double.infinity : Double(matrix.threshold(feature: feature, left: Int(bin), right: Int(bin) + 1))
                func with(_ low: Double, _ high: Double) -> [(feature: Int, low: Double, high: Double)] {
                    var path = path
                    if let index = path.firstIndex(where: { $0.feature == feature }) {
                        path[index].low = max(path[index].low, low)
                        path[index].high = min(path[index].high, high)
                    } else {
                        path.append((feature, low, high))
                    }
                    return path
                }
                return walk(left, with(-.infinity, cut)) + walk(right, with(cut, .infinity))
            }
        }
        return walk(self, []).map { (words: $0.0, arm: $0.1) }
    }
}

/// The search.
package struct PolicySearch {
    private let matrix: BinnedMatrix
    private let rows: [Int]
    /// By arm but the control, by place in `rows`.
    private let rewards: [[Double]]
    private let leastRows: Int
    /// For each feature looked at the bins after which it is cut, ascending.
    private let features: [(feature: Int, cuts: [UInt8])]
    private let codes: [[UInt8]]
    private let cells = 16

    /// - Parameters:
    ///   - rewards: by arm but the control, by row of the matrix.
    ///   - rows: to search on; at most 100,000 of them are used, evenly spread.
    ///   - features: to look at; nil: all. Time grows with their count to the power of the depth.
    package init(
        _ matrix: BinnedMatrix, rewards: [[Float]], rows: [Int], features: [Int]? = nil, leastRows: Int? = nil
    ) {
        self.matrix = matrix
        let step = max(1, rows.count / 100_000)
        let used = step == 1 ? rows : stride(from: 0, to: rows.count, by: step).map { rows[$0] }
        self.rows = used
        self.rewards = rewards.map { reward in used.map { Double(reward[$0]) } }
        self.leastRows = leastRows ?? max(20, used.count / 50)
        let cells = self.cells
        var (chosen, codes): ([(feature: Int, cuts: [UInt8])], [[UInt8]]) = ([], [])
        for feature in features ?? Array(0..<matrix.features) {
            // About 16 cells of equal count.
            var counts = [Int](repeating: 0, count: 256)
            for row in used { counts[Int(matrix.bin(row: row, feature: feature))] += 1 }
            var (cuts, filled): ([UInt8], Int) = ([], 0)
            for bin in 0..<255 where counts[bin] > 0 {
                filled += counts[bin]
                if filled * cells >= (cuts.count + 1) * used.count, filled < used.count, cuts.count < cells - 1 {
                    cuts.append(UInt8(bin))
                }
            }
            guard !cuts.isEmpty else { continue }
            var cell = [UInt8](repeating: 0, count: 256)
            for bin in 0..<256 { cell[bin] = UInt8(cuts.count { Int($0) < bin }) }
            chosen.append((feature, cuts))
            codes.append(used.map { cell[Int(matrix.bin(row: $0, feature: feature))] })
        }
        self.features = chosen
        self.codes = codes
    }

    /// The best tree of at most a depth, 0 … 3.
    package func best(depth: Int, threads: Int) -> PolicyTree {
        search(Array(rows.indices), depth, threads).tree
    }

    private func search(_ places: [Int], _ depth: Int, _ threads: Int) -> (value: Double, tree: PolicyTree) {
        let (value, arm) = bestArm(places)
        let leaf = (value: value, tree: PolicyTree.leaf(arm: arm, rows: places.count))
        guard depth > 0, places.count >= 2 * leastRows else { return leaf }
        if depth == 1 { return splitOnce(places, leaf) }
        // The root's cuts in parallel; the first of equals wins, whatever the threads.
        let found = Slots<(Double, PolicyTree)>(features.count)
        Parallel.forEach(features.count, threads: threads) { index in
            let pair = depth == 2 ? pairSearch(places, index) : deepSearch(places, index, depth)
            found[index] = pair
        }
        var best = leaf
        for (value, tree) in found.values where value > best.value + 1e-9 { best = (value, tree) }
        return best
    }

    private func bestArm(_ places: [Int]) -> (value: Double, arm: Int) {
        var best = (value: 0.0, arm: 0)
        for arm in rewards.indices {
            var sum = 0.0
            for place in places { sum += rewards[arm][place] }
            if sum > best.value { best = (sum, arm + 1) }
        }
        return best
    }

    private func splitOnce(
        _ places: [Int], _ leaf: (value: Double, tree: PolicyTree)
    ) -> (value: Double, tree: PolicyTree) {
        var best = leaf
        for index in features.indices {
            var sums = [Double](repeating: 0, count: cells * rewards.count)
            var counts = [Int](repeating: 0, count: cells)
            for place in places {
                let cell = Int(codes[index][place])
                counts[cell] += 1
                for arm in rewards.indices { sums[cell * rewards.count + arm] += rewards[arm][place] }
            }
            guard let found = bestCut(sums, counts, index), found.value > best.value + 1e-9 else { continue }
            best = (found.value, tree(index, found.cut, found.left, found.right))
        }
        return best
    }

    private func tree(_ index: Int, _ cut: Int, _ left: (arm: Int, rows: Int), _ right: (arm: Int, rows: Int))
        -> PolicyTree
    {
        if left.arm == right.arm { return .leaf(arm: left.arm, rows: left.rows + right.rows) }
        return .split(
            feature: features[index].feature, bin: features[index].cuts[cut],
            left: .leaf(arm: left.arm, rows: left.rows),
            right: .leaf(arm: right.arm, rows: right.rows))
    }

    private typealias Cut = (value: Double, cut: Int, left: (arm: Int, rows: Int), right: (arm: Int, rows: Int))

    /// The best cut of one feature's cells.
    private func bestCut(_ sums: [Double], _ counts: [Int], _ index: Int) -> Cut? {
        let arms = rewards.count
        var total = [Double](repeating: 0, count: arms)
        for cell in 0..<cells { for arm in 0..<arms { total[arm] += sums[cell * arms + arm] } }
        let rows = counts.reduce(0, +)
        var (left, leftRows) = ([Double](repeating: 0, count: arms), 0)
        var best: Cut?
        for cut in features[index].cuts.indices {
            leftRows += counts[cut]
            for arm in 0..<arms { left[arm] += sums[cut * arms + arm] }
            guard leftRows >= leastRows, rows - leftRows >= leastRows else { continue }
            var (l, r) = ((value: 0.0, arm: 0), (value: 0.0, arm: 0))
            for arm in 0..<arms {
                if left[arm] > l.value { l = (left[arm], arm + 1) }
                if total[arm] - left[arm] > r.value { r = (total[arm] - left[arm], arm + 1) }
            }
            if best.map({ l.value + r.value > $0.value }) ?? true {
                best = (l.value + r.value, cut, (l.arm, leftRows), (r.arm, rows - leftRows))
            }
        }
        return best
    }

    /// Depth 2 below one root feature: for each other feature a table of both, so that no cut of the root costs a pass.
    private func pairSearch(_ places: [Int], _ root: Int) -> (Double, PolicyTree)? {
        let (arms, cuts) = (rewards.count, features[root].cuts.count)
        // For each cut of the root and side the best: a leaf, or one more cut.
        var best = [(value: Double, tree: PolicyTree)?](repeating: nil, count: cuts * 2)
        for second in features.indices {
            var sums = [Double](repeating: 0, count: cells * cells * arms)
            var counts = [Int](repeating: 0, count: cells * cells)
            for place in places {
                let cell = Int(codes[root][place]) * cells + Int(codes[second][place])
                counts[cell] += 1
                for arm in 0..<arms { sums[cell * arms + arm] += rewards[arm][place] }
            }
            for side in 0..<2 {
                var (part, partCounts) = (
                    [Double](repeating: 0, count: cells * arms), [Int](repeating: 0, count: cells)
                )
                for step in 0..<cuts {
                    // Left of cut k: root cells 0 … k. Right of it: those above.
                    let cut = side == 0 ? step : cuts - 1 - step
                    let added =
                        side == 0
                        ? (step == 0 ? 0...0 : cut...cut) : (step == 0 ? cut + 1...cells - 1 : cut + 1...cut + 1)
                    for cell in added {
                        for other in 0..<cells {
                            partCounts[other] += counts[cell * cells + other]
                            for arm in 0..<arms {
                                part[other * arms + arm] += sums[(cell * cells + other) * arms + arm]
                            }
                        }
                    }
                    let rows = partCounts.reduce(0, +)
                    guard rows >= leastRows else { continue }
                    let place = cut * 2 + side
                    if best[place] == nil {
                        var leaf = (value: 0.0, arm: 0)
                        for arm in 0..<arms {
                            var sum = 0.0
                            for other in 0..<cells { sum += part[other * arms + arm] }
                            if sum > leaf.value { leaf = (sum, arm + 1) }
                        }
                        best[place] = (leaf.value, .leaf(arm: leaf.arm, rows: rows))
                    }
                    if let found = bestCut(part, partCounts, second), found.value > (best[place]?.value ?? 0) + 1e-9 {
                        best[place] = (found.value, tree(second, found.cut, found.left, found.right))
                    }
                }
            }
        }
        var result: (Double, PolicyTree)?
        for cut in 0..<cuts {
            guard let left = best[cut * 2], let right = best[cut * 2 + 1] else { continue }
            let value = left.value + right.value
            guard result.map({ value > $0.0 + 1e-9 }) ?? true else { continue }
            result = (
                value,
                .split(
                    feature: features[root].feature, bin: features[root].cuts[cut], left: left.tree, right: right.tree)
            )
        }
        return result
    }

    private func deepSearch(_ places: [Int], _ root: Int, _ depth: Int) -> (Double, PolicyTree)? {
        var result: (Double, PolicyTree)?
        for cut in features[root].cuts.indices {
            let left = places.filter { Int(codes[root][$0]) <= cut },
                right = places.filter { Int(codes[root][$0]) > cut }
            guard left.count >= leastRows, right.count >= leastRows else { continue }
            let (a, b) = (search(left, depth - 1, 1), search(right, depth - 1, 1))
            guard result.map({ a.value + b.value > $0.0 + 1e-9 }) ?? true else { continue }
            result = (
                a.value + b.value,
                .split(feature: features[root].feature, bin: features[root].cuts[cut], left: a.tree, right: b.tree)
            )
        }
        return result
    }
}
