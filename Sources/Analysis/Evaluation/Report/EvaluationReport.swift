import Base
import Statistics

/// Every number that says whether targeting by these scores pays: computed once, shown as JSON, text or a page.
package struct EvaluationReport: Sendable {
    /// A number that sums up the ranking, and how sure it is.
    package struct Coefficient: Sendable, Equatable {
        /// nil where it is not defined; `remark` says why.
        package let value: Double?
        package let standardError: Double?
        /// Areas: bootstrap percentiles. Averages of bins: normal.
        package let interval: Interval?
        /// The share of bootstrap replicates above 0.
        package let aboveZero: Double?
        package let remark: String?

        /// - Parameter lacking: why there is no interval, when there is too little to have one.
        init(_ value: Double?, _ spread: Bootstrap.Spread?, undefined: String, lacking: String? = nil) {
            let isKnown = value != nil && lacking == nil
            self.value = value
            standardError = isKnown ? spread?.standardError : nil
            interval = isKnown ? spread?.interval : nil
            aboveZero = isKnown ? spread?.aboveZero : nil
            remark = value == nil ? undefined : lacking
        }

        /// The bins' mean effect, each counted by its treated rows.
        ///
        /// - Parameter clustered: the standard error when bins are not independent.
        init(averageOf bins: [GroupEffect], level: Double, clustered: Double? = nil, lacking: String? = nil) {
            value = RankedTrial.weightedAverage(bins)
            let weight = bins.reduce(0) { $0 + $1.treated.weight }
            let errors = bins.compactMap { bin in bin.standardError.map { $0 * bin.treated.weight } }
            aboveZero = nil
            remark = value == nil ? "a bin lacks an arm" : lacking
            guard let value, lacking == nil, errors.count == bins.count, weight > 0 else {
                standardError = nil
                interval = nil
                return
            }
            let error = clustered ?? errors.reduce(0) { $0 + $1 * $1 }.squareRoot() / weight
            let half = Normal.z(level: level) * error
            standardError = error
            interval = Interval(lower: value - half, upper: value + half)
        }
    }

    /// Uplift among the best share of the ranking.
    package struct TopShare: Sendable, Equatable {
        package let fraction: Double
        package let strategy: Strategy
        package let effect: GroupEffect
    }

    /// Both curves' heights after a share of the population, in outcomes.
    package struct GainPoint: Sendable, Equatable {
        package let fraction: Double
        package let population: Double
        /// The uplift curve's height: outcomes gained by treating the best `population` people.
        package let gain: Double
        package let gainInterval: Interval?
        /// The Qini curve's height.
        package let qini: Double
        package let qiniInterval: Interval?
        /// What random targeting gains.
        package let random: Double
    }

    /// One experiment of several.
    package struct Experiment: Sendable {
        package let name: String
        package let effect: GroupEffect
        /// nil without propensities.
        package let sampleRatio: SampleRatioTest?
    }

    package let options: EvaluationOptions
    package let provenance: EvaluationProvenance
    package let rows: Int
    package let treatedRows: Int
    /// The sum of weights; without weights the number of rows.
    package let population: Double
    package let hasBinaryOutcome: Bool
    package let isWeighted: Bool
    package let isAdjustedForPropensity: Bool
    package let distinctScores: Int
    /// How many clusters there are, and what they are; nil when every row is a unit of its own.
    package let clusters: (count: Int, name: String)?
    /// Several experiments, compared within each; empty when there is one.
    package let experiments: [Experiment]
    /// Why the trial is too small for a verdict; nil when it is not.
    package let lacking: String?
    /// Whether the arms have the sizes that their propensities promise; nil without propensities.
    package let sampleRatio: SampleRatioTest?
    /// nil when no covariates were named.
    package let balance: CovariateBalance?

    package let averageEffect: GroupEffect
    package let qini: Coefficient
    /// Against a perfect curve that does no harm (`negative_effect=False`).
    package let qiniWithoutHarm: Coefficient
    package let upliftAUC: Coefficient
    package let weightedAverage: (overall: Coefficient, byGroup: Coefficient)
    package let topShares: [TopShare]
    package let bins: [GroupEffect]
    package let binsByGroup: [GroupEffect]
    package let calibration: Calibration
    package let gains: [GainPoint]
    /// The share of the population at which the uplift curve is highest, and its height.
    package let best: (fraction: Double, gain: Double)
    package let targeting: [TargetingValue]
    /// AUTOC, Qini and the TOC curve of the scores, doubly robust.
    package let rate: RankWeightedEffect
    /// nil when no cost is known.
    package let costCurve: CostCurve?
    package let comparison: ScoreComparison?
    package let arms: ArmsEvaluation?

    /// Curves for drawing, about 200 points each.
    package let qiniCurve: Curve
    package let upliftCurve: Curve
    package let perfectQini: Curve?
    package let perfectUplift: Curve?
    package let bootstrap: Bootstrap.Result
    /// What a reader should know before believing a number.
    package let notes: [String]
}
