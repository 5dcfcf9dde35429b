import Base

/// The Qini coefficient and the area under the uplift curve, normalised as scikit-uplift 0.5.1 does.
extension RankedTrial {
    /// The best curve that this trial's outcomes allow.
    package enum Perfect: Sendable {
        /// For `qiniCurve`: treated who responded first, control who responded last.
        /// `negativeEffect` false allows no harm: a line up to the total effect, then level (nil when that is negative).
        case qini(negativeEffect: Bool)
        /// For `upliftCurve`, after Devriendt and others (2020).
        case uplift
    }

    /// The perfect curve, or nil where it is not defined.
    ///
    /// Binary outcomes: scikit-uplift's orders. Other outcomes: both kinds order the rows by outcome when treated and by
    /// minus outcome when control.
    package func perfectCurve(_ kind: Perfect) -> Curve? {
        switch kind {
        case .qini(negativeEffect: false):
            let effect =
                total.treatedOutcome - Tally.ratio(total.treatedWeight * total.controlOutcome, total.controlWeight)
            guard effect >= 0, total.controlWeight > 0 else { return nil }
            return Curve(population: [0, effect, total.weight], value: [0, effect, effect])
        case .qini(negativeEffect: true):
            return trial.hasBinaryOutcome ? PerfectCounts(total).qiniCurve : perfectCurves.qini
        case .uplift:
            return trial.hasBinaryOutcome ? PerfectCounts(total).upliftCurve : perfectCurves.uplift
        }
    }

    private var perfectCurves: (qini: Curve, uplift: Curve) {
        let ranking = Ranking(trial, by: trial.perfectScore, threads: threads)
        let points = RankedTrial.points(
            trial, ranking, ChunkTotals(trial, ranking, threads: threads), threads, qini: true, uplift: true)
        return (
            Curve(population: points.population, value: points.qini),
            Curve(population: points.population, value: points.uplift)
        )
    }

    /// The Qini coefficient: area between the curve and random targeting, as a share of the perfect curve's.
    /// 1 perfect, 0 random; scikit-uplift's `qini_auc_score`. Nil where the perfect area is 0 (no outcome varies) or,
    /// with `negativeEffect` false, the treatment does harm on the whole.
    package func qiniCoefficient(negativeEffect: Bool = true) -> Double? {
        qiniCoefficient(of: qiniCurve(), negativeEffect: negativeEffect)
    }

    /// The same for a Qini curve that is at hand (`curves().qini`).
    package func qiniCoefficient(of curve: Curve, negativeEffect: Bool = true) -> Double? {
        normalisedArea(curve, perfectCurve(.qini(negativeEffect: negativeEffect)))
    }

    /// The normalised area under the uplift curve (AUUC); scikit-uplift's `uplift_auc_score`.
    package func upliftAUC() -> Double? { upliftAUC(of: upliftCurve()) }

    /// The same for an uplift curve that is at hand (`curves().uplift`).
    package func upliftAUC(of curve: Curve) -> Double? { normalisedArea(curve, perfectCurve(.uplift)) }

    /// (area under `curve` - random) / (area under `perfect` - random); the random area is the perfect curve's own.
    func normalisedArea(_ curve: Curve, _ perfect: Curve?) -> Double? {
        guard let perfect else { return nil }
        let random = perfect.randomArea
        let span = perfect.area(threads: threads) - random
        guard span != 0 else { return nil }
        return (curve.area(threads: threads) - random) / span
    }
}

extension Trial {
    /// Orders rows as a model would that knew every outcome.
    var perfectScore: [Double] { (0..<count).map { treatment[$0] == 1 ? outcome[$0] : -outcome[$0] } }
}
