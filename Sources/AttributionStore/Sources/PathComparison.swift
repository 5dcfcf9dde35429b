import Attribution
import Base

/// Models over a file of paths. Paths have no times: models that need them are refused.
package enum PathComparison {
    package static let kinds: [ModelKind] = [
        .first, .last, .lastNonDirect, .linear, .position, .positionW, .markov, .shapley,
    ]

    package struct Outcome {
        package var comparison: ModelComparison
        /// The value of the conversions by model and channel.
        package var values: [[Double]]
        package var rows: Int
    }

    /// - Parameter divides: whether journeys are divided in any case; else a single Markov gives its own totals, in parts on all
    ///   processors.
    package static func compare(
        _ file: String, _ kinds: [ModelKind], _ options: ModelOptions, divides: Bool = true,
        progress: ((Int) -> Void)? = nil
    ) throws(ImpactError) -> Outcome {
        for kind in kinds where !Self.kinds.contains(kind) {
            throw ImpactError(
                .usage, code: "model_needs_times",
                "\(kind.rawValue) needs the times of sessions, and a file of paths has none. For paths: "
                    + Self.kinds.map(\.rawValue).joined(separator: ", "))
        }
        var channels = ChannelTable()
        let models = AttributionModels(options, channels: &channels)
        let source = try PathSource(file, channels: channels)
        var markov = kinds.contains(.markov) ? MarkovFitter(order: options.markovOrder) : nil
        let others = kinds.filter { $0 != .markov }
        let shapley =
            others.contains(.shapley)
            ? ShapleyFitter(worth: options.shapleyWorth, permutations: options.permutations, seed: options.seed) : nil
        // Paths repeat: what is divided is each distinct path once.
        var distinct: [[Int32]: (conversions: Double, value: Double)] = [:]
        let keepsPaths = divides || !others.isEmpty
        var (conversions, value) = (0.0, 0.0)
        if !keepsPaths, let parts = source.parts(order: options.markovOrder) {
            markov = MarkovFitter(parts.counts)
            return noting(
                parts.odd,
                outcome(
                    kinds, channels: parts.channels, conversions: parts.conversions, value: parts.value,
                    rows: parts.rows,
                    markov, nil, [:], models, keepsPaths: false))
        }
        try source.forEach(progress: progress) { (path, count, worth, lost) throws(ImpactError) in
            markov?.add(path, conversions: count, nulls: lost)
            conversions += count
            value += worth
            guard keepsPaths else { return }
            shapley?.add(Array(Set(path)).sorted(), conversions: count, nulls: lost)
            if count > 0 {
                let key = Array(path)
                distinct[key, default: (0, 0)].conversions += count
                distinct[key, default: (0, 0)].value += worth
            }
        }
        return noting(
            source.odd,
            outcome(
                kinds, channels: source.channels, conversions: conversions, value: value, rows: source.rows, markov,
                shapley,
                distinct, models, keepsPaths: keepsPaths))
    }

    private static func noting(_ odd: PathOddities, _ outcome: Outcome) -> Outcome {
        var outcome = outcome
        outcome.comparison.remarks.insert(contentsOf: odd.notes, at: 0)
        return outcome
    }

    private static func outcome(
        _ kinds: [ModelKind], channels: ChannelTable, conversions: Double, value: Double, rows: Int,
        _ markov: MarkovFitter?, _ shapley: ShapleyFitter?,
        _ distinct: [[Int32]: (conversions: Double, value: Double)], _ models: AttributionModels, keepsPaths: Bool
    ) -> Outcome {
        var comparison = ModelComparison(channels: channels.names)
        comparison.conversions = conversions
        var values: [[Double]] = []
        for kind in kinds {
            let fitted: (any FittedModel)? =
                switch kind {
                case .markov: markov?.finish(channels: channels.count)
                case .shapley: shapley?.finish(channels: channels.count)
                default: nil
                }
            let own = fitted?.channelTotals
            comparison.remarks += fitted?.remarks ?? []
            var units = [Int128](repeating: 0, count: channels.count)
            var worth = [Double](repeating: 0, count: units.count)
            if keepsPaths, let model = fitted ?? models.rule(kind) {
                divide(distinct, model, &units, &worth)
            } else if let own {
                // The model alone: its own totals.
                let total = max(own.reduce(0, +), .leastNormalMagnitude)
                units = own.map { Int128($0 * 0x1p40) }
                worth = own.map { value * $0 / total }
            }
            comparison.columns.append(.init(kind: kind, units: units, ownTotals: own))
            comparison.columns[comparison.columns.count - 1].isOwnOnly = !keepsPaths && own != nil
            values.append(worth)
        }
        return Outcome(comparison: comparison, values: values, rows: rows)
    }

    private static func divide(
        _ paths: [[Int32]: (conversions: Double, value: Double)], _ model: any CreditModel, _ units: inout [Int128],
        _ worth: inout [Double]
    ) {
        var weights: [Double] = []
        var shares: [Int64] = []
        for (path, count) in paths.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            let touches = path.map { Touch(session: "", channel: $0, time: 0) }
            model.weights(of: touches, conversion: 0, into: &weights)
            Credit.divide(weights, into: &shares)
            for (channel, share) in zip(path, shares) {
                units[Int(channel)] +=
                    count.conversions.rounded() == count.conversions
                    ? Int128(share) * Int128(count.conversions) : Int128(Double(share) * count.conversions)
                worth[Int(channel)] += Credit.value(share) * count.value
            }
        }
    }
}
