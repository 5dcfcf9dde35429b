/// Divides the credit of one conversion among the sessions of its journey.
///
/// A model gives weights; ``Credit/divide(_:into:)`` turns them into shares that add up to one. So every model conserves
/// one unit a conversion, by construction.
package protocol CreditModel: Sendable {
    /// Writes a weight for each touch (zero or more; all zero means: equally). `conversion` is the conversion's time.
    func weights(of touches: [Touch], conversion: Int64, into weights: inout [Double])
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
