/// Effects of each row by a model that has not seen the row: three folds, the second judged by a model of the first, the third by
/// one of the first two. The first has effects by the other two, and takes part in averages alone.
///
/// Rankings and tests need that order. Out of bag a row's neighbours have seen it and it has not seen itself, which makes effects
/// lean against the rows' own outcomes: where there is no effect, rankings find less than nothing. And folds that judge each other
/// say nearly the same thing twice, which standard errors do not know. In sequence each fold's judgement is new (Wager 2024,
/// "Sequential validation of treatment heterogeneity").
package struct HeldOutEffects: Sendable {
    /// By effect, by row.
    package var effects: [[Float]]
    package let folds: Folds

    /// For each fold those that its model is trained on.
    static let training = [[1, 2], [0], [0, 1]]

    /// Effects of 0. Every kind of model has the same folds; rows of a cluster share one.
    init(_ data: TrainingData, seed: UInt64) {
        folds = Folds(
            rows: data.count, count: Self.training.count, clusters: data.clusters, seed: seed ^ 0x43_4D50)
        effects = [[Float]](repeating: [Float](repeating: 0, count: data.count), count: data.effects)
    }

    /// Whether rankings and tests count a row.
    package static func isJudged(fold: UInt8) -> Bool { fold > 0 }

    /// Whether the model of a fold is trained on a row.
    func isTraining(_ row: Int, of fold: Int) -> Bool { Self.training[fold].contains(Int(folds.fold[row])) }
}
