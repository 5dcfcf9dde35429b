import Base

/// How a group of the best rows, or a bin, is cut out of the ranking.
package enum Strategy: String, Sendable, CaseIterable {
    /// From both arms together.
    case overall
    /// From each arm by itself, so that each has its share.
    case byGroup = "by_group"
}

/// Cutting the ranking at shares of the population.
extension RankedTrial {
    /// One stretch of the ranking.
    struct Segment {
        var treated = ArmMoments()
        var control = ArmMoments()
        /// Σ w score and Σ w standard error of both arms.
        var score = 0.0
        var standardError = 0.0
        /// The rows and the weight of each in the stretch; kept only where rows are not independent.
        var members: [(row: Int, weight: Double)] = []

        static func += (a: inout Segment, b: Segment) {
            a.treated += b.treated
            a.control += b.control
            a.score += b.score
            a.standardError += b.standardError
            a.members += b.members
        }
    }

    /// Whether every weight is a whole number: boundaries are then rounded down to whole rows, as scikit-uplift's are,
    /// and a row of weight 3 is the same as three rows. Otherwise a boundary splits the row it falls in.
    private func hasWholeWeights(_ weight: Double) -> Bool {
        guard let weights = trial.weight else { return true }
        return weights.allSatisfy { $0.rounded() == $0 }
    }

    /// Boundaries of the first `fractions` of `weight`.
    func cuts(_ weight: Double, fractions: [Double]) -> [Double] {
        let whole = hasWholeWeights(weight)
        return fractions.map { whole ? (weight * $0).rounded(.down) : weight * $0 }
    }

    /// Boundaries of `bins` equal bins; whole weights: the first `weight % bins` get one more (numpy's `array_split`).
    func cuts(_ weight: Double, bins: Int) -> [Double] {
        guard hasWholeWeights(weight) else { return (1..<bins).map { weight * Double($0) / Double(bins) } }
        let size = (weight / Double(bins)).rounded(.down)
        let extra = weight - size * Double(bins)
        return (1..<bins).map { size * Double($0) + min(Double($0), extra) }
    }

    /// Splits the ranking at ascending cumulative weights; `cuts` is given the weight that it cuts.
    func segments(_ strategy: Strategy, _ cuts: (Double) -> [Double]) -> [Segment] {
        let lanes: [[Double]] =
            strategy == .overall
            ? [cuts(total.weight)] : [cuts(total.controlWeight), cuts(total.treatedWeight)]
        var segments = [Segment](repeating: Segment(), count: lanes[0].count + 1)
        var places = [0, 0]
        var passed = [0.0, 0.0]
        let center = self.center
        let keepsMembers = trial.clusters != nil || trial.experiments != nil
        for rank in 0..<ranking.count {
            let item = ranking.rows[rank]
            let row = item.row
            let lane = strategy == .overall ? 0 : (item.isTreated ? 1 : 0)
            var weight = trial.weight?[row] ?? 1
            var begins = 1
            repeat {
                var part = weight
                let cuts = lanes[lane]
                var place = places[lane]
                while place < cuts.count && passed[lane] >= cuts[place] { place += 1 }
                if place < cuts.count && passed[lane] + part > cuts[place] {
                    part = cuts[place] - passed[lane]
                    // Not += part: a rounding error would leave a sliver before the boundary.
                    passed[lane] = cuts[place]
                } else {
                    passed[lane] += part
                }
                places[lane] = place
                weight -= part
                if item.isTreated {
                    segments[place].treated.rows += begins
                    segments[place].treated.add(weight: part, outcome: trial.outcome[row], center: center)
                } else {
                    segments[place].control.rows += begins
                    segments[place].control.add(weight: part, outcome: trial.outcome[row], center: center)
                }
                if keepsMembers && part > 0 { segments[place].members.append((row, part)) }
                segments[place].score += part * trial.score[row]
                segments[place].standardError += part * (trial.standardError?[row] ?? 0)
                begins = 0
            } while weight > 0
        }
        return segments
    }

    /// The mean outcome of all rows.
    private var center: Double { Tally.ratio(total.treatedOutcome + total.controlOutcome, total.weight) }

    /// - Parameter stratified: takes residuals from the means of each experiment; right where weights give an
    ///   experiment the same share of both arms, as they do over all rows.
    func effect(
        _ segment: Segment, level: Double, meaning: WeightMeaning, stratified: Bool = false
    ) -> GroupEffect {
        func summary(_ moments: ArmMoments) -> ArmSummary {
            ArmSummary(moments, center: center, binary: trial.hasBinaryOutcome, meaning: meaning)
        }
        var treated = summary(segment.treated)
        var control = summary(segment.control)
        let isStratified = stratified && trial.experiments != nil
        if trial.clusters != nil || isStratified, treated.mean != nil, control.mean != nil {
            let spread = ClusterSpread(segment, trial, stratified: isStratified)
            let binary = trial.hasBinaryOutcome
            treated = treated.clustered(
                variance: spread.treated, units: spread.treatedUnits, binary: binary, shrink: spread.shrink)
            control = control.clustered(
                variance: spread.control, units: spread.controlUnits, binary: binary, shrink: spread.shrink)
        }
        return GroupEffect(
            treated: treated, control: control, binary: trial.hasBinaryOutcome, level: level,
            isClustered: trial.clusters != nil)
    }
}
