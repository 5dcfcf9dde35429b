import Foundation
import Statistics

/// How well probabilities tell two classes apart, and whether they are probabilities: on weighted rows. The definitions are
/// scikit-learn's (`roc_auc_score`, `average_precision_score`, `log_loss`, `brier_score_loss`, `f1_score`).
package struct ClassificationMetrics: Sendable, Equatable {
    package var accuracy = 0.0
    package var precision = 0.0
    package var recall = 0.0
    package var f1 = 0.0
    package var rocAUC = 0.0
    package var prAUC = 0.0
    package var logLoss = 0.0
    package var brier = 0.0
    /// Weighted counts at the threshold.
    package var truePositive = 0.0
    package var falsePositive = 0.0
    package var trueNegative = 0.0
    package var falseNegative = 0.0

    package static let names = [
        "accuracy", "precision", "recall", "f1", "roc_auc", "pr_auc", "log_loss", "brier",
    ]

    /// A metric by its printed name.
    package subscript(_ name: String) -> Double? {
        switch name {
        case "accuracy": accuracy
        case "precision": precision
        case "recall": recall
        case "f1": f1
        case "roc_auc": rocAUC
        case "pr_auc": prAUC
        case "log_loss": logLoss
        case "brier": brier
        default: nil
        }
    }

    /// Whether a larger value of the metric is better.
    package static func isBetterLarge(_ name: String) -> Bool { name != "log_loss" && name != "brier" }

    package var share: Double {
        let total = truePositive + falsePositive + trueNegative + falseNegative
        return total > 0 ? (truePositive + falseNegative) / total : .nan
    }
}

/// Rows sorted once by their probability, for metrics under many weights.
package struct ScoredRows: Sendable {
    /// In descending order of the probability.
    package let probability: [Double]
    package let isPositive: [Bool]
    /// The rows' places in the input.
    package let order: [Int]
    /// In the same order; nil: all weigh 1.
    private let weights: [Double]?
    /// Numbers of which the bootstrap draws all rows or none, in the same order; nil: each row is its own.
    private let clusters: [Int]?

    package init(probability: [Double], isPositive: [Bool], weights: [Double]? = nil, clusters: [Int]? = nil) {
        let sorted = probability.indices.sorted {
            probability[$0] == probability[$1] ? $0 < $1 : probability[$0] > probability[$1]
        }
        order = sorted
        self.probability = sorted.map { probability[$0] }
        self.isPositive = sorted.map { isPositive[$0] }
        self.weights = weights.map { all in sorted.map { all[$0] } }
        self.clusters = clusters.map { all in sorted.map { all[$0] } }
    }

    /// The weight of the row at a place of the sorted order.
    private func own(_ place: Int) -> Double { weights?[place] ?? 1 }

    package var count: Int { order.count }

    /// Metrics at a threshold: a probability of the threshold or more is a prediction of the event.
    ///
    /// - Parameter weight: of the row at a place of the sorted order.
    package func metrics(threshold: Double, weight: (Int) -> Double = { _ in 1 }) -> ClassificationMetrics {
        var m = ClassificationMetrics()
        var (positives, negatives) = (0.0, 0.0)
        var (area, precisionArea, loss, brier) = (0.0, 0.0, 0.0, 0.0)
        var place = 0
        while place < count {
            // Ties share a step of both curves.
            var (tiePositive, tieNegative) = (0.0, 0.0)
            let p = probability[place]
            while place < count, probability[place] == p {
                let w = weight(place) * own(place)
                if isPositive[place] { tiePositive += w } else { tieNegative += w }
                place += 1
            }
            area += tieNegative * (positives + tiePositive / 2)
            positives += tiePositive
            negatives += tieNegative
            if tiePositive > 0 { precisionArea += tiePositive * positives / (positives + negatives) }
            let clipped = min(max(p, 1e-15), 1 - 1e-15)
            if tiePositive > 0 { loss -= tiePositive * log(clipped) }
            if tieNegative > 0 { loss -= tieNegative * log(1 - clipped) }
            brier += tiePositive * (1 - p) * (1 - p) + tieNegative * p * p
            if p >= threshold {
                m.truePositive += tiePositive
                m.falsePositive += tieNegative
            } else {
                m.falseNegative += tiePositive
                m.trueNegative += tieNegative
            }
        }
        let total = positives + negatives
        func ratio(_ a: Double, _ b: Double) -> Double { b > 0 ? a / b : 0 }
        m.accuracy = ratio(m.truePositive + m.trueNegative, total)
        m.precision = ratio(m.truePositive, m.truePositive + m.falsePositive)
        m.recall = ratio(m.truePositive, positives)
        m.f1 = ratio(2 * m.truePositive, 2 * m.truePositive + m.falsePositive + m.falseNegative)
        m.rocAUC = positives > 0 && negatives > 0 ? area / (positives * negatives) : .nan
        m.prAUC = positives > 0 ? precisionArea / positives : .nan
        m.logLoss = ratio(loss, total)
        m.brier = ratio(brier, total)
        return m
    }

    /// Percentile intervals of every metric by a Poisson bootstrap over rows.
    package func intervals(threshold: Double, replicates: Int, seed: UInt64, level: Double) -> [String: Interval] {
        guard replicates > 1 else { return [:] }
        var values: [String: [Double]] = [:]
        for replicate in 0..<replicates {
            let weights = ReplicateWeights(seed: seed, replicate: replicate)
            let metrics = metrics(threshold: threshold) { Double(weights.count(clusters?[$0] ?? order[$0])) }
            for name in ClassificationMetrics.names {
                if let value = metrics[name], value.isFinite { values[name, default: []].append(value) }
            }
        }
        return values.compactMapValues { Bootstrap.Spread($0, level: level)?.interval }
    }

    private var totals: (positives: Double, negatives: Double) {
        var (positives, negatives) = (0.0, 0.0)
        for place in 0..<count { if isPositive[place] { positives += own(place) } else { negatives += own(place) } }
        return (positives, negatives)
    }

    /// The threshold that makes a metric best, among the probabilities themselves; of equal ones the largest.
    package func bestThreshold(_ metric: String) -> Double {
        let (positives, negatives) = totals
        var (truePositive, falsePositive) = (0.0, 0.0)
        var best = (value: -Double.infinity, threshold: 0.5)
        var place = 0
        while place < count {
            let p = probability[place]
            while place < count, probability[place] == p {
                if isPositive[place] { truePositive += own(place) } else { falsePositive += own(place) }
                place += 1
            }
            let falseNegative = positives - truePositive
            let value: Double =
                switch metric {
                case "accuracy": (truePositive + negatives - falsePositive) / (positives + negatives)
                case "precision": truePositive / (truePositive + falsePositive)
                case "recall": positives > 0 ? truePositive / positives : 0
                default: truePositive > 0 ? 2 * truePositive / (2 * truePositive + falsePositive + falseNegative) : 0
                }
            // Half-way to the next probability, so that a row just below the last one is not decided by rounding.
            let next = place < count ? probability[place] : 0
            if value > best.value + 1e-12 { best = (value, (p + next) / 2) }
        }
        return best.threshold
    }

    /// A bin of the calibration curve.
    package struct Bin: Sendable, Equatable {
        package var rows: Int
        package var predicted: Double
        package var observed: Double
        package var interval: Interval
    }

    /// Predicted against observed shares in bins of about equally many rows; rows of one probability are in one bin, so that
    /// the order of equals says nothing.
    package func calibration(bins: Int = 10, level: Double = 0.95) -> [Bin] {
        let wanted = min(bins, count)
        let z = Normal.z(level: level)
        var (ranges, start): ([Range<Int>], Int) = ([], 0)
        for bin in 0..<wanted {
            var end = max(start, count * (bin + 1) / wanted)
            while end > start, end < count, probability[end] == probability[end - 1] { end += 1 }
            if end > start { ranges.append(start..<end) }
            start = end
        }
        return ranges.reversed().compactMap { range in
            let total = range.reduce(0.0) { $0 + own($1) }
            guard total > 0 else { return nil }
            let observed = range.reduce(0.0) { $0 + (isPositive[$1] ? own($1) : 0) } / total
            // Rows of unequal weight say as much as fewer of equal weight (Kish 1965).
            let n = total * total / range.reduce(0.0) { $0 + own($1) * own($1) }
            // Wilson's interval of a share.
            let centre = (observed + z * z / (2 * n)) / (1 + z * z / n)
            let half = z / (1 + z * z / n) * (observed * (1 - observed) / n + z * z / (4 * n * n)).squareRoot()
            return Bin(
                rows: range.count, predicted: range.reduce(0.0) { $0 + probability[$1] * own($1) } / total,
                observed: observed, interval: Interval(lower: max(0, centre - half), upper: min(1, centre + half)))
        }
    }

    /// Points of the ROC and precision–recall curves, at most about `most` of them.
    package func curves(most: Int = 200) -> (roc: [(x: Double, y: Double)], pr: [(x: Double, y: Double)]) {
        let (positives, negatives) = (max(totals.positives, 1e-300), max(totals.negatives, 1e-300))
        var roc: [(x: Double, y: Double)] = [(0, 0)]
        var pr: [(x: Double, y: Double)] = []
        var (truePositive, falsePositive) = (0.0, 0.0)
        let step = max(1, count / most)
        for place in 0..<count {
            if isPositive[place] { truePositive += own(place) } else { falsePositive += own(place) }
            let isTie = place + 1 < count && probability[place + 1] == probability[place]
            guard !isTie, place % step == 0 || place == count - 1 else { continue }
            roc.append((falsePositive / negatives, truePositive / positives))
            pr.append((truePositive / positives, truePositive / (truePositive + falsePositive)))
        }
        if let last = roc.last, last.x < 1 || last.y < 1 { roc.append((1, 1)) }
        return (roc, pr)
    }
}
