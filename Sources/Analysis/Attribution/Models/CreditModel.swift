/// Divides the credit of one conversion among the sessions of its journey.
///
/// A model gives weights; ``Credit/divide(_:into:)`` turns them into shares that add up to one. So every model conserves
/// one unit a conversion, by construction.
package protocol CreditModel: Sendable {
    /// Writes a weight for each touch (zero or more; all zero means: equally). `conversion` is the conversion's time.
    func weights(of touches: [Touch], conversion: Int64, into weights: inout [Double])
}

extension [Touch] {
    /// The weight of each channel, divided equally among its sessions.
    func weights(byChannel weight: (Int32) -> Double, into weights: inout [Double]) {
        weights.removeAll(keepingCapacity: true)
        guard count > 16 else {
            for touch in self {
                let same = reduce(0) { $0 + ($1.channel == touch.channel ? 1 : 0) }
                weights.append(weight(touch.channel) / Double(same))
            }
            return
        }
        // A long journey in one pass.
        var same: [Int32: Int] = [:]
        for touch in self { same[touch.channel, default: 0] += 1 }
        for touch in self { weights.append(weight(touch.channel) / Double(same[touch.channel] ?? 1)) }
    }
}

/// Learns from all journeys before any credit is given.
package protocol ModelFitter: AnyObject {
    /// Adds journeys of one path: `conversions` that ended in a conversion, `nulls` that did not.
    func add(_ touches: [Touch], conversion: Int64?, conversions: Double, nulls: Double)
    /// The model; the channel table holds all channels by now.
    func finish(channels: Int) -> any FittedModel
}

/// A model with totals of its own for each channel, as the method states them.
package protocol FittedModel: CreditModel {
    /// Conversions by channel as the method itself divides them; nil when it states none.
    var channelTotals: [Double]? { get }
    /// What a person should know of the fit: sampling error, convergence.
    var remarks: [String] { get }
}
