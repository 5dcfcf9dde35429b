import Base
import Statistics

extension EvaluationReport {
    private static let drawnPoints = 201

    /// Computes the report; the numbers are a function of trial and options, whatever the threads.
    ///
    /// - Throws: `bad_options` naming the option; what `Trial` and `DecisionLog` throw.
    package static func compute(
        _ trial: Trial, options: EvaluationOptions = EvaluationOptions(),
        provenance: EvaluationProvenance = EvaluationProvenance()
    ) throws(ImpactError) -> EvaluationReport {
        try options.check()
        var notes = provenance.remarks
        let adjusted = options.adjustsForPropensity && trial.hasVaryingPropensity
        var meaning = options.weightMeaning
        if adjusted {
            meaning = .sampling
            notes.append(
                "propensities differ from row to row: rows are weighted by their inverse, "
                    + "so that both arms stand for everyone")
        } else if trial.hasVaryingPropensity {
            notes.append("propensities differ from row to row and are not adjusted for: arms may not be comparable")
        }
        if meaning == .frequency, let weight = trial.weight, !weight.allSatisfy({ $0.rounded() == $0 }) {
            throw ImpactError(
                .badInput, code: "bad_options", "frequency weights count rows: they must be whole numbers")
        }
        let plain = RankedTrial(trial, threads: options.threads)
        let ranked = adjusted ? RankedTrial(try trial.adjustedForPropensity(), threads: options.threads) : plain
        let curves = ranked.curves()
        let settings = Bootstrap(replicates: options.replicates, seed: options.seed, level: options.level)
        let bootstrap = ranked.bootstrap(settings, meaning: meaning)
        let total = ranked.total.weight

        let undefined = "no outcome differs, so there is nothing to rank"
        let calibration = ranked.calibration(bins: options.bins, level: options.level, meaning: meaning)
        let bins = calibration.bins.map(\.observed)
        let binsByGroup = ranked.bins(options.bins, .byGroup, level: options.level, meaning: meaning)
        let topShares = [Strategy.overall, .byGroup].flatMap { strategy in
            zip(
                options.fractions,
                ranked.uplift(at: options.fractions, strategy, level: options.level, meaning: meaning)
            )
            .map { TopShare(fraction: $0, strategy: strategy, effect: $1) }
        }
        let distinct = curves.uplift.count - 1
        notes += Self.remarks(trial, ranked, bins: bins, distinct: distinct)
        let largest = bins.compactMap(\.effect).map(abs).max() ?? 0
        if let error = calibration.error, largest > 0, error > 5 * largest {
            notes.append(
                "the scores are far larger than any observed effect: they rank, but are no predicted effects in the "
                    + "outcome’s unit; leave the calibration aside")
        }
        var rules: [TargetingRule] = [.nobody, .everybody, .above(options.threshold)]
        rules += options.fractions.map { .top($0) }
        let targeting = try plain.targeting(rules, seed: options.seed, level: options.level)
        for warning in Set(targeting.flatMap(\.value.warnings)).sorted() { notes.append("targeting: \(warning)") }

        return EvaluationReport(
            options: options, provenance: provenance, rows: trial.count, treatedRows: trial.treatedCount,
            population: total, hasBinaryOutcome: trial.hasBinaryOutcome, isWeighted: trial.weight != nil,
            isAdjustedForPropensity: adjusted, distinctScores: distinct,
            averageEffect: ranked.averageEffect(level: options.level, meaning: meaning),
            qini: Coefficient(ranked.qiniCoefficient(of: curves.qini), bootstrap.qini, undefined: undefined),
            qiniWithoutHarm: Coefficient(
                ranked.qiniCoefficient(of: curves.qini, negativeEffect: false), bootstrap.qiniWithoutHarm,
                undefined: "the treatment does harm on the whole"),
            upliftAUC: Coefficient(ranked.upliftAUC(of: curves.uplift), bootstrap.upliftAUC, undefined: undefined),
            weightedAverage: (
                Coefficient(averageOf: bins, level: options.level),
                Coefficient(averageOf: binsByGroup, level: options.level)
            ), topShares: topShares, bins: bins,
            binsByGroup: binsByGroup,
            calibration: calibration,
            gains: Self.gains(curves, total, bootstrap), best: Self.best(curves.uplift), targeting: targeting,
            qiniCurve: curves.qini.thinned(to: drawnPoints), upliftCurve: curves.uplift.thinned(to: drawnPoints),
            perfectQini: ranked.perfectCurve(.qini(negativeEffect: true))?.thinned(to: drawnPoints),
            perfectUplift: ranked.perfectCurve(.uplift)?.thinned(to: drawnPoints), bootstrap: bootstrap, notes: notes)
    }

    private static func gains(
        _ curves: (qini: Curve, uplift: Curve), _ total: Double, _ bootstrap: Bootstrap.Result
    ) -> [GainPoint] {
        (1...10).map { decile in
            let fraction = Double(decile) / 10
            // The bootstrap's grid has a point at every decile.
            let step = bootstrap.grid.firstIndex { abs($0 - fraction) < 1e-9 }
            func interval(_ band: [Interval]) -> Interval? { step.flatMap { $0 < band.count ? band[$0] : nil } }
            return GainPoint(
                fraction: fraction, population: total * fraction, gain: curves.uplift.height(at: total * fraction),
                gainInterval: interval(bootstrap.upliftBand), qini: curves.qini.height(at: total * fraction),
                qiniInterval: interval(bootstrap.qiniBand),
                random: (curves.uplift.value.last ?? 0) * fraction)
        }
    }

    private static func best(_ curve: Curve) -> (fraction: Double, gain: Double) {
        var index = 0
        for point in 0..<curve.count where curve.value[point] > curve.value[index] { index = point }
        return (curve.population[index] / (curve.population.last ?? 1), curve.value[index])
    }

    private static func remarks(_ trial: Trial, _ ranked: RankedTrial, bins: [GroupEffect], distinct: Int) -> [String] {
        var notes: [String] = []
        for (index, bin) in bins.enumerated() {
            if let remark = bin.remark { notes.append("bin \(index + 1) of \(bins.count): \(remark)") }
        }
        if distinct == 1 {
            notes.append("every row has the same score: the ranking says nothing, and its curves are straight")
        } else if distinct * 2 < trial.count {
            notes.append(
                "\(trial.count) rows share \(distinct) scores: equal scores are one point of a curve; where a share or "
                    + "bin cuts a tie, the later rows of the input come first, as in scikit-uplift")
        }
        let responses = ranked.total.treatedOutcome + ranked.total.controlOutcome
        if trial.hasBinaryOutcome && trial.weight == nil && responses < 100 {
            notes.append("only \(Int(saturating: responses)) rows have the outcome: read every number by its interval")
        }
        if !trial.hasBinaryOutcome {
            notes.append(
                "the outcome is not 0/1: the perfect curve orders treated rows by outcome and control rows by minus it")
        }
        return notes
    }
}

extension EvaluationOptions {
    func check() throws(ImpactError) {
        func bad(_ message: String) -> ImpactError { ImpactError(.usage, code: "bad_options", message) }
        if let k = fractions.first(where: { !($0 > 0 && $0 < 1) }) {
            throw bad("k of uplift@k is \(k): it must be strictly between 0 and 1")
        }
        guard bins >= 1 && bins <= 1000 else { throw bad("bins is \(bins): it must be 1 to 1000") }
        guard level > 0 && level < 1 else { throw bad("the confidence level is \(level): it must be between 0 and 1") }
        guard replicates >= 0 && replicates <= 100_000 else {
            throw bad("bootstrap replicates are \(replicates): they must be 0 to 100000")
        }
        guard threshold.isFinite else { throw bad("the threshold is \(threshold): it must be a number") }
    }
}

extension Trial {
    /// Whether rows had different chances of treatment.
    var hasVaryingPropensity: Bool {
        guard let propensity, let low = propensity.min(), let high = propensity.max() else { return false }
        return high - low > 1e-9
    }

    /// Rows weighted by P(arm) / P(arm | row) (stabilised inverse propensity weights).
    func adjustedForPropensity() throws(ImpactError) -> Trial {
        guard let propensity else { return self }
        var treated = 0.0
        var total = 0.0
        for row in 0..<count {
            let w = weight?[row] ?? 1
            total += w
            if treatment[row] == 1 { treated += w }
        }
        let share = treated / total
        return try weighted(
            (0..<count).map { row in
                let ratio =
                    treatment[row] == 1 ? share / propensity[row] : (1 - share) / (1 - propensity[row])
                return (weight?[row] ?? 1) * ratio
            })
    }
}
