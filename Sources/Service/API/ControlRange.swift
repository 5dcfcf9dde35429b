import Features
import Foundation
import Scoring

/// Which values per feature takes, for the controls of the simulator: where the trees split tells where values matter.
package struct ControlRange: Sendable, Equatable {
    package var low: Double
    package var high: Double
    /// A value in the middle.
    package var typical: Double
    /// All values, when there are few: 0 and 1 of an indicator.
    package var choices: [Double]?
    /// Whether it takes whole numbers only.
    package var isWhole: Bool
    /// The least and the largest of the training data; nil where the model file does not say.
    package var seen: ClosedRange<Double>?
    /// Where it was learned: `model` (its training data), `splits`, or `none`.
    package var source: String

    /// One a feature: what the training rows had, when the model's maker said so; else where the trees split.
    static func all(of model: Model) -> [ControlRange] {
        if let ranges = model.ranges, ranges.count == model.featureCount { return ranges.map(learned) }
        let thresholds = model.thresholds(limit: 4_096)
        return model.featureNames.indices.map { index in
            let feature = model.specification?.features[index]
            return range(thresholds[index], feature)
        }
    }

    /// Between the 5 % and the 95 % quantile with some room, within what there was.
    private static func learned(_ range: FeatureRange) -> ControlRange {
        let quantiles = range.quantiles
        let middle = quantiles.isEmpty ? range.mean : quantiles[quantiles.count / 2]
        let seen = quantiles.isEmpty || range.min > range.max ? nil : range.min...range.max
        if range.kind == .binary {
            return ControlRange(
                low: 0, high: 1, typical: middle >= 0.5 ? 1 : 0, choices: [0, 1], isWhole: true, seen: seen,
                source: "model")
        }
        var (low, high) = (range.min, range.max)
        if quantiles.count > 4, quantiles[quantiles.count - 2] > quantiles[1] {
            let room = (quantiles[quantiles.count - 2] - quantiles[1]) * 0.5
            low = max(low, quantiles[1] - room)
            high = min(high, quantiles[quantiles.count - 2] + room)
        }
        let isWhole = range.kind == .integer
        return ControlRange(
            low: isWhole ? low.rounded(.down) : low, high: isWhole ? high.rounded(.up) : high, typical: middle,
            choices: nil, isWhole: isWhole, seen: seen, source: "model")
    }

    private static func range(_ thresholds: [Float], _ feature: FeatureSpecification.Feature?) -> ControlRange {
        let isIndicator = feature?.equals != nil && (feature?.aggregate == .last)
        let isCount = feature?.aggregate == .count || feature?.aggregate == .distinct
        guard let first = thresholds.first, let last = thresholds.last else {
            return ControlRange(
                low: 0, high: 1, typical: 0, choices: isIndicator ? [0, 1] : nil, isWhole: isCount || isIndicator,
                source: "none")
        }
        if isIndicator || (first >= 0 && last < 1 && Set(thresholds).count <= 2) {
            return ControlRange(low: 0, high: 1, typical: 0, choices: [0, 1], isWhole: true, source: "splits")
        }
        // Splits of whole numbers stand half-way between two of them.
        let isWhole = isCount || thresholds.allSatisfy { ($0 * 2).rounded() == $0 * 2 && abs($0) < 1e6 }
        let (low, high) = (Double(first), Double(last))
        let room = max(high - low, abs(high) * 0.1, 1e-3) * 0.15
        var range = ControlRange(
            low: low - room, high: high + room, typical: Double(thresholds[thresholds.count / 2]), choices: nil,
            isWhole: isWhole, source: "splits")
        // What was never below zero where it splits has no use for a negative value.
        if low >= 0 { range.low = max(0, range.low) }
        if isWhole {
            range.low = range.low.rounded(.down)
            range.high = range.high.rounded(.up)
            range.typical = range.typical.rounded(.down)
        } else {
            range.low = nice(range.low, down: true)
            range.high = nice(range.high, down: false)
        }
        return range
    }

    /// Three significant digits.
    private static func nice(_ value: Double, down: Bool) -> Double {
        guard value != 0, value.isFinite else { return 0 }
        let unit = pow(10, (log10(abs(value))).rounded(.down) - 1)
        return (value / unit).rounded(down ? .down : .up) * unit
    }
}
