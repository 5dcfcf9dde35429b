import Base

/// The size and shape of one outcome's forest, for `model inspect`.
package struct ForestSummary: Sendable, Equatable {
    package var outcome: String
    /// `econml`, `grf` or `additive`.
    package var kind: String
    package var trees: Int
    package var nodes: Int
    package var leaves: Int
    /// Cache lines of splits.
    package var tiles: Int
    package var deepest: Int
    package var meanLeafDepth: Double
    /// Splits that a row passes in a tree if every split halves the rows.
    package var expectedDepth: Double
    /// Trees in a little bag; 1: the forest has no standard errors.
    package var groupSize: Int
    /// Parameters solved for (with an intercept one more than treatments).
    package var parameters: Int
    /// Bytes from one leaf to the next, and values stored of those that a leaf has.
    package var leafBytes: Int
    package var storedValues: Int
    package var values: Int
    /// Bytes of tiles and leaves that scoring one row reads, if every split halves the rows: tiles passed × 64, and a
    /// leaf, a tree.
    package var bytesPerRow: Int
    /// How much the forest splits on each feature: Σ_d w_d · share_d / Σ_d w_d over depths d = 0 … 3, where share_d is
    /// the share of the splits at depth d that are on the feature and w_d = (d + 1)⁻².
    package var splitImportance: [Double]
}

extension Model {
    /// One an outcome.
    package var summaries: [ForestSummary] {
        zip(description.forests, forests).map { text, forest in
            let layout = forest.layout
            return ForestSummary(
                outcome: text.outcome, kind: "\(layout.kind)", trees: layout.treeCount,
                nodes: text.nodes, leaves: text.leaves, tiles: forest.shards.reduce(0) { $0 + $1.tileCount },
                deepest: text.deepest, meanLeafDepth: text.meanLeafDepth, expectedDepth: text.expectedDepth,
                groupSize: layout.groupSize, parameters: layout.parameters, leafBytes: layout.leafStride,
                storedValues: layout.storedColumns, values: layout.columns.count,
                bytesPerRow: Int(
                    saturating: (Double(layout.treeCount)
                        * (text.expectedTiles * Double(Tile.bytes) + Double(layout.leafStride)))
                        .rounded()), splitImportance: byInput(text.splitImportance))
        }
    }

    /// Importances of the trees' features added up by the row's features that they come from.
    private func byInput(_ importances: [Double]) -> [Double] {
        guard let origin = composition?.preprocessing?.inputOfOutput else { return importances }
        var sums = [Double](repeating: 0, count: featureCount)
        for (input, importance) in zip(origin, importances) { sums[input] += importance }
        return sums
    }

    /// What each feature moves of the effects, when the trainer or the estimator gave it: of an imported forest by the heterogeneity
    /// that its splits gained.
    package var heterogeneityImportance: [Double]? { description.importances }

    /// Mean over the outcomes of the split importance; an outcome without a split has none.
    package var splitImportance: [Double] {
        let all = summaries.map(\.splitImportance).filter { $0.contains { $0 > 0 } }
        return featureNames.indices.map { i in all.reduce(0) { $0 + $1[i] } / Double(max(1, all.count)) }
    }

    /// The importance of each feature: of a model with an offset what both move, else the split importance.
    package var importance: [Double] {
        offsets.contains { $0 != nil } ? heterogeneityImportance ?? splitImportance : splitImportance
    }

    /// Trees over all outcomes.
    package var treeCount: Int { forests.reduce(0) { $0 + $1.treeCount } }

    /// Base addresses that the trees are spread over: more than one an outcome only for forests beyond 128 MB of tiles,
    /// or with more features than a tile can name.
    package var shardCount: Int { forests.reduce(0) { $0 + $1.shards.count } }

    /// Whether estimates come with standard errors.
    package var hasStandardErrors: Bool {
        guard let composition else { return forests.allSatisfy { $0.layout.groupSize > 1 } }
        return composition.parts.contains { part in
            switch part {
            case .trees: false
            case .linear(let linear): linear.covariance != nil
            case .causal(let causal): forests[causalForest(causal.forest)].layout.groupSize > 1
            }
        }
    }

    /// The number among the file's forests of a causal forest of the composition.
    func causalForest(_ number: Int) -> Int {
        composition?.forestSlots.firstIndex { $0.causal == number } ?? number
    }

    /// One a forest.
    func effectSolvers() -> [EffectSolver] {
        forests.map {
            EffectSolver(
                layout: $0.layout, effects: composition == nil ? treatments.count : $0.layout.treatments,
                contrasts: description.contrasts)
        }
    }

    /// Whether a part of the composition comes with a standard error.
    func partHasErrors(_ index: Int) -> Bool {
        switch composition?.parts[index] {
        case .linear(let linear): linear.covariance != nil
        case .causal(let causal): forests[causalForest(causal.forest)].layout.groupSize > 1
        case .trees, nil: false
        }
    }
}
