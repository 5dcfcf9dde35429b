/// How a forest is grown.
package struct GrowerSettings: Sendable, Equatable {
    package var trees = 500
    /// Trees that share one half-sample: two are enough for intervals.
    package var bag = 2
    /// The share of the rows (or clusters) in a half-sample.
    package var halfSample = 0.5
    /// The share of a half-sample that a tree sees, and the part of that which decides splits; the rest estimates.
    package var subsample = 1.0
    package var honesty = 0.6
    /// The least rows of a leaf among those that decide splits, and among those that estimate.
    package var splitLeaf = 10
    package var estimateLeaf = 10
    /// Features that a node looks at; nil: all.
    package var featuresTried: Int?
    package var maxDepth = 10_000
    /// The least share of a node's rows in each of its children.
    package var balance = 0.05
    /// The least mean square of the treatment's residual in a child, relative to the whole sample's.
    package var leastVariance = 0.0
    /// A sign a feature: +1 the effect may only rise with it, −1 fall, 0 either; nil: no bound.
    package var monotone: [Int8]?
    package var seed: UInt64 = 1
    /// Never changes a bit of the result.
    package var threads = 0
    package var kernel = TrainingKernel.best

    package init() {}

    /// What EconML's `CausalForest` does by default, for comparison.
    package static var econML: GrowerSettings {
        var settings = GrowerSettings()
        settings.subsample = 0.9
        settings.honesty = 0.5
        settings.splitLeaf = 5
        settings.estimateLeaf = 5
        return settings
    }
}
