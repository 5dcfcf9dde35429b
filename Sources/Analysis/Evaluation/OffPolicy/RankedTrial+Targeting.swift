import Base
import Statistics

/// A trial as a log of decisions, with a reward model: what targeting rules are valued on.
struct TrialLog {
    let trial: Trial
    let log: DecisionLog
    private let predictions: RewardPredictions
    private let level: Double
    /// Doubly robust contributions of treating nobody and of treating everybody.
    let nobody: [Double]
    let everybody: [Double]

    /// The propensities are the trial's; without a column of them the treated share (of each experiment) stands in, as in
    /// a trial that gave everyone the same chance. The reward model is a cross-fitted ridge regression of outcome on score
    /// and covariates for each arm.
    ///
    /// - Parameter covariates: one array each, one number per row; NaN is missing and takes the mean.
    init(
        _ trial: Trial, covariates: [[Double]] = [], folds: Int = 5, seed: UInt64, level: Double
    ) throws(ImpactError) {
        let chance = trial.chances
        let filled = covariates.map { column in
            let known = column.filter { !$0.isNaN }
            let mean = known.isEmpty ? 0 : known.reduce(0, +) / Double(known.count)
            return column.map { $0.isNaN ? mean : $0 }
        }
        // Base rates differ from experiment to experiment; a column for each but the first lets the model know.
        let dummies = trial.experiments.map { min($0.count, 20) - 1 } ?? 0
        let width = 1 + filled.count + dummies
        var context = [Double](repeating: 0, count: trial.count * width)
        for row in 0..<trial.count {
            context[row * width] = trial.score[row]
            for (place, column) in filled.enumerated() { context[row * width + 1 + place] = column[row] }
            if let code = trial.experiments?.code[row], code > 0, code <= dummies {
                context[row * width + filled.count + Int(code)] = 1
            }
        }
        let actions: [Int32] = trial.treatment.map { Int32($0) }
        let taken: [Double] = chance.indices.map { trial.treatment[$0] == 1 ? chance[$0] : 1 - chance[$0] }
        log = try DecisionLog(
            action: actions, actionCount: 2, reward: trial.outcome, propensity: taken,
            context: context, contextWidth: width, weight: trial.weight, clusters: trial.clusters)
        predictions = try RewardPredictions(.ridge(), log, folds: folds, seed: seed)
        self.trial = trial
        self.level = level
        nobody = Self.contributions(log, predictions, 0)
        everybody = Self.contributions(log, predictions, 1)
    }

    private static func contributions(_ log: DecisionLog, _ predictions: RewardPredictions, _ action: Int) -> [Double] {
        (0..<log.count).map { row in
            let mean = predictions.value[row * 2 + action]
            guard Int(log.action[row]) == action else { return mean }
            // As `OffPolicyValue` has it, so that a rule that treats nobody gains exactly 0 over nobody.
            return mean + 1 / log.propensity[row] * (log.reward[row] - mean)
        }
    }

    /// Doubly robust scores of the effect, one a row.
    var effects: [Double] { zip(everybody, nobody).map { $0 - $1 } }

    func value(_ name: String, treats: [Bool]) throws(ImpactError) -> OffPolicyValue {
        try OffPolicyValue(
            TargetPolicy(name) { row, out in
                out[0] = treats[row] ? 0 : 1
                out[1] = treats[row] ? 1 : 0
            }, log, predictions: predictions, level: level)
    }

    /// The mean difference of two policies' contributions on the same rows.
    func difference(_ one: [Double], _ other: [Double]) -> ValueEstimate {
        ValueEstimate(
            mean: zip(one, other).map { $0 - $1 }, weight: trial.weight, clusters: trial.clusters, level: level)
    }
}

/// The value of targeting rules, from the trial's own randomisation.
extension RankedTrial {
    /// Values each rule by IPS, SNIPS and doubly robust, all on the same rows (see ``TrialLog``).
    package func targeting(
        _ rules: [TargetingRule], folds: Int = 5, seed: UInt64 = 1, level: Double = 0.95
    ) throws(ImpactError) -> [TargetingValue] {
        try targeting(rules, on: try TrialLog(trial, folds: folds, seed: seed, level: level))
    }

    func targeting(_ rules: [TargetingRule], on log: TrialLog) throws(ImpactError) -> [TargetingValue] {
        var values: [TargetingValue] = []
        for rule in rules {
            let treats = treated(by: rule)
            var weight = 0.0
            for row in 0..<trial.count where treats[row] { weight += trial.weight?[row] ?? 1 }
            let value = try log.value(rule.name, treats: treats)
            values.append(
                TargetingValue(
                    rule: rule, treatedShare: weight / total.weight, value: value,
                    gainOverNobody: log.difference(value.contributions, log.nobody),
                    gainOverEverybody: log.difference(value.contributions, log.everybody)))
        }
        return values
    }

    /// Whether the rule treats each row.
    func treated(by rule: TargetingRule) -> [Bool] {
        switch rule {
        case .nobody: return [Bool](repeating: false, count: trial.count)
        case .everybody: return [Bool](repeating: true, count: trial.count)
        case .above(let threshold): return trial.score.map { $0 > threshold }
        case .top(let share):
            let limit = total.weight * share
            var treats = [Bool](repeating: false, count: trial.count)
            var passed = 0.0
            for rank in 0..<ranking.count {
                let row = ranking.rows[rank].row
                passed += trial.weight?[row] ?? 1
                guard passed <= limit else { break }
                treats[row] = true
            }
            return treats
        }
    }
}

extension Trial {
    /// Each row's probability of treatment: as logged, else the treated share of its experiment.
    var chances: [Double] {
        if let propensity { return propensity }
        let count = experiments?.count ?? 1
        var treated = [Double](repeating: 0, count: count)
        var all = treated
        for row in 0..<self.count {
            let place = experiments.map { Int($0.code[row]) } ?? 0
            let w = weight?[row] ?? 1
            all[place] += w
            if treatment[row] == 1 { treated[place] += w }
        }
        return (0..<self.count).map { row in
            let place = experiments.map { Int($0.code[row]) } ?? 0
            return treated[place] / all[place]
        }
    }
}
