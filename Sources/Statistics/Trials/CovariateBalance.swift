/// Are the arms alike in what was known before the treatment? Randomisation makes them so but for chance.
package struct CovariateBalance: Sendable, Equatable {
    /// One covariate in both arms.
    package struct Covariate: Sendable, Equatable {
        package let name: String
        /// Weighted means of the values that are there; nil when an arm has none.
        package let treatedMean: Double?
        package let controlMean: Double?
        /// Difference in means in units of the arms' pooled standard deviation (Austin 2009): over 0.1 is worth a look.
        package let standardizedDifference: Double?
        /// Treated variance by control variance.
        package let varianceRatio: Double?
        /// Shares of rows without a value.
        package let treatedMissing: Double
        package let controlMissing: Double
        /// Of the difference in means, clusters respected.
        package let pValue: Double?
    }

    /// In the order given.
    package let covariates: [Covariate]
    /// All covariates together: under randomisation, treatment less its propensity is uncorrelated with each of them
    /// (after Hansen and Bowers 2008); nil when there are fewer than ten units a covariate.
    package let omnibus: WaldTest?

    /// - Parameters:
    ///   - names: of the covariates.
    ///   - columns: one array a covariate, one number per row; NaN is missing.
    ///   - treatment: 1 treated, 0 control.
    ///   - propensity: the probability of treatment, strictly between 0 and 1; nil: the treated share.
    ///   - weight: how much a row counts, before the propensities.
    ///   - clusters: rows that are not independent.
    package init(
        names: [String], columns: [[Double]], treatment: [UInt8], propensity: [Double]? = nil,
        weight: [Double]? = nil, clusters: Clusters? = nil
    ) {
        let rows = treatment.indices
        let base = rows.map { weight?[$0] ?? 1 }
        var treatedWeight = 0.0
        for row in rows where treatment[row] == 1 { treatedWeight += base[row] }
        let share = treatedWeight / base.reduce(0, +)
        let chance = rows.map { propensity?[$0] ?? share }
        let weights = rows.map { row in
            propensity == nil ? base[row] : base[row] / (treatment[row] == 1 ? chance[row] : 1 - chance[row])
        }
        covariates = zip(names, columns).map { name, column in
            Self.compare(name, column, treatment, weights, clusters)
        }
        let units = clusters?.count ?? treatment.count
        guard !columns.isEmpty, units >= 10 * columns.count else {
            omnibus = nil
            return
        }
        // Missing values at the mean; centred, so that a common shift of the treated share is not an imbalance.
        var tested: [[Double]] = []
        for column in columns {
            var sum = (weight: 0.0, value: 0.0)
            for row in rows where !column[row].isNaN {
                sum = (sum.weight + base[row], sum.value + base[row] * column[row])
            }
            guard sum.weight > 0 else { continue }
            let mean = sum.value / sum.weight
            tested.append(
                rows.map { row in
                    let distance = column[row].isNaN ? 0 : column[row] - mean
                    return base[row] * distance * (Double(treatment[row]) - chance[row])
                })
        }
        omnibus = WaldTest(columns: tested, clusters: clusters)
    }

    private static func compare(
        _ name: String, _ column: [Double], _ treatment: [UInt8], _ weights: [Double], _ clusters: Clusters?
    ) -> Covariate {
        var arms = [Moments(), Moments()]
        for row in column.indices { arms[Int(treatment[row])].add(column[row], weights[row]) }
        for row in column.indices where !column[row].isNaN {
            arms[Int(treatment[row])].addSquare(column[row], weights[row])
        }
        let (control, treated) = (arms[0], arms[1])
        var difference: Double?
        var ratio: Double?
        var pValue: Double?
        if let a = treated.mean, let b = control.mean {
            let pooled = ((treated.variance + control.variance) / 2).squareRoot()
            difference = pooled > 0 ? (a - b) / pooled : a == b ? 0 : nil
            ratio = control.variance > 0 ? treated.variance / control.variance : nil
            let influence = column.indices.map { row -> Double in
                guard !column[row].isNaN else { return 0 }
                return treatment[row] == 1
                    ? weights[row] * (column[row] - a) / treated.weight
                    : -weights[row] * (column[row] - b) / control.weight
            }
            pValue = TrialEstimate(value: a - b, influence: influence, clusters: clusters).pValue
        }
        return Covariate(
            name: name, treatedMean: treated.mean, controlMean: control.mean, standardizedDifference: difference,
            varianceRatio: ratio, treatedMissing: treated.missingShare, controlMissing: control.missingShare,
            pValue: pValue)
    }

    private struct Moments {
        private(set) var weight = 0.0
        private var value = 0.0
        private var squares = 0.0
        private var missing = 0.0

        mutating func add(_ x: Double, _ w: Double) {
            if x.isNaN { missing += w } else { (weight, value) = (weight + w, value + w * x) }
        }

        /// After every value was added once.
        mutating func addSquare(_ x: Double, _ w: Double) {
            let distance = x - (mean ?? 0)
            squares += w * distance * distance
        }

        var mean: Double? { weight > 0 ? value / weight : nil }
        var variance: Double { weight > 0 ? squares / weight : 0 }
        var missingShare: Double { weight + missing > 0 ? missing / (weight + missing) : 0 }
    }
}
