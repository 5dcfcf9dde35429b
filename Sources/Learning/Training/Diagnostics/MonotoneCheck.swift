import Rows
import Scoring
import Trees

/// How far a model's effect follows the direction that one feature was given.
///
/// A split is only taken when its own two sides differ in that direction, among the rows that decide and among those that
/// estimate. The splits below it, on other features too, and the average over trees may still bend the effect a little: this
/// says how often and how much.
package struct MonotoneCheck: Sendable {
    package var feature: String
    package var rises: Bool
    /// Steps from one value of the feature to the next, everything else as in a row of the training.
    package var steps: Int
    /// Those that go against the direction.
    package var against: Int
    /// The greatest change against the direction, in units of the outcome; 0 without any.
    package var worst: Double

    private static let rows = 200
    private static let values = 32

    /// One a feature with a direction, of the first outcome's effect. Features have the means of their bins.
    package static func all(_ data: TrainingData, _ model: Model, _ signs: [Int8]) -> [MonotoneCheck] {
        let matrix = data.matrix
        let scorer = Scorer(model: model, maxRows: Self.values)
        return signs.indices.filter { signs[$0] != 0 }.map { feature in
            var check = MonotoneCheck(
                feature: data.featureNames[feature], rises: signs[feature] > 0, steps: 0, against: 0, worst: 0)
            let filled = (1..<BinnedMatrix.bins).filter { matrix.count(feature: feature, bin: $0) > 0 }
            let stride = max(1, (filled.count + Self.values - 1) / Self.values)
            let grid = Swift.stride(from: 0, to: filled.count, by: stride).map {
                matrix.mean(feature: feature, bin: filled[$0])
            }
            var block = [Float](repeating: 0, count: grid.count * model.rowStride)
            var estimates = [Estimate](
                repeating: Estimate(effect: 0, standardError: 0), count: grid.count * model.effectCount)
            for row in Swift.stride(from: 0, to: data.count, by: max(1, data.count / Self.rows)) {
                for (place, value) in grid.enumerated() {
                    for column in 0..<matrix.features {
                        block[place * model.rowStride + column] = matrix.mean(
                            feature: column, bin: Int(matrix.bin(row: row, feature: column)))
                    }
                    block[place * model.rowStride + feature] = value
                }
                scorer.score(
                    rows: block, stride: model.rowStride, count: grid.count, into: &estimates, standardErrors: false)
                for place in grid.indices.dropFirst() {
                    let change =
                        estimates[place * model.effectCount].effect - estimates[(place - 1) * model.effectCount].effect
                    guard !change.isNaN else { continue }
                    check.steps += 1
                    let against = check.rises ? -change : change
                    // A difference that comes from rounding does not count.
                    guard against > 1e-12 * abs(estimates[place * model.effectCount].effect) else { continue }
                    check.against += 1
                    check.worst = max(check.worst, against)
                }
            }
            return check
        }
    }
}
