import Base

/// The value of targeting rules, from the trial's own randomisation.
extension RankedTrial {
    /// Values each rule by IPS, SNIPS and doubly robust, all on the same rows.
    ///
    /// The propensities are the trial's; without a column of them the treated share stands in, as in a trial that gave
    /// everyone the same chance. The reward model is a cross-fitted ridge regression of outcome on score for each arm.
    package func targeting(
        _ rules: [TargetingRule], folds: Int = 5, seed: UInt64 = 1, level: Double = 0.95
    ) throws(ImpactError) -> [TargetingValue] {
        let trial = self.trial
        let share = total.treatedWeight / total.weight
        let log = try DecisionLog(
            action: trial.treatment.map { Int32($0) }, actionCount: 2, reward: trial.outcome,
            propensity: (0..<trial.count).map { row in
                let treat = trial.propensity?[row] ?? share
                return trial.treatment[row] == 1 ? treat : 1 - treat
            }, context: trial.score, contextWidth: 1, weight: trial.weight)
        let predictions = try RewardPredictions(.ridge(), log, folds: folds, seed: seed)

        func value(_ rule: TargetingRule) throws(ImpactError) -> (value: OffPolicyValue, treatedShare: Double) {
            let treats = treated(by: rule)
            let policy = TargetPolicy(rule.name) { row, out in
                out[0] = treats[row] ? 0 : 1
                out[1] = treats[row] ? 1 : 0
            }
            var weight = 0.0
            for row in 0..<trial.count where treats[row] { weight += trial.weight?[row] ?? 1 }
            let value = try OffPolicyValue(policy, log, predictions: predictions, level: level)
            return (value, weight / total.weight)
        }
        let nobody = try value(.nobody).value.contributions
        let everybody = try value(.everybody).value.contributions
        var values: [TargetingValue] = []
        for rule in rules {
            let (policy, treatedShare) = try value(rule)
            func gain(over other: [Double]) -> ValueEstimate {
                let difference = zip(policy.contributions, other).map { $0 - $1 }
                return ValueEstimate(mean: difference, weight: trial.weight, level: level)
            }
            values.append(
                TargetingValue(
                    rule: rule, treatedShare: treatedShare, value: policy, gainOverNobody: gain(over: nobody),
                    gainOverEverybody: gain(over: everybody)))
        }
        return values
    }

    /// Whether the rule treats each row.
    private func treated(by rule: TargetingRule) -> [Bool] {
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
