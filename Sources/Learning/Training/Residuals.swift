import Rows

/// Treatment and outcome less what the features alone tell of them.
package struct Residuals: Sendable {
    /// By effect: the indicator of the arm less its probability, or the number less its mean.
    package var treatment: [[Float]]
    package var outcome: [Float]

    package init(_ data: TrainingData, _ nuisances: Nuisances, outcome index: Int) {
        let (column, fitted) = (data.outcomes[index], nuisances.outcome[index])
        outcome = (0..<data.count).map { column[$0] - fitted[$0] }
        if data.plan.arms == nil {
            let (values, mean) = (data.treatment, nuisances.treatment)
            treatment = [(0..<data.count).map { values[$0] - mean[$0] }]
        } else {
            treatment = (1..<data.armCount).map { arm in
                let chance = nuisances.propensity[arm]
                return (0..<data.count).map { (data.arms[$0] == arm ? 1 : 0) - chance[$0] }
            }
        }
    }

    /// (Ỹ − T̃ᵀθ)² of each row, weighted.
    func losses(_ effects: [[Float]], _ data: TrainingData) -> [Double] {
        (0..<data.count).map { row in
            var residual = Double(outcome[row])
            for effect in effects.indices {
                let theta = effects[effect][row]
                residual -= Double(treatment[effect][row]) * (theta.isNaN ? 0 : Double(theta))
            }
            return Double(data.weight(row)) * residual * residual
        }
    }
}
