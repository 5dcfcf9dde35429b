import Base
import Scoring
import Statistics

/// Rows that say how often each side of a split is taken, and so what the base is: about the mean over them.
package struct Background: Sendable {
    package enum Source: String, Sendable {
        /// Drawn from the quantiles of the training data, which the model file has.
        case training = "training_quantiles"
        /// Rows that were given.
        case rows = "rows"
        /// People whose scores were sampled from the stream.
        case people = "people"
        /// No rows: each split sends half of its rows to each side.
        case even = "even"
    }

    /// Row-major, `stride` floats a row; NaN is missing.
    package let values: [Float]
    package let stride: Int
    package let source: Source

    package var count: Int { stride > 0 ? values.count / stride : 0 }

    package init(_ values: [Float], stride: Int, source: Source) {
        self.values = values
        self.stride = stride
        self.source = source
    }

    package init(_ rows: FeatureRows) { self.init(rows.values, stride: rows.stride, source: .rows) }

    /// Each split taken as even.
    package static let even = Background([], stride: 0, source: .even)

    /// For people: how common the sides of splits are.
    package var words: String {
        switch source {
        case .training:
            "splits as common as in \(count) rows drawn from the training data's quantiles, each feature on its own"
        case .rows: "splits as common as in \(count) rows"
        case .people: "splits as common as among \(count) people seen of late"
        case .even: "every split taken as even"
        }
    }

    /// Rows drawn from the quantiles of the training data, the same for every process; nil when the model file has none.
    ///
    /// A feature's values are spread evenly over its quantiles and its missing values have their share; which stand together
    /// is random, since the file does not say it.
    package static func training(_ model: Model, count: Int = 512) -> Background? {
        guard let ranges = model.ranges, ranges.count == model.featureCount,
            ranges.allSatisfy({ $0.quantiles.count > 1 || $0.missing == 1 })
        else { return nil }
        var rows = [Float](repeating: .nan, count: count * model.featureCount)
        for (feature, range) in ranges.enumerated() where !range.quantiles.isEmpty {
            var random = RandomStream(seed: 512, lane: UInt64(feature))
            var column = values(range, count, isCategory: model.levels(feature: feature) != nil)
            for row in (1..<count).reversed() { column.swapAt(row, random.below(row + 1)) }
            for row in 0..<count { rows[row * model.featureCount + feature] = column[row] }
        }
        return Background(rows, stride: model.featureCount, source: .training)
    }

    private static func values(_ range: FeatureRange, _ count: Int, isCategory: Bool) -> [Float] {
        let known = count - Int((range.missing * Double(count)).rounded())
        return (0..<count).map { row in
            guard row < known else { return .nan }
            let share = (Double(row) + 0.5) / Double(known)
            if range.kind == .binary { return share > 1 - range.mean ? 1 : 0 }
            let place = share * Double(range.quantiles.count - 1)
            let below = min(Int(place), range.quantiles.count - 2)
            let (low, high) = (range.quantiles[below], range.quantiles[below + 1])
            // Between two codes of a category stands none.
            if isCategory { return Float(place - Double(below) < 0.5 ? low : high) }
            let value = low + (high - low) * (place - Double(below))
            return Float(range.kind == .integer ? value.rounded() : value)
        }
    }
}

extension ModelExplainer {
    /// - Parameter threads: 0 is one per processor; never changes a number.
    package init(_ model: Model, over background: Background, threads: Int = 0) throws(ImpactError) {
        self = try background.values.withUnsafeBufferPointer { values throws(ImpactError) in
            try ModelExplainer(
                model,
                background: values.baseAddress.flatMap {
                    background.count > 0 ? ($0, background.stride, background.count) : nil
                },
                threads: threads)
        }
    }
}
