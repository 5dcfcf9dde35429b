import Rows
import Trees

/// Treatment and outcome less what the features alone tell of them, computed whenever they are asked for: copies would cost as
/// much memory as the forest's own.
package struct Residuals: Sendable {
    let data: TrainingData
    let nuisances: Nuisances
    let outcomeIndex: Int
    /// For each row the arm that it is taken to have: the rows' own, or a placebo's.
    let arms: [UInt8]
    private let column: FloatColumn
    private let expected: NuisanceColumn
    private let isNumber: Bool
    /// In place of the residuals of a treatment that is a number.
    private let placebo: [Float]?

    package init(
        _ data: TrainingData, _ nuisances: Nuisances, outcome index: Int, arms: [UInt8]? = nil, placebo: [Float]? = nil
    ) {
        self.placebo = placebo
        self.data = data
        self.nuisances = nuisances
        outcomeIndex = index
        self.arms = arms ?? data.arms
        (column, expected) = (data.outcomes[index], nuisances.outcome[index])
        isNumber = data.plan.arms == nil
    }

    /// How many treatments there are.
    package var effects: Int { data.effects }

    @inline(__always)
    package func outcome(_ row: Int) -> Float { column[row] - expected[row] }

    /// The indicator of the arm less its probability, or the number less its mean.
    @inline(__always)
    package func treatment(_ effect: Int, _ row: Int) -> Float {
        if isNumber { return placebo?[row] ?? data.treatment[row] - nuisances.treatment[row] }
        return (Int(arms[row]) == effect + 1 ? 1 : 0) - nuisances.propensity[effect + 1][row]
    }

    /// (Ỹ − T̃ᵀθ)² of a row, weighted.
    func loss(_ effects: [[Float]], _ row: Int) -> Double {
        var residual = Double(outcome(row))
        for effect in effects.indices {
            let theta = effects[effect][row]
            residual -= Double(treatment(effect, row)) * (theta.isNaN ? 0 : Double(theta))
        }
        return Double(data.weight(row)) * residual * residual
    }

    /// The mean of the losses.
    func meanLoss(_ effects: [[Float]]) -> Double {
        var sum = 0.0
        for row in 0..<data.count { sum += loss(effects, row) }
        return sum / Double(max(1, data.count))
    }

    /// The mean of the losses of the same effects for everybody.
    func meanLoss(of constants: [Float]) -> Double {
        var sum = 0.0
        for row in 0..<data.count {
            var residual = Double(outcome(row))
            for effect in constants.indices { residual -= Double(treatment(effect, row)) * Double(constants[effect]) }
            sum += Double(data.weight(row)) * residual * residual
        }
        return sum / Double(max(1, data.count))
    }

    /// What a forest is grown on: the outcome's residual less what the offset explains.
    func problem(
        _ rows: BinnedMatrix, offset: FittedOffset? = nil, by source: FittedOffset.Source = .all
    ) -> ForestProblem {
        let (effects, weights) = (self.effects, data.weights)
        return ForestProblem(
            rows: rows, treatments: effects, hasWeights: weights != nil, clusters: data.clusters
        ) { values in
            let width = effects + 1 + (weights == nil ? 0 : 1)
            for row in 0..<data.count {
                let own = values + row * width
                for effect in 0..<effects { own[effect] = treatment(effect, row) }
                own[effects] = outcome(row)
                if let weights { own[effects + 1] = weights[row] }
            }
            offset?.forEachRow(by: source) { row, offsets in
                let own = values + row * width
                for effect in 0..<effects { own[effects] -= own[effect] * offsets[effect] }
            }
        }
    }
}
