import Base
import Foundation
import Statistics
import Trees

/// All learners on the same rows, judged on rows that they have not seen.
package struct LearnerComparison: Sendable {
    package struct Entry: Sendable {
        package var name: String
        /// The areas under the curves of the rank-weighted effect, on rows left out.
        package var autoc: TrialEstimate
        package var qini: TrialEstimate
        /// The mean of (Ỹ − T̃ θ)²; nil for the response, which is not an effect.
        package var rLoss: Double?
        package var seconds: Double
        /// With tuning: the size of its trees, and what was tried.
        package var choice: ModelChoice?

        /// The name, with the size when there was a choice.
        package var label: String { choice.map { "\(name), \($0.chosen)" } ?? name }
    }

    /// The best Qini area first.
    package var entries: [Entry]
    package var advice: String

    /// - Parameters:
    ///   - outcome: of the causal forest, its own effects of rows held out; and its seconds.
    ///   - tunes: chooses the size of each learner's trees by the rows left out.
    package init(
        _ fitter: LearnerFitter, _ outcome: TrainedOutcome, forestSeconds: Double, tunes: Bool = false,
        progress: (String) throws(ImpactError) -> Void
    ) throws(ImpactError) {
        let data = fitter.data
        let clusters = data.clusters.map { Clusters(labels: $0) }
        let scores = outcome.scores.scores[0].map { Double($0) }
        let weights = (0..<data.count).map { outcome.judgedWeight(data, $0) }
        func judge(_ effects: [[Float]]) -> RankWeightedEffect {
            RankWeightedEffect(
                scores: scores, priority: effects[0].map { Double($0) }, weight: weights, clusters: clusters,
                folds: outcome.folds.fold, shares: [])
        }
        let forest = judge(outcome.effects)
        var judged: [(Entry, RankWeightedEffect)] = [
            (
                Entry(
                    name: "causal-forest", autoc: forest.autoc, qini: forest.qini,
                    rLoss: fitter.residuals.meanLoss(outcome.effects),
                    seconds: forestSeconds), forest
            )
        ]
        for learner in EffectLearner.allCases where data.plan.arms != nil || learner.takesNumbers {
            try progress(learner.rawValue)
            var clock = PhaseClock()
            var (held, choice): (HeldOutEffects, ModelChoice?)
            if tunes {
                var fitter = fitter
                (choice, held) = try fitter.tune(learner, progress: progress)
            } else {
                (held, choice) = (try fitter.heldOutEffects(learner), nil)
            }
            let ranking = judge(held.effects)
            judged.append(
                (
                    Entry(
                        name: learner.rawValue, autoc: ranking.autoc, qini: ranking.qini,
                        rLoss: learner == .response ? nil : fitter.residuals.meanLoss(held.effects),
                        seconds: clock.lap("").processor,
                        choice: choice), ranking
                ))
        }
        judged.sort { ($0.0.qini.value, $1.0.name) > ($1.0.qini.value, $0.0.name) }
        entries = judged.map(\.0)
        let best = judged.first { $0.0.name != EffectLearner.response.rawValue } ?? judged[0]
        let response = judged.first { $0.0.name == EffectLearner.response.rawValue } ?? judged[0]
        let difference = best.1.difference(from: response.1).qini
        let interval = difference.interval(level: 0.95)
        let beats: String
        if let interval, interval.lower > 0 {
            beats = "it beats targeting by response"
        } else if let interval, interval.upper < 0 {
            beats = "targeting by response is better"
        } else {
            beats = "these rows do not tell it from targeting by response"
        }
        let isFound = best.0.qini.interval(level: 0.95).map { $0.lower > 0 } ?? false
        advice =
            isFound
            ? "\(best.0.name) ranks best; \(beats)"
            : "no learner ranks better than chance on these rows (the best is \(best.0.name)); \(beats)"
    }
}
