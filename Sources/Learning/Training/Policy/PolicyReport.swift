import Base
import Rows
import Scoring
import Statistics
import Trees

/// A policy tree found on one half of the rows, and what it is worth on the other.
package struct PolicyReport: Sendable {
    package struct Segment: Sendable {
        package var words: String
        /// The arm it gets; nil: the control.
        package var arm: String?
        /// Of the held-out rows.
        package var rows: Int
        package var share: Double
        /// By effect: the average effect in the segment.
        package var effects: [(estimate: Double, standardError: Double)]
    }

    package struct Value: Sendable {
        package var name: String
        package var estimate: Double
        package var standardError: Double
    }

    package var depth: Int
    package var tree: PolicyTree
    package var segments: [Segment]
    /// The mean reward a row of the tree, of treating everyone with each arm, and of the budget's rule; nobody treated is 0.
    package var values: [Value]
    /// The tree's less the best arm for everyone.
    package var gain: Value
    package var heldOut: Int

    /// - Parameters:
    ///   - costs: of each arm but the control, in units of the outcome.
    ///   - budget: the greatest share to treat by the rule of the greatest effects; nil: no such rule.
    package init(
        _ data: TrainingData, _ matrix: BinnedMatrix, _ outcome: TrainedOutcome, depth: Int, costs: [Double],
        budget: Double?, seed: UInt64, threads: Int
    ) {
        let folds = Folds(rows: data.count, count: 2, clusters: data.clusters, seed: seed ^ 0x504F_4C49)
        let (fit, held) = (
            (0..<data.count).filter { folds.fold[$0] == 0 }, (0..<data.count).filter { folds.fold[$0] == 1 }
        )
        let rewards = outcome.scores.scores.enumerated().map { effect, scores in
            scores.indices.map { (scores[$0] - Float(costs[effect])) * data.weight($0) }
        }
        // The features that the forest tells apart most, when a search over all would take long.
        let most = depth >= 3 ? 10 : 40
        let features = data.features.count <= most ? nil : outcome.informative(matrix, most: most)
        let search = PolicySearch(matrix, rewards: rewards, rows: fit, features: features)
        tree = search.best(depth: depth, threads: threads)
        self.depth = depth
        heldOut = held.count
        let clusters = data.clusters
        func mean(_ name: String, _ value: (Int) -> Double) -> Value {
            let found = EffectScores.mean(
                data.count, clusters, data.clusterCount, isIn: { folds.fold[$0] == 1 },
                weight: { Double(data.weight($0)) }, value: value)
            return Value(name: name, estimate: found.estimate, standardError: found.standardError)
        }
        let scores = outcome.scores.scores
        func reward(_ arm: Int, _ row: Int) -> Double { arm == 0 ? 0 : Double(scores[arm - 1][row]) - costs[arm - 1] }
        let tree = tree
        let arms = [UInt8](unsafeUninitializedCapacity: data.count) { buffer, count in
            for row in 0..<data.count { buffer[row] = UInt8(tree.arm(row, matrix)) }
            count = data.count
        }
        values = [mean("policy tree") { reward(Int(arms[$0]), $0) }]
        for (index, name) in data.plan.effects.enumerated() {
            values.append(mean("\(name) for everyone") { reward(index + 1, $0) })
        }
        var bestArm = 0
        for index in data.plan.effects.indices
        where values[index + 1].estimate > (bestArm == 0 ? 0 : values[bestArm].estimate) {
            bestArm = index + 1
        }
        let best = bestArm
        gain = mean("policy tree less the best for everyone") { reward(Int(arms[$0]), $0) - reward(best, $0) }
        if let budget {
            // The best arm of each row by its effect held out; those of the greatest effects get it.
            let chosen = (0..<data.count).map { row -> (arm: Int, effect: Double) in
                var best = (arm: 0, effect: 0.0)
                for index in outcome.effects.indices {
                    let effect = Double(outcome.effects[index][row]) - costs[index]
                    if effect > best.effect { best = (index + 1, effect) }
                }
                return best
            }
            let sorted = fit.map { chosen[$0].effect }.sorted(by: >)
            let place = min(sorted.count - 1, max(0, Int(budget * Double(sorted.count))))
            let cut = max(0, sorted[place])
            values.append(
                mean("greatest effects, at most \(Int((budget * 100).rounded())) %") {
                    chosen[$0].effect > cut ? reward(chosen[$0].arm, $0) : 0
                })
        }
        let words = tree.words(data.featureNames, matrix) {
            data.ranges[$0].kind == .binary
        } levels: {
            data.levels[$0]
        }
        let leaves = (0..<data.count).map { UInt16(tree.leaf($0, matrix)) }
        segments = words.enumerated().map { number, leaf in
            let rows = held.count { Int(leaves[$0]) == number }
            let effects = scores.indices.map { effect in
                let found = outcome.scores.average(effect) { folds.fold[$0] == 1 && Int(leaves[$0]) == number }
                return (estimate: found.estimate, standardError: found.standardError)
            }
            return Segment(
                words: leaf.words, arm: leaf.arm == 0 ? nil : data.plan.effects[leaf.arm - 1], rows: rows,
                share: Double(rows) / Double(max(1, held.count)), effects: effects)
        }
    }
}

extension TrainedOutcome {
    /// The features whose bins tell the effects held out apart most, by the variance between them.
    func informative(_ matrix: BinnedMatrix, most: Int) -> [Int] {
        let power = (0..<matrix.features).map { feature -> Double in
            var (sums, counts) = ([Double](repeating: 0, count: 256), [Double](repeating: 0, count: 256))
            for row in stride(from: 0, to: matrix.rows, by: max(1, matrix.rows / 50_000)) {
                let bin = Int(matrix.bin(row: row, feature: feature))
                sums[bin] += Double(effects[0][row])
                counts[bin] += 1
            }
            let total = counts.reduce(0, +), mean = sums.reduce(0, +) / max(1, total)
            return (0..<256).reduce(0) { value, bin in
                guard counts[bin] > 0 else { return value }
                let away = sums[bin] / counts[bin] - mean
                return value + counts[bin] * away * away
            }
        }
        return Array((0..<matrix.features).sorted { (power[$0], $1) > (power[$1], $0) }.prefix(most)).sorted()
    }
}
