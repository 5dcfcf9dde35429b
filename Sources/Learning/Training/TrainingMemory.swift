import Base
import Rows

/// The memory that a training takes, told before it starts.
package enum TrainingMemory {
    /// Bytes: the columns as read, the bins, nuisances and scores, out-of-bag sums, and each thread's own buffers.
    package static func bytes(_ data: TrainingData, _ settings: TrainingSettings) -> Int {
        let threads = settings.grower.threads > 0 ? settings.grower.threads : Parallel.processors
        let (features, effects, outcomes) = (data.features.count, data.effects, data.outcomes.count)
        let planes = (features + 15) / 16 * 16
        let width = 4 * (effects + 1 + (data.weights == nil ? 0 : 1))
        let columns = 4 * (features + outcomes + 2)
        let growing = width + 8 * (effects + effects * effects) + 4
        let thread = 2 + (planes + width) + 2 * effects
        let scores = outcomes * effects * 12 + 4 * (outcomes + effects) + 24
        return data.count * (columns + planes + growing + scores + threads * thread)
    }
}
