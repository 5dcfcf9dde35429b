import Base
import Statistics

/// Two scores on the same rows of a trial, paired: does the challenger rank better than the champion?
///
/// All differences are challenger less champion. Shared noise cancels in them, so they are far surer than two reports side
/// by side. Both models must have been trained without these rows.
package struct ScoreComparison: Sendable {
    /// One number of both scores.
    package struct Difference: Sendable {
        package let name: String
        package let champion: Double
        package let challenger: Double
        package let difference: Double
        package let standardError: Double?
        package let interval: Interval?
        /// Two-sided; of the bootstrap: twice the smaller share of replicates on a side of 0.
        package let pValue: Double?
    }

    package let champion: String
    package let challenger: String
    /// Qini coefficient and AUUC by the bootstrap, on the same replicates.
    package let areas: [Difference]
    /// AUTOC and Qini of the RATE, analytic.
    package let rates: [Difference]
    /// Policy values: the best shares, and above the threshold.
    package let values: [Difference]
    /// Why there is no verdict; nil when there is enough.
    package let lacking: String?

    /// Does one rank better? By the Qini coefficient's difference.
    package var verdict: String {
        if let lacking { return "No verdict on the challenger: \(lacking)." }
        guard let qini = areas.first, let interval = qini.interval else {
            return "No verdict on the challenger: no interval was asked for."
        }
        if interval.lower > 0 { return "'\(challenger)' ranks people better than '\(champion)'" }
        if interval.upper < 0 { return "'\(challenger)' ranks people worse than '\(champion)'" }
        return "'\(challenger)' is not shown to rank people better or worse than '\(champion)'"
    }

    /// - Parameters:
    ///   - ranked: the champion, weights adjusted for propensities.
    ///   - log: the same rows as a log of decisions, for policy values.
    ///   - score: the challenger's, one a row.
    init(
        _ ranked: RankedTrial, on log: TrialLog, challenger score: [Double], names: (String, String),
        options: EvaluationOptions, meaning: WeightMeaning
    ) throws(ImpactError) {
        (champion, challenger) = names
        let other = RankedTrial(try ranked.trial.scored(score), threads: options.threads)
        let plain = RankedTrial(try log.trial.scored(score), threads: options.threads)
        let own = RankedTrial(log.trial, threads: options.threads)
        let lacking = Evidence.lacking(log.trial)
        self.lacking = lacking

        let pairs = lacking == nil ? ranked.areaReplicates(options.bootstrap, meaning: meaning) : ([], [])
        let others = lacking == nil ? other.areaReplicates(options.bootstrap, meaning: meaning) : ([], [])
        func area(_ name: String, _ a: Double?, _ b: Double?, _ x: [Double], _ y: [Double]) -> Difference {
            let differences = zip(x, y).map { $1 - $0 }.filter(\.isFinite)
            let spread = Bootstrap.Spread(differences, level: options.level)
            let above = spread?.aboveZero
            let same = differences.allSatisfy { $0 == 0 }
            return Difference(
                name: name, champion: a ?? .nan, challenger: b ?? .nan, difference: (b ?? .nan) - (a ?? .nan),
                standardError: same ? nil : spread?.standardError, interval: same ? nil : spread?.interval,
                pValue: same ? nil : above.map { min(1, 2 * max(min($0, 1 - $0), 1 / Double(differences.count))) })
        }
        areas = [
            area("Qini coefficient", ranked.qiniCoefficient(), other.qiniCoefficient(), pairs.0, others.0),
            area("AUUC", ranked.upliftAUC(), other.upliftAUC(), pairs.1, others.1),
        ]

        func estimate(_ name: String, _ a: Double, _ b: Double, _ difference: TrialEstimate) -> Difference {
            Difference(
                name: name, champion: a, challenger: b, difference: difference.value,
                standardError: difference.standardError,
                interval: lacking == nil ? difference.interval(level: options.level) : nil,
                pValue: lacking == nil ? difference.pValue : nil)
        }
        let effects = log.effects
        let trial = log.trial
        let first = RankWeightedEffect(
            scores: effects, priority: trial.score, weight: trial.weight, clusters: trial.clusters, shares: [])
        let second = RankWeightedEffect(
            scores: effects, priority: score, weight: trial.weight, clusters: trial.clusters, shares: [])
        let rate = second.difference(from: first)
        rates = [
            estimate("AUTOC", first.autoc.value, second.autoc.value, rate.autoc),
            estimate("Qini (RATE)", first.qini.value, second.qini.value, rate.qini),
        ]
        values = (options.fractions.map { TargetingRule.top($0) } + [.above(options.threshold)]).map { rule in
            let (mine, theirs) = (own.treated(by: rule), plain.treated(by: rule))
            func contributions(_ treats: [Bool]) -> [Double] {
                treats.indices.map { treats[$0] ? log.everybody[$0] : log.nobody[$0] }
            }
            let (a, b) = (contributions(mine), contributions(theirs))
            func mean(_ c: [Double]) -> Double { TrialEstimate(mean: c, weight: trial.weight).value }
            return estimate(
                "value of treating \(rule.name)", mean(a), mean(b),
                TrialEstimate(
                    mean: zip(b, a).map { $0 - $1 }, weight: trial.weight, clusters: trial.clusters))
        }
    }
}
