import Base
import Rows

/// How much a learner's boosted trees may say.
package enum BoostingSize: String, Sendable, CaseIterable {
    case small, usual, large

    var trees: Int {
        switch self {
        case .small: 50
        case .usual: 100
        case .large: 300
        }
    }

    /// Leaves of a tree, for so many rows.
    func leaves(rows: Int) -> Int {
        let usual = rows < 20_000 ? 8 : 16
        return switch self {
        case .small: usual / 2
        case .usual: usual
        case .large: usual * 2
        }
    }
}

extension LearnerFitter {
    /// The size whose effects of rows left out have the least R-loss (a response model: whose predictions have the least
    /// squared error), and these effects.
    package mutating func tune(
        _ learner: EffectLearner, progress: (String) throws(ImpactError) -> Void
    ) throws(ImpactError) -> (choice: ModelChoice, held: HeldOutEffects) {
        var best: (size: BoostingSize, loss: Double, held: HeldOutEffects)?
        var tried: [(String, Double)] = []
        for candidate in learner == .linear ? [.usual] : BoostingSize.allCases {
            try progress("\(learner.rawValue) \(candidate.rawValue)")
            size = candidate
            let held = try heldOutEffects(learner)
            let loss = learner == .response ? responseLoss(held.effects[0]) : residuals.meanLoss(held.effects)
            tried.append((candidate.rawValue, loss))
            if best.map({ loss < $0.loss }) ?? true { best = (candidate, loss, held) }
        }
        let choice = { ModelChoice(what: "\(learner.rawValue)'s trees", chosen: $0, losses: tried) }
        guard let best else { return (choice(size.rawValue), try heldOutEffects(learner)) }
        size = best.size
        return (choice(size.rawValue), best.held)
    }

    /// The mean squared error of predictions of the outcome.
    private func responseLoss(_ predictions: [Float]) -> Double {
        let column = data.outcomes[outcome]
        var sum = 0.0
        for row in 0..<data.count {
            let miss = Double(column[row] - predictions[row])
            sum += Double(data.weight(row)) * miss * miss
        }
        return sum / Double(data.count)
    }
}
