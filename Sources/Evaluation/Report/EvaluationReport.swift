import Diagnostics

/// Every number that says whether targeting by these scores pays: computed once, shown as JSON, text or a page.
public struct EvaluationReport: Sendable {
    /// A number that sums up the ranking, and how sure it is.
    public struct Coefficient: Sendable, Equatable {
        /// nil where it is not defined; `remark` says why.
        public let value: Double?
        public let standardError: Double?
        /// Areas: bootstrap percentiles. Averages of bins: normal.
        public let interval: Interval?
        /// The share of bootstrap replicates above 0.
        public let aboveZero: Double?
        public let remark: String?

        init(_ value: Double?, _ spread: Bootstrap.Spread?, undefined: String) {
            self.value = value
            standardError = value == nil ? nil : spread?.standardError
            interval = value == nil ? nil : spread?.interval
            aboveZero = value == nil ? nil : spread?.aboveZero
            remark = value == nil ? undefined : nil
        }

        /// The bins' mean effect, each counted by its treated rows.
        init(averageOf bins: [GroupEffect], level: Double) {
            value = RankedTrial.weightedAverage(bins)
            let weight = bins.reduce(0) { $0 + $1.treated.weight }
            let errors = bins.compactMap { bin in bin.standardError.map { $0 * bin.treated.weight } }
            aboveZero = nil
            remark = value == nil ? "a bin lacks an arm" : nil
            guard let value, errors.count == bins.count, weight > 0 else {
                standardError = nil
                interval = nil
                return
            }
            let error = errors.reduce(0) { $0 + $1 * $1 }.squareRoot() / weight
            let half = Normal.z(level: level) * error
            standardError = error
            interval = Interval(lower: value - half, upper: value + half)
        }
    }

    /// Uplift among the best share of the ranking.
    public struct TopShare: Sendable, Equatable {
        public let fraction: Double
        public let strategy: Strategy
        public let effect: GroupEffect
    }

    /// Both curves' heights after a share of the population, in outcomes.
    public struct GainPoint: Sendable, Equatable {
        public let fraction: Double
        public let population: Double
        /// The uplift curve's height: outcomes gained by treating the best `population` people.
        public let gain: Double
        public let gainInterval: Interval?
        /// The Qini curve's height.
        public let qini: Double
        public let qiniInterval: Interval?
        /// What random targeting gains.
        public let random: Double
    }

    public let options: EvaluationOptions
    public let provenance: EvaluationProvenance
    public let rows: Int
    public let treatedRows: Int
    /// The sum of weights; without weights the number of rows.
    public let population: Double
    public let hasBinaryOutcome: Bool
    public let isWeighted: Bool
    public let isAdjustedForPropensity: Bool
    public let distinctScores: Int

    public let averageEffect: GroupEffect
    public let qini: Coefficient
    /// Against a perfect curve that does no harm (`negative_effect=False`).
    public let qiniWithoutHarm: Coefficient
    public let upliftAUC: Coefficient
    public let weightedAverage: (overall: Coefficient, byGroup: Coefficient)
    public let topShares: [TopShare]
    public let bins: [GroupEffect]
    public let binsByGroup: [GroupEffect]
    public let calibration: Calibration
    public let gains: [GainPoint]
    /// The share of the population at which the uplift curve is highest, and its height.
    public let best: (fraction: Double, gain: Double)
    public let targeting: [TargetingValue]

    /// Curves for drawing, about 200 points each.
    public let qiniCurve: Curve
    public let upliftCurve: Curve
    public let perfectQini: Curve?
    public let perfectUplift: Curve?
    public let bootstrap: Bootstrap.Result
    /// What a reader should know before believing a number.
    public let notes: [String]
}
