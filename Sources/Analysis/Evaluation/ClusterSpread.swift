import Statistics

/// The variance of both arms' means and of their difference in a group whose rows are not independent (Liang and Zeger
/// 1986): residuals are summed over each cluster before they are squared.
struct ClusterSpread {
    /// Variances of the means; nil when an arm has one cluster.
    private(set) var treated: Double?
    private(set) var control: Double?
    private(set) var treatedUnits = 0
    private(set) var controlUnits = 0
    /// The variance of the difference by the sum of the arms' own: below 1 where clusters have rows in both arms and
    /// the arms move together.
    private(set) var shrink = 1.0

    /// - Parameter stratified: takes residuals from the means of each experiment instead of the group's.
    init(_ segment: RankedTrial.Segment, _ trial: Trial, stratified: Bool) {
        let residuals = Residuals(segment, trial, stratified: stratified)
        var sums: [Int: (treated: Double, control: Double, inTreated: Bool, inControl: Bool)] = [:]
        sums.reserveCapacity(segment.members.count)
        for (row, weight) in segment.members {
            let unit = trial.clusters.map { Int($0.code[row]) } ?? row
            let part = residuals.influence(row, weight)
            if trial.treatment[row] == 1 {
                sums[unit, default: (0, 0, false, false)].treated += part
                sums[unit]?.inTreated = true
            } else {
                sums[unit, default: (0, 0, false, false)].control += part
                sums[unit]?.inControl = true
            }
        }
        var squares = (treated: 0.0, control: 0.0, both: 0.0)
        // In the order of the clusters, so that the same input gives the same bits.
        for unit in sums.keys.sorted() {
            guard let sum = sums[unit] else { continue }
            squares.treated += sum.treated * sum.treated
            squares.control += sum.control * sum.control
            squares.both += (sum.treated - sum.control) * (sum.treated - sum.control)
            if sum.inTreated { treatedUnits += 1 }
            if sum.inControl { controlUnits += 1 }
        }
        func variance(_ squares: Double, _ units: Int) -> Double? {
            units > 1 ? squares * Double(units) / Double(units - 1) : nil
        }
        treated = variance(squares.treated, treatedUnits)
        control = variance(squares.control, controlUnits)
        let apart = squares.treated + squares.control
        if apart > 0 { shrink = max(0.05, squares.both / apart) }
    }

    /// What each row moves its arm's mean by.
    struct Residuals {
        private let trial: Trial
        private let stratified: Bool
        private var weight: [Double] = [0, 0]
        private var mean: [Double]
        private let strata: Int

        init(_ segment: RankedTrial.Segment, _ trial: Trial, stratified: Bool) {
            self.trial = trial
            self.stratified = stratified
            strata = stratified ? trial.experiments?.count ?? 1 : 1
            mean = [Double](repeating: 0, count: 2 * strata)
            var cells = mean
            for (row, weight) in segment.members {
                let cell = place(row)
                cells[cell] += weight
                mean[cell] += weight * trial.outcome[row]
                self.weight[Int(trial.treatment[row])] += weight
            }
            for cell in mean.indices where cells[cell] > 0 { mean[cell] /= cells[cell] }
        }

        private func place(_ row: Int) -> Int {
            let stratum = stratified ? trial.experiments.map { Int($0.code[row]) } ?? 0 : 0
            return Int(trial.treatment[row]) * strata + stratum
        }

        func influence(_ row: Int, _ rowWeight: Double) -> Double {
            rowWeight * (trial.outcome[row] - mean[place(row)]) / weight[Int(trial.treatment[row])]
        }
    }
}

extension RankedTrial {
    /// The standard error of a weighted sum of bins' effects, clusters that have rows in several bins respected; nil
    /// without clusters, where bins are independent.
    func clusteredError(_ segments: [Segment], coefficients: [Double]) -> Double? {
        guard let clusters = trial.clusters else { return nil }
        var influence = [Double](repeating: 0, count: trial.count)
        for (segment, coefficient) in zip(segments, coefficients) {
            let residuals = ClusterSpread.Residuals(segment, trial, stratified: false)
            for (row, weight) in segment.members {
                let sign = trial.treatment[row] == 1 ? 1.0 : -1
                influence[row] += coefficient * sign * residuals.influence(row, weight)
            }
        }
        return TrialEstimate(value: 0, influence: influence, clusters: clusters).standardError
    }
}
