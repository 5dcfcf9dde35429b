import Base
import Report
import Statistics

extension EvaluationReport {
    private static let drawnPoints = 201

    /// Computes the report; the numbers are a function of trial and options, whatever the threads.
    ///
    /// - Throws: `bad_options` naming the option; what `Trial` and `DecisionLog` throw.
    package static func compute(
        _ trial: Trial, options: EvaluationOptions = EvaluationOptions(),
        provenance: EvaluationProvenance = EvaluationProvenance(), extras: EvaluationExtras = EvaluationExtras()
    ) throws(ImpactError) -> EvaluationReport {
        try options.check()
        var notes = provenance.remarks
        let isStratified = trial.experiments != nil
        let adjusted = options.adjustsForPropensity && (trial.hasVaryingPropensity || isStratified)
        var meaning = options.weightMeaning
        if let experiments = trial.experiments, adjusted {
            meaning = .sampling
            notes.append(
                "\(experiments.count) experiments: stratified. Rows are weighted so that the arms are compared within each "
                    + "experiment, and an experiment counts by its rows; --experiment takes one alone")
        } else if isStratified {
            notes.append(
                "\(trial.experiments?.count ?? 0) experiments are pooled without weights: arms may not be comparable")
        } else if adjusted {
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
        let lacking =
            Evidence.lacking(trial)
            ?? (curves.uplift.count == 2 ? "every row has the same score, so that nothing is ranked" : nil)
        var settings = options.bootstrap
        if lacking != nil { settings.replicates = 0 }
        let bootstrap = ranked.bootstrap(settings, meaning: meaning)
        let total = ranked.total.weight

        let undefined = "no outcome differs, so there is nothing to rank"
        let calibration = ranked.calibration(
            bins: options.bins, level: options.level, meaning: meaning, hasInterval: lacking == nil)
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
                "the scores are far larger than any observed effect: they rank, but are not predicted effects in the "
                    + "outcome’s unit; leave the calibration aside")
        }
        var rules: [TargetingRule] = [.nobody, .everybody, .above(options.threshold)]
        rules += options.fractions.map { .top($0) }
        let log = try TrialLog(trial, covariates: extras.covariates.columns, seed: options.seed, level: options.level)
        let targeting = try plain.targeting(rules, on: log)
        for rule in targeting {
            for warning in rule.value.warnings { notes.append("treating \(rule.rule.name): \(warning)") }
        }

        if trial.hasBinaryOutcome {
            for (name, mean) in [
                ("treated", ranked.total.treatedOutcome), ("control", ranked.total.controlOutcome),
            ] where mean == 0 {
                notes.append("no \(name) row has the outcome: is it recorded for that arm?")
            }
        }
        let sampleRatio = trial.propensity.map { Self.sampleRatio(trial, $0, rows: Array(0..<trial.count)) }
        let experiments = Self.experiments(trial, extras.experiments, options.level, meaning)
        if let sampleRatio, sampleRatio.isMismatch {
            notes.insert(Self.mismatch(sampleRatio, "the trial"), at: 0)
        }
        for experiment in experiments {
            if let test = experiment.sampleRatio, test.isMismatch {
                notes.insert(Self.mismatch(test, "experiment '\(experiment.name)'"), at: 0)
            }
        }
        if sampleRatio == nil {
            notes.append(
                "sample ratio not tested: no propensity is known (--propensity COLUMN, or the planned share as in "
                    + "--propensity 0.5)")
        }
        let covariates = extras.covariates
        let balance =
            covariates.names.isEmpty
            ? nil
            : CovariateBalance(
                names: covariates.names, columns: covariates.columns, treatment: trial.treatment,
                propensity: trial.propensity ?? (trial.experiments == nil ? nil : trial.chances), weight: trial.weight,
                clusters: trial.clusters)
        if let omnibus = balance?.omnibus, omnibus.pValue < 0.001 {
            notes.insert(
                "covariates are not balanced (all together p \(Figure.pValue(omnibus.pValue))): the arms differed before "
                    + "the treatment", at: 0)
        }
        let effects = log.effects
        let rate = RankWeightedEffect(
            scores: effects, priority: trial.score, weight: trial.weight, clusters: trial.clusters)
        var comparison: ScoreComparison?
        if let challenger = extras.challenger {
            comparison = try ScoreComparison(
                ranked, on: log, challenger: challenger.score, names: (extras.scoreName, challenger.name),
                options: options, meaning: meaning)
        }
        let arms: ArmsEvaluation? = try extras.arms.map { arms throws(ImpactError) in
            try ArmsEvaluation(arms, options: options)
        }
        notes += arms?.notes ?? []

        return EvaluationReport(
            options: options, provenance: provenance, rows: trial.count, treatedRows: trial.treatedCount,
            population: total, hasBinaryOutcome: trial.hasBinaryOutcome, isWeighted: trial.weight != nil,
            isAdjustedForPropensity: adjusted, distinctScores: distinct,
            clusters: trial.clusters.map { ($0.count, extras.clusterName ?? "clusters") }, experiments: experiments,
            lacking: lacking, sampleRatio: sampleRatio, balance: balance,
            averageEffect: ranked.averageEffect(level: options.level, meaning: meaning),
            qini: Coefficient(
                ranked.qiniCoefficient(of: curves.qini), bootstrap.qini, undefined: undefined, lacking: lacking),
            qiniWithoutHarm: Coefficient(
                ranked.qiniCoefficient(of: curves.qini, negativeEffect: false), bootstrap.qiniWithoutHarm,
                undefined: "the treatment does harm on the whole", lacking: lacking),
            upliftAUC: Coefficient(
                ranked.upliftAUC(of: curves.uplift), bootstrap.upliftAUC, undefined: undefined, lacking: lacking),
            weightedAverage: (
                Coefficient(
                    averageOf: bins, level: options.level,
                    clustered: ranked.weightedAverageError(.overall, bins: options.bins), lacking: lacking),
                Coefficient(
                    averageOf: binsByGroup, level: options.level,
                    clustered: ranked.weightedAverageError(.byGroup, bins: options.bins), lacking: lacking)
            ), topShares: topShares, bins: bins,
            binsByGroup: binsByGroup,
            calibration: calibration,
            gains: Self.gains(curves, total, bootstrap), best: Self.best(curves.uplift), targeting: targeting,
            rate: rate,
            costCurve: try Self.costCurve(trial, extras, options, effects, treated: provenance.treatedLabel),
            comparison: comparison,
            arms: arms,
            qiniCurve: curves.qini.thinned(to: drawnPoints), upliftCurve: curves.uplift.thinned(to: drawnPoints),
            perfectQini: ranked.perfectCurve(.qini(negativeEffect: true))?.thinned(to: drawnPoints),
            perfectUplift: ranked.perfectCurve(.uplift)?.thinned(to: drawnPoints), bootstrap: bootstrap, notes: notes)
    }

    private static func sampleRatio(_ trial: Trial, _ propensity: [Double], rows: [Int]) -> SampleRatioTest {
        SampleRatioTest(
            arm: rows.map { Int32(1 - trial.treatment[$0]) }, armCount: 2,
            propensity: rows.map { trial.treatment[$0] == 1 ? propensity[$0] : 1 - propensity[$0] },
            clusters: rows.count == trial.count ? trial.clusters : trial.clusters?.taking(rows))
    }

    private static func mismatch(_ test: SampleRatioTest, _ of: String) -> String {
        "sample-ratio mismatch in \(of): \(Figure.count(test.observed[0])) treated and "
            + "\(Figure.count(test.observed[1])) control, where the propensities promise "
            + "\(Figure.count(test.expected[0].rounded())) and \(Figure.count(test.expected[1].rounded())) "
            + "(p \(Figure.pValue(test.pValue))). Rows were lost or doubled, or the propensities are wrong: find out before "
            + "you believe an effect"
    }

    private static func experiments(
        _ trial: Trial, _ names: [String], _ level: Double, _ meaning: WeightMeaning
    ) -> [Experiment] {
        guard let experiments = trial.experiments else { return [] }
        return (0..<experiments.count).compactMap { number in
            let rows = (0..<trial.count).filter { Int(experiments.code[$0]) == number }
            func column(_ values: [Double]?) -> [Double]? { values.map { values in rows.map { values[$0] } } }
            guard
                let part = try? Trial(
                    score: rows.map { trial.score[$0] }, treatment: rows.map { trial.treatment[$0] },
                    outcome: rows.map { trial.outcome[$0] }, weight: column(trial.weight),
                    propensity: column(trial.propensity), clusters: trial.clusters?.taking(rows)),
                let weighted = part.hasVaryingPropensity ? try? part.adjustedForPropensity() : part
            else { return nil }
            return Experiment(
                name: number < names.count ? names[number] : String(number + 1),
                effect: RankedTrial(weighted, threads: 1).averageEffect(level: level, meaning: meaning),
                sampleRatio: trial.propensity.map { sampleRatio(trial, $0, rows: rows) })
        }
    }

    private static func costCurve(
        _ trial: Trial, _ extras: EvaluationExtras, _ options: EvaluationOptions, _ effects: [Double], treated: String?
    ) throws(ImpactError) -> CostCurve? {
        let costs: [Double]
        if let measured = extras.cost {
            // What costs the treatment adds, as an outcome of its own.
            costs = try TrialLog(
                try Trial(
                    score: trial.score, treatment: trial.treatment, outcome: measured, weight: trial.weight,
                    propensity: trial.propensity, clusters: trial.clusters, experiments: trial.experiments),
                covariates: extras.covariates.columns, seed: options.seed, level: options.level
            ).effects
        } else if let single = options.cost(of: treated) {
            costs = [Double](repeating: single, count: trial.count)
        } else {
            return nil
        }
        return CostCurve(
            effects: effects, costs: costs, priority: trial.score, outcomeValue: options.outcomeValue,
            weight: trial.weight, clusters: trial.clusters)
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
        if let (arm, cost) = costs.first(where: { !($0.value > 0 && $0.value.isFinite) }) {
            throw bad("the cost\(arm.isEmpty ? "" : " of '\(arm)'") is \(cost): it must be a number over 0")
        }
        guard outcomeValue > 0, outcomeValue.isFinite else {
            throw bad("the outcome's value is \(outcomeValue): it must be a number over 0")
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

    /// Rows weighted by P(arm) / P(arm | row) (stabilised inverse propensity weights). With several experiments the weights
    /// of each arm add up to the experiment's share of all rows, so that means are compared within experiments.
    ///
    /// - Throws: `single_arm` for an experiment that lacks an arm.
    func adjustedForPropensity() throws(ImpactError) -> Trial {
        guard propensity != nil || experiments != nil else { return self }
        let propensity = chances
        var treated = 0.0
        var total = 0.0
        for row in 0..<count {
            let w = weight?[row] ?? 1
            total += w
            if treatment[row] == 1 { treated += w }
        }
        let share = treated / total
        var weights = (0..<count).map { row in
            let ratio =
                treatment[row] == 1 ? share / propensity[row] : (1 - share) / (1 - propensity[row])
            return (weight?[row] ?? 1) * ratio
        }
        if let experiments {
            var own = [Double](repeating: 0, count: experiments.count)
            var arms = [Double](repeating: 0, count: 2 * experiments.count)
            for row in 0..<count {
                let place = Int(experiments.code[row])
                own[place] += weight?[row] ?? 1
                arms[2 * place + Int(treatment[row])] += weights[row]
            }
            if let empty = arms.firstIndex(of: 0) {
                throw ImpactError(
                    .badInput, code: "single_arm",
                    "experiment number \(empty / 2 + 1) has no \(empty % 2 == 1 ? "treated" : "control") rows that count: "
                        + "take the others with --experiment")
            }
            for row in 0..<count {
                let place = Int(experiments.code[row])
                let aim = own[place] * (treatment[row] == 1 ? share : 1 - share)
                weights[row] *= aim / arms[2 * place + Int(treatment[row])]
            }
        }
        return try weighted(weights)
    }
}

extension EvaluationOptions {
    /// The cost of one treatment of an arm: its own, else the one given without an arm's name.
    func cost(of arm: String?) -> Double? { arm.flatMap { costs[$0] } ?? costs[""] }
}
