import Base
import Statistics

/// Expected reward of each action at each row, for the doubly robust estimate.
package enum RewardModel: Sendable {
    /// The caller's own predictions: `actionCount` numbers per row. They must not have seen the row's reward.
    case given([Double])
    /// The mean reward of each action in each stratum, drawn towards the action's and the log's mean by as much as
    /// `prior` further decisions would; cross-fitted.
    case means(prior: Double = 20)
    /// A ridge regression of reward on the context for each action, intercept not penalised; cross-fitted.
    case ridge(penalty: Double = 1)
}

/// Predictions for every row and action, each made without that row's fold.
struct RewardPredictions {
    /// `actionCount` numbers per row.
    let value: [Double]

    /// - Parameter folds: row i belongs to fold hash(seed, i) % folds.
    init(_ model: RewardModel, _ log: DecisionLog, folds: Int, seed: UInt64) throws(ImpactError) {
        switch model {
        case .given(let value):
            guard value.count == log.count * log.actionCount else {
                throw ImpactError(
                    .badInput, code: "bad_log",
                    "the reward model gives \(value.count) numbers, \(log.count * log.actionCount) are needed "
                        + "(\(log.actionCount) actions for each of \(log.count) rows)")
            }
            guard value.allSatisfy(\.isFinite) else {
                throw ImpactError(.badInput, code: "bad_log", "the reward model predicts a value that is not finite")
            }
            self.value = value
        case .means(let prior):
            self.value = Self.crossFit(log, folds, seed) { Self.means(log, prior: prior, without: $0) }
        case .ridge(let penalty):
            self.value = Self.crossFit(log, folds, seed) { Self.ridge(log, penalty: penalty, without: $0) }
        }
    }

    /// Fits once without each fold and predicts the rows of that fold.
    private static func crossFit(
        _ log: DecisionLog, _ folds: Int, _ seed: UInt64,
        _ fit: (_ without: (Int) -> Bool) -> ((Int, Int) -> Double)
    ) -> [Double] {
        let folds = max(2, min(folds, log.count))
        // Decisions of one cluster share a fold: they know too much of each other.
        let fold = Folds(seed: seed, count: folds, unit: log.clusters?.code)
        var value = [Double](repeating: 0, count: log.count * log.actionCount)
        for held in 0..<folds {
            let predict = fit { fold.of($0) == held }
            for row in 0..<log.count where fold.of(row) == held {
                for action in 0..<log.actionCount { value[row * log.actionCount + action] = predict(row, action) }
            }
        }
        return value
    }

    private static func means(
        _ log: DecisionLog, prior: Double, without held: (Int) -> Bool
    ) -> (Int, Int) -> Double {
        var cells = [(reward: Double, weight: Double)](
            repeating: (0, 0), count: log.actionCount * log.stratumCount)
        for row in 0..<log.count where !held(row) {
            let weight = log.weight?[row] ?? 1
            let cell = Int(log.stratum[row]) * log.actionCount + Int(log.action[row])
            cells[cell].reward += weight * log.reward[row]
            cells[cell].weight += weight
        }
        let all = cells.reduce((reward: 0.0, weight: 0.0)) { ($0.reward + $1.reward, $0.weight + $1.weight) }
        let overall = Tally.ratio(all.reward, all.weight)
        var predicted = [Double](repeating: overall, count: cells.count)
        for action in 0..<log.actionCount {
            let strata = (0..<log.stratumCount).map { $0 * log.actionCount + action }
            let sum = strata.reduce((reward: 0.0, weight: 0.0)) {
                ($0.reward + cells[$1].reward, $0.weight + cells[$1].weight)
            }
            let ofAction = Tally.ratio(sum.reward + prior * overall, sum.weight + prior)
            for cell in strata {
                predicted[cell] = Tally.ratio(cells[cell].reward + prior * ofAction, cells[cell].weight + prior)
            }
        }
        return { row, action in predicted[Int(log.stratum[row]) * log.actionCount + action] }
    }

    private static func ridge(
        _ log: DecisionLog, penalty: Double, without held: (Int) -> Bool
    ) -> (Int, Int) -> Double {
        var fits = [RidgeRegression](
            repeating: RidgeRegression(width: log.contextWidth), count: log.actionCount)
        for row in 0..<log.count where !held(row) {
            let context = log.context[row * log.contextWidth..<(row + 1) * log.contextWidth]
            fits[Int(log.action[row])].add(context, log.reward[row], weight: log.weight?[row] ?? 1)
        }
        let coefficients = fits.map { $0.coefficients(penalty: penalty) }
        return { row, action in
            let start = row * log.contextWidth
            var value = coefficients[action][log.contextWidth]
            for column in 0..<log.contextWidth { value += coefficients[action][column] * log.context[start + column] }
            return value
        }
    }
}

/// A deterministic split of rows into folds.
private struct Folds {
    let seed: UInt64
    let count: Int
    let unit: [Int32]?

    func of(_ row: Int) -> Int {
        let unit = self.unit.map { Int($0[row]) } ?? row
        var z = seed &+ (UInt64(unit) &+ 1) &* 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((z ^ (z >> 31)) % UInt64(count))
    }
}
