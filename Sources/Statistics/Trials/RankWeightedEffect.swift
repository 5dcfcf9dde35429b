/// Rank-weighted average treatment effects (RATE) of a priority score (Yadlowsky, Fleming, Shah, Brunskill and Wager 2021,
/// "Evaluating treatment prioritization rules via rank-weighted average treatment effects").
///
/// TOC(q), the targeting operator characteristic, is the average effect among the share q of highest priority less the
/// average effect of all. AUTOC is the area under it, Qini the area under q TOC(q): 0 says that the priority tells
/// nothing about effects. AUTOC looks at the first few, Qini at everyone.
///
/// Rows of equal priority count with their mean, as if their order were drawn. Standard errors are the infinitesimal
/// jackknife's: both areas are differentiated by each row's weight, clusters are summed. Priorities must come from other
/// data than these rows. Cross-fitted ones are ranked within each fold: a row whose own outcome is high by chance raises the
/// priorities of all rows but its own, so that ranks across folds, or by out-of-bag predictions, lean against the truth.
package struct RankWeightedEffect: Sendable {
    /// The curve at one share.
    package struct Point: Sendable, Equatable {
        /// The share of the population (by weight) of highest priority.
        package let share: Double
        /// Average effect among them less that of all.
        package let gain: TrialEstimate
    }

    package let average: TrialEstimate
    package let autoc: TrialEstimate
    package let qini: TrialEstimate
    /// The curve at the shares asked for.
    package let curve: [Point]
    private let clusters: Clusters?
    private let counted: Int
    private let autocInfluence: [Double]
    private let qiniInfluence: [Double]

    /// - Parameters:
    ///   - scores: doubly robust scores of the effect, one a row (``DoublyRobustScores``).
    ///   - priority: the rule's score, one a row: the highest is treated first. Finite.
    ///   - weight: how much a row counts, 0 or more; nil counts each as 1.
    ///   - clusters: rows that are not independent.
    ///   - folds: for each row the model that its priority comes from, when there are several; areas and curve are the means of
    ///     the folds', by weight.
    ///   - shares: where the curve is read, each over 0 and below 1.
    package init(
        scores: [Double], priority: [Double], weight: [Double]? = nil, clusters: Clusters? = nil,
        folds: [UInt8]? = nil, shares: [Double] = (1..<20).map { Double($0) / 20 }
    ) {
        var order = scores.indices.filter { (weight?[$0] ?? 1) > 0 }
        order.sort { (priority[$0], $1) > (priority[$1], $0) }
        let orders =
            folds.map { folds in Dictionary(grouping: order) { folds[$0] }.sorted { $0.key < $1.key }.map(\.value) }
            ?? [order]
        let parts = orders.map { RankedScores($0, scores, priority, weight) }
        let total = parts.reduce(0) { $0 + $1.weight }
        let none = [Double](repeating: 0, count: scores.count)
        /// The mean of what the parts say, by weight, and each row's influence on it.
        func mean(_ body: (RankedScores, inout [Double]) -> Double) -> (value: Double, influence: [Double]) {
            var (value, influence) = (0.0, none)
            for (part, order) in zip(parts, orders) {
                let share = total > 0 ? part.weight / total : 0
                value += share * body(part, &influence)
                if parts.count > 1 { for row in order { influence[row] *= share } }
            }
            return (value, influence)
        }
        func estimate(_ found: (value: Double, influence: [Double])) -> TrialEstimate {
            TrialEstimate(value: found.value, influence: found.influence, clusters: clusters, counted: order.count)
        }
        self.clusters = clusters
        counted = order.count
        let autoc = mean { $0.autoc(&$1) }
        let qini = mean { $0.qini(&$1) }
        self.autoc = estimate(autoc)
        self.qini = estimate(qini)
        autocInfluence = autoc.influence
        qiniInfluence = qini.influence
        average = estimate(mean { $0.average(&$1) })
        curve = shares.filter { $0 > 0 && $0 < 1 }.map { share in
            Point(share: share, gain: estimate(mean { $0.point(share, &$1) }))
        }
    }

    /// This rule's areas less another's on the same rows, with the standard errors of paired differences.
    package func difference(from other: RankWeightedEffect) -> (autoc: TrialEstimate, qini: TrialEstimate) {
        func paired(_ a: TrialEstimate, _ b: TrialEstimate, _ x: [Double], _ y: [Double]) -> TrialEstimate {
            TrialEstimate(
                value: a.value - b.value, influence: zip(x, y).map { $0 - $1 }, clusters: clusters, counted: counted)
        }
        return (
            paired(autoc, other.autoc, autocInfluence, other.autocInfluence),
            paired(qini, other.qini, qiniInfluence, other.qiniInfluence)
        )
    }
}

/// Scores in the order of their priority, ties averaged.
private struct RankedScores {
    let count: Int
    /// Weight, the tie's mean score, the row's own, and where the row's tie begins and ends.
    private(set) var w: [Double] = []
    private var g: [Double] = []
    private(set) var raw: [Double] = []
    private var tie: [Range<Int>] = []
    /// Cumulative weight and weighted score after each row.
    private var c: [Double] = []
    private var s: [Double] = []
    private(set) var weight = 0.0
    private(set) var total = 0.0
    private let order: [Int]

    init(_ order: [Int], _ scores: [Double], _ priority: [Double], _ weights: [Double]?) {
        self.order = order
        count = order.count
        w = order.map { weights?[$0] ?? 1 }
        raw = order.map { scores[$0] }
        g = raw
        var start = 0
        while start < count {
            var end = start + 1
            while end < count, priority[order[end]] == priority[order[start]] { end += 1 }
            if end - start > 1 {
                var sum = (weight: 0.0, value: 0.0)
                for k in start..<end { sum = (sum.weight + w[k], sum.value + w[k] * raw[k]) }
                for k in start..<end { g[k] = sum.value / sum.weight }
            }
            tie.append(start..<end)
            start = end
        }
        for k in 0..<count {
            weight += w[k]
            total += w[k] * g[k]
            c.append(weight)
            s.append(total)
        }
    }

    /// The average score, and each row's influence on it.
    func average(_ influence: inout [Double]) -> Double {
        guard count > 0 else { return 0 }
        let mean = total / weight
        for place in 0..<count { influence[order[place]] = w[place] * (raw[place] - mean) / weight }
        return mean
    }

    func autoc(_ influence: inout [Double]) -> Double {
        var other = influence
        return areas(&influence, &other).autoc
    }

    func qini(_ influence: inout [Double]) -> Double {
        var other = influence
        return areas(&other, &influence).qini
    }

    /// AUTOC = Σ w S / C / W - S / W and Qini = Σ w S / W² - S Σ w C / W³; writes w ∂/∂w of both to the rows' places.
    private func areas(_ autoc: inout [Double], _ qini: inout [Double]) -> (autoc: Double, qini: Double) {
        guard count > 0 else { return (0, 0) }
        var sums = (ratio: 0.0, height: 0.0, base: 0.0)
        for k in 0..<count {
            sums.ratio += w[k] * s[k] / c[k]
            sums.height += w[k] * s[k]
            sums.base += w[k] * c[k]
        }
        // Σ over later rows of w / C and w S / C².
        var rest = [Double](repeating: 0, count: count)
        var rate = rest
        var later = (rest: 0.0, rate: 0.0)
        for k in (0..<count).reversed() {
            later.rest += w[k] / c[k]
            later.rate += w[k] * s[k] / (c[k] * c[k])
            rest[k] = later.rest
            rate[k] = later.rate
        }
        let (w1, w2) = (weight, weight * weight)
        let (w3, w4) = (w2 * weight, w2 * w2)
        for range in tie {
            // The rows of a tie share what does not depend on their own score.
            var shared = (weight: 0.0, ratio: 0.0, height: 0.0, ratioByScore: 0.0, heightByScore: 0.0)
            for k in range {
                let left = weight - c[k] + w[k]
                shared.weight += w[k]
                shared.ratio += w[k] * (s[k] / c[k] - rate[k] + g[k] * rest[k])
                shared.height += w[k] * (s[k] + g[k] * left)
                shared.ratioByScore += w[k] * rest[k]
                shared.heightByScore += w[k] * left
            }
            for k in range {
                let own = (raw[k] - g[k]) / shared.weight
                let ratio = shared.ratio / shared.weight + own * shared.ratioByScore
                let height = shared.height / shared.weight + own * shared.heightByScore
                autoc[order[k]] = w[k] * (ratio / w1 - sums.ratio / w2 - raw[k] / w1 + total / w2)
                qini[order[k]] =
                    w[k]
                    * (height / w2 - 2 * sums.height / w3 - raw[k] * sums.base / w3 - total * (w1 + w[k]) / w3
                        + 3 * total * sums.base / w4)
            }
        }
        return (sums.ratio / w1 - total / w1, sums.height / w2 - total * sums.base / w3)
    }

    /// TOC at a share, and its influence. The row at the threshold moves when weights do: what it is worth is read from
    /// the 5 % of rows around it.
    func point(_ share: Double, _ influence: inout [Double]) -> Double {
        guard count > 0 else { return 0 }
        let limit = share * weight
        let boundary = c.firstIndex { $0 >= limit } ?? count - 1
        let before = boundary > 0 ? (c[boundary - 1], s[boundary - 1]) : (0, 0)
        let part = limit - before.0
        let height = before.1 + part * g[boundary]
        let reach = max(12, count / 40)
        let window = max(0, boundary - reach)..<min(count, boundary + reach + 1)
        var near = (weight: 0.0, value: 0.0)
        for k in window { near = (near.weight + w[k], near.value + w[k] * raw[k]) }
        let edge = near.value / near.weight
        let mean = total / weight
        let top = height / limit
        // A tie that the threshold cuts is in it by the same share for all of its rows.
        let cut = tie.first { $0.contains(boundary) } ?? boundary..<boundary + 1
        let cutStart = cut.lowerBound > 0 ? c[cut.lowerBound - 1] : 0
        let inside = (limit - cutStart) / (c[cut.upperBound - 1] - cutStart)
        for k in 0..<count {
            let share = k < cut.lowerBound ? 1 : k >= cut.upperBound ? 0 : inside
            influence[order[k]] =
                w[k] * (share * (raw[k] - edge) / limit + (edge - top) / weight - (raw[k] - mean) / weight)
        }
        return top - mean
    }
}
