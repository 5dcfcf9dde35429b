/// How a model is trained.
package struct TrainingSettings: Sendable {
    package var grower = GrowerSettings()
    package var nuisance = NuisanceModel.best
    /// The smooth part in front of the forest; nil: chosen by the out-of-bag R-loss.
    package var offset: OffsetShape?
    /// Leaf sizes to choose from by the out-of-bag R-loss; empty: as `grower` says.
    package var leafGrid: [Int] = []
    /// Effects of rows held out and what follows from them: averages, tests, ranking. Without them growing is all.
    package var diagnoses = true
    package var name = "model"
    package var version = "1"

    /// The grid for ranking, fixed before any data was seen.
    package static let rankingGrid = [8, 24, 80]
    /// Trees of the forests that choices are made with.
    package static let pilotTrees = 200
    /// Trees of each of the three forests that judge the model's rows.
    package static let heldOutTrees = 100

    package init() {}
}

/// What a trainer is doing.
package struct TrainingProgress: Sendable {
    package var phase: String
    package var done: Int
    package var total: Int
}
