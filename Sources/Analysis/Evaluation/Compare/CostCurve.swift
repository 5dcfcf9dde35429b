import Statistics

/// What treating the best-scored costs and brings: the cost curve of one ranking.
///
/// Costs are an outcome of their own (a voucher costs only when it is redeemed): x is the cost that treating the best share
/// adds, y what it brings, both from doubly robust scores. With one cost for all, x is the share times the cost.
package struct CostCurve: Sendable {
    package struct Point: Sendable, Equatable {
        /// The share of people treated, best scores first.
        package let share: Double
        /// A person of all, treated or not.
        package let cost: TrialEstimate
        package let gain: TrialEstimate
        /// Outcome value times gain, less cost.
        package let net: TrialEstimate
    }

    /// At shares 0, 0.05 … 1.
    package let points: [Point]
    /// The area under gain (as a share of everyone's gain) over cost (as a share of everyone's cost): 0.5 for a random
    /// ranking (AUCC; Du, Lee and Ghaffarizadeh 2019). nil when gain or cost of everyone is not over 0.
    package let area: Double?
    /// The point of the highest net value.
    package let best: Point

    /// - Parameters:
    ///   - effects: doubly robust scores of the effect on the outcome, one a row.
    ///   - costs: of the effect on costs, or the cost of one treatment for every row.
    ///   - priority: the score; the highest is treated first.
    ///   - outcomeValue: what one unit of the outcome is worth.
    package init(
        effects: [Double], costs: [Double], priority: [Double], outcomeValue: Double, weight: [Double]? = nil,
        clusters: Clusters? = nil
    ) {
        let shares = (1..<20).map { Double($0) / 20 }
        let net = zip(effects, costs).map { outcomeValue * $0 - $1 }
        /// q (TOC(q) + average) is the total that the best share brings, a person of all.
        func heights(_ scores: [Double]) -> [TrialEstimate] {
            ShareTotals.at(shares, scores: scores, priority: priority, weight: weight, clusters: clusters)
        }
        let (gains, spends, nets) = (heights(effects), heights(costs), heights(net))
        let ends: [Double] = [0] + shares + [1]
        let points: [Point] = gains.indices.map { index in
            Point(share: ends[index], cost: spends[index], gain: gains[index], net: nets[index])
        }
        self.points = points
        best = points.max { $0.net.value < $1.net.value } ?? points[0]
        let end = points[points.count - 1]
        guard end.cost.value > 0, end.gain.value > 0 else {
            area = nil
            return
        }
        var sum = 0.0
        for (a, b) in zip(points, points.dropFirst()) {
            let width: Double = (b.cost.value - a.cost.value) / end.cost.value
            let height: Double = (a.gain.value + b.gain.value) / 2 / end.gain.value
            sum += width * height
        }
        area = sum
    }
}

/// The total over the best-scored share, divided by all: 0, at each share, and over everyone.
enum ShareTotals {
    static func at(
        _ shares: [Double], scores: [Double], priority: [Double], weight: [Double]?, clusters: Clusters?
    ) -> [TrialEstimate] {
        let rows = scores.indices.filter { (weight?[$0] ?? 1) > 0 }
        let order = rows.sorted { (priority[$0], $1) > (priority[$1], $0) }
        let total = weight?.reduce(0, +) ?? Double(scores.count)
        let none = TrialEstimate(value: 0, influence: [Double](repeating: 0, count: scores.count), clusters: clusters)
        var all: [TrialEstimate] = [none]
        var inside = [Double](repeating: 0, count: scores.count)
        var passed = 0.0
        var next = 0
        for share in shares + [1] {
            let limit = share * total
            while next < order.count, passed + (weight?[order[next]] ?? 1) <= limit * (1 + 1e-12) {
                inside[order[next]] = 1
                passed += weight?[order[next]] ?? 1
                next += 1
            }
            var edge = 0.0
            var part = 0.0
            if next < order.count {
                part = max(0, (limit - passed) / (weight?[order[next]] ?? 1))
                let reach = max(12, order.count / 40)
                var near = (weight: 0.0, value: 0.0)
                for place in max(0, next - reach)..<min(order.count, next + reach + 1) {
                    let w = weight?[order[place]] ?? 1
                    near = (near.weight + w, near.value + w * scores[order[place]])
                }
                edge = near.value / near.weight
                inside[order[next]] = part
            }
            var value = 0.0
            for row in rows { value += (weight?[row] ?? 1) * inside[row] * scores[row] / total }
            let influence = scores.indices.map { row in
                (weight?[row] ?? 1) / total * (inside[row] * scores[row] - value - edge * (inside[row] - share))
            }
            all.append(TrialEstimate(value: value, influence: influence, clusters: clusters, counted: rows.count))
        }
        return all
    }
}
