/// Removal effects and the credit that follows from them.
///
/// A journey's unit is divided among its channels in proportion to their removal effects, and within a channel equally
/// among its sessions. ``channelTotals`` are the model's own: all conversions in proportion to the removal effects.
package struct MarkovModel: FittedModel {
    package let order: Int
    package let states: Int
    package let transitions: Int
    /// The chance that a journey converts, as the graph has it.
    package let probability: Double
    /// The share of conversions lost without each channel.
    package let removalEffects: [Double]
    let conversions: Double
    let sweeps: Int

    package var channelTotals: [Double]? {
        let sum = removalEffects.reduce(0, +)
        return removalEffects.map { sum > 0 ? conversions * $0 / sum : 0 }
    }

    package var remarks: [String] {
        sweeps >= 20_000 ? ["the Markov graph did not converge in 20,000 sweeps: use a lower order"] : []
    }

    package func weights(of touches: [Touch], conversion: Int64, into weights: inout [Double]) {
        touches.weights(byChannel: { removalEffects[Int($0)] }, into: &weights)
    }
}
