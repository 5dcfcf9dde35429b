import Base

/// Effects in groups of the ranking: everyone, the best k, bins.
extension RankedTrial {
    /// The average treatment effect: difference of the arms' mean outcomes over all rows.
    package func averageEffect(level: Double = 0.95, meaning: WeightMeaning = .sampling) -> GroupEffect {
        effect(segments(.overall) { _ in [] }[0], level: level, meaning: meaning, stratified: true)
    }

    /// The effect among the best `fractions` of the ranking (uplift@k), one for each; scikit-uplift's `uplift_at_k`.
    ///
    /// - Parameter fractions: each strictly between 0 and 1.
    package func uplift(
        at fractions: [Double], _ strategy: Strategy, level: Double = 0.95, meaning: WeightMeaning = .sampling
    ) -> [GroupEffect] {
        let order = fractions.indices.sorted { fractions[$0] < fractions[$1] }
        let segments = segments(strategy) { cuts($0, fractions: order.map { fractions[$0] }) }
        var top = Segment()
        var effects = [GroupEffect?](repeating: nil, count: fractions.count)
        for (segment, index) in zip(segments, order) {
            top += segment
            effects[index] = effect(top, level: level, meaning: meaning)
        }
        return effects.compactMap { $0 }
    }

    package func uplift(at fraction: Double, _ strategy: Strategy) -> GroupEffect? {
        uplift(at: [fraction], strategy).first
    }

    /// The effect in each of `count` equal bins of the ranking, best first; scikit-uplift's `uplift_by_percentile`.
    package func bins(
        _ count: Int = 10, _ strategy: Strategy = .overall, level: Double = 0.95, meaning: WeightMeaning = .sampling
    ) -> [GroupEffect] {
        segments(strategy) { cuts($0, bins: count) }.map { effect($0, level: level, meaning: meaning) }
    }

    /// The mean of the bins' effects, each counted by its treated rows; scikit-uplift's `weighted_average_uplift`.
    /// Nil when a bin lacks an arm.
    package func weightedAverageUplift(_ strategy: Strategy, bins count: Int = 10) -> Double? {
        RankedTrial.weightedAverage(bins(count, strategy))
    }

    /// The standard error of ``weightedAverageUplift`` when the trial has clusters.
    func weightedAverageError(_ strategy: Strategy, bins count: Int) -> Double? {
        guard trial.clusters != nil else { return nil }
        let segments = segments(strategy) { cuts($0, bins: count) }
        let total = segments.reduce(0) { $0 + $1.treated.weight }
        guard total > 0 else { return nil }
        return clusteredError(segments, coefficients: segments.map { $0.treated.weight / total })
    }

    static func weightedAverage(_ bins: [GroupEffect]) -> Double? {
        var sum = 0.0
        var weight = 0.0
        for bin in bins {
            guard let effect = bin.effect else { return nil }
            sum += bin.treated.weight * effect
            weight += bin.treated.weight
        }
        return sum / weight
    }
}
