import Base
import Rows

/// The memory that a training takes at its peak, told before it starts.
package enum TrainingMemory {
    /// The program with its libraries, samples, and what does not depend on the rows.
    private static let program = 60 << 20

    /// Resident bytes: the program, and the greatest of reading, boosting the nuisances, and growing the forest.
    package static func bytes(_ data: TrainingData, _ settings: TrainingSettings) -> Int {
        let threads = settings.grower.threads > 0 ? settings.grower.threads : Parallel.processors
        let (rows, features, effects) = (data.count, data.features.count, data.effects)
        let planes = (features + 15) / 16 * 16
        let weights = data.weights == nil ? 0 : 4
        // Per row: the bins, what stands beside them, folds, and the nuisances.
        let held =
            planes + (data.plan.arms == nil ? 4 : 1) + 4 * data.outcomes.count + weights
            + (data.propensity == nil ? 0 : 4) + (data.clusters == nil ? 0 : 4)
        let nuisances = 1 + 4 * data.outcomes.count + 4 * max(1, data.armCount == 2 ? 1 : data.armCount)
        let reading = rows * held + 4 * min(rows * features, max(TrainingData.stagedValues, features << 14))
        // Per thread: scores, gradients, Hessians, and rows in the order of a tree.
        let boosting = rows * (held + nuisances + 8 + min(threads, NuisanceFitter.foldCount) * 32)
        let width = 4 * (effects + 1) + weights
        let columns = effects + effects * effects
        // What a forest is grown on, its out-of-bag sums, and the effects of the choice before it.
        let forest = held + nuisances + width + 4 * columns + 4 * effects + 1
        // Per thread: the half-sample twice, and its rows' numbers and pseudo-outcomes.
        let thread = planes + width + 2 + (12 * effects + 5) / 10
        let growing = rows * (forest + threads * thread) + treeBytes(rows, columns, settings.grower, threads)
        // The moments of linear nuisances, a fold each, and of an offset, a group each.
        let usesLinear =
            settings.nuisance == .linear || settings.nuisance == .best && features <= NuisanceFitter.mostColumns
        let squares = 8 * (features + 1) * (features + 1)
        let linear = usesLinear ? squares * (NuisanceFitter.foldCount + 4) : 0
        let offset =
            settings.offset == OffsetShape.none || features > EffectTask.mostOffsetFeatures
            ? 0 : squares * effects * effects * (OffsetFitter.groups + 4)
        return program + max(reading, boosting, growing, rows * held + max(linear, offset))
    }

    /// Trees that stand in memory at a time.
    private static func treeBytes(_ rows: Int, _ columns: Int, _ grower: GrowerSettings, _ threads: Int) -> Int {
        let half = Double(rows) * grower.halfSample * grower.subsample
        // Leaves have half as many rows again as they must have.
        let leaves = min(
            half * grower.honesty / Double(grower.splitLeaf), half * (1 - grower.honesty) / Double(grower.estimateLeaf))
        let bytes = leaves / 1.5 * Double(2 * 18 + 8 * columns) * 1.5
        return Int(bytes) * grower.bag * ForestGrower.bagsAtOnce(rows: rows, threads: threads)
    }
}
