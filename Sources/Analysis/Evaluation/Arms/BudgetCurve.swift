import Statistics

/// The Qini curve of several arms (Sverdrup, Wu, Athey and Wager 2023, "Qini curves for multi-armed treatment rules"): what
/// the best use of a budget gains, at every budget.
///
/// For each person the arms worth considering are those on the upper hull of predicted effect over cost; upgrades are
/// bought in the order of predicted effect a unit of cost, over all people, until the budget is spent. What that gains is
/// read from doubly robust scores, never from the predictions. With one arm it is the curve of one ranking; without costs
/// each treatment costs 1, and a budget is a share of people.
package struct BudgetCurve: Sendable {
    /// The curve at one budget.
    package struct Point: Sendable, Equatable {
        /// Mean cost a person.
        package let budget: Double
        /// Outcomes gained a person over treating nobody.
        package let gain: TrialEstimate
        /// The share of people who get each treatment, in the order of the arms.
        package let shares: [Double]
    }

    /// From no budget to the one at which nothing that is predicted to help is left to buy.
    package let points: [Point]
    /// The mean cost a person at the last point.
    package var fullBudget: Double { points.last?.budget ?? 0 }
    /// The mean height of the curve above the straight line to its end: what spending by prediction gains over spending
    /// the same at random among those whom the whole budget treats.
    package let area: TrialEstimate
    /// The influence of each row on the gain at each point, for paired differences.
    private let influences: [[Double]]
    private let clusters: Clusters?

    private struct Step {
        var row: Int32
        var from: Int8
        var to: Int8
        var cost: Double
        var rate: Double
    }

    /// - Parameters:
    ///   - effects: doubly robust scores of each treatment's effect against control, one column a treatment.
    ///   - predicted: predicted effects, one column a treatment.
    ///   - cost: of one treatment of each arm, over 0.
    ///   - budgets: where the curve is read, mean cost a person, ascending; nil: 50 equal steps up to the full budget.
    package init(
        effects: [[Double]], predicted: [[Double]], cost: [Double], weight: [Double]? = nil,
        clusters: Clusters? = nil, budgets: [Double]? = nil
    ) {
        let rows = effects.first?.count ?? 0
        let total = weight?.reduce(0, +) ?? Double(rows)
        func w(_ row: Int) -> Double { weight?[row] ?? 1 }
        var steps: [Step] = []
        for row in 0..<rows where w(row) > 0 { Self.hull(row, predicted, cost, into: &steps) }
        steps.sort { ($0.rate, $1.row) > ($1.rate, $0.row) }
        var spent = 0.0
        for step in steps { spent += w(Int(step.row)) * step.cost }
        let full = total > 0 ? spent / total : 0
        let grid = budgets?.filter { $0 <= full * (1 + 1e-12) } ?? (0...50).map { full * Double($0) / 50 }

        var gainOf = [Double](repeating: 0, count: rows)
        var costOf = gainOf
        var armOf = [Int](repeating: 0, count: rows)
        var gain = 0.0
        var spend = 0.0
        var next = 0
        func worth(_ step: Step) -> Double {
            let row = Int(step.row)
            return effects[Int(step.to) - 1][row] - (step.from == 0 ? 0 : effects[Int(step.from) - 1][row])
        }
        var points: [Point] = []
        var influences: [[Double]] = []
        for budget in grid {
            let limit = budget * total
            while next < steps.count {
                let step = steps[next]
                let row = Int(step.row)
                guard spend + w(row) * step.cost <= limit * (1 + 1e-12) else { break }
                gain += w(row) * worth(step)
                spend += w(row) * step.cost
                gainOf[row] += worth(step)
                costOf[row] += step.cost
                armOf[row] = Int(step.to)
                next += 1
            }
            // The upgrade that the budget cuts is bought in part; what the last money buys is read around it.
            var part = 0.0
            var edge = 0.0
            if next < steps.count, limit > spend {
                part = (limit - spend) / (w(Int(steps[next].row)) * steps[next].cost)
            }
            if next < steps.count {
                let reach = max(12, steps.count / 40)
                var sums = (gain: 0.0, cost: 0.0)
                for place in max(0, next - reach)..<min(steps.count, next + reach + 1) {
                    let row = Int(steps[place].row)
                    sums = (sums.gain + w(row) * worth(steps[place]), sums.cost + w(row) * steps[place].cost)
                }
                edge = sums.cost > 0 ? sums.gain / sums.cost : 0
            }
            let cut = next < steps.count ? Int(steps[next].row) : -1
            let cutGain = cut >= 0 ? part * worth(steps[next]) : 0
            let cutCost = cut >= 0 ? part * steps[next].cost : 0
            let value = total > 0 ? (gain + (cut >= 0 ? w(cut) * cutGain : 0)) / total : 0
            let influence = (0..<rows).map { row in
                let own = row == cut ? (gainOf[row] + cutGain, costOf[row] + cutCost) : (gainOf[row], costOf[row])
                return w(row) / total * ((own.0 - value) - edge * (own.1 - budget))
            }
            var shares = [Double](repeating: 0, count: effects.count)
            for row in 0..<rows where armOf[row] > 0 { shares[armOf[row] - 1] += w(row) / total }
            points.append(
                Point(
                    budget: budget,
                    gain: TrialEstimate(value: value, influence: influence, clusters: clusters), shares: shares))
            influences.append(influence)
        }
        self.points = points
        self.influences = influences
        self.clusters = clusters
        area = Self.area(points, influences, clusters)
    }

    /// What this curve gains over another at each of the same budgets, paired.
    package func gain(over other: BudgetCurve, at index: Int) -> TrialEstimate {
        TrialEstimate(
            value: points[index].gain.value - other.points[index].gain.value,
            influence: zip(influences[index], other.influences[index]).map { $0 - $1 }, clusters: clusters)
    }

    private static func area(_ points: [Point], _ influences: [[Double]], _ clusters: Clusters?) -> TrialEstimate {
        let rows = influences.first?.count ?? 0
        var value = 0.0
        var influence = [Double](repeating: 0, count: rows)
        guard points.count > 1, let last = points.last, last.budget > 0 else {
            return TrialEstimate(value: 0, influence: influence, clusters: clusters)
        }
        // Trapezoids, as a weight of each point; the line to the end takes half of the last height.
        var weights = [Double](repeating: 0, count: points.count)
        for k in 1..<points.count {
            let width = (points[k].budget - points[k - 1].budget) / last.budget
            weights[k] += width / 2
            weights[k - 1] += width / 2
        }
        weights[points.count - 1] -= 0.5
        for k in points.indices {
            value += weights[k] * points[k].gain.value
            for row in 0..<rows { influence[row] += weights[k] * influences[k][row] }
        }
        return TrialEstimate(value: value, influence: influence, clusters: clusters)
    }

    /// Appends the upgrades of a person: the upper hull of predicted effect over cost from (0, 0), rates falling.
    private static func hull(_ row: Int, _ predicted: [[Double]], _ cost: [Double], into steps: inout [Step]) {
        var from = 0
        var at = (cost: 0.0, effect: 0.0)
        while true {
            var best: (arm: Int, rate: Double, cost: Double)?
            for arm in predicted.indices where cost[arm] > at.cost || from == 0 {
                let effect = predicted[arm][row]
                guard effect > at.effect, cost[arm] > at.cost else { continue }
                let rate = (effect - at.effect) / (cost[arm] - at.cost)
                if rate > (best?.rate ?? 0) || (rate == best?.rate && cost[arm] > (best?.cost ?? 0)) {
                    best = (arm, rate, cost[arm])
                }
            }
            guard let best else { return }
            steps.append(
                Step(
                    row: Int32(row), from: Int8(from), to: Int8(best.arm + 1), cost: best.cost - at.cost,
                    rate: best.rate))
            from = best.arm + 1
            at = (best.cost, predicted[best.arm][row])
        }
    }
}
