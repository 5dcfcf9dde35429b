import Foundation
import Propensity
import Statistics
import TestSupport
import Testing

@Suite struct MetricTests {
    /// Values of scikit-learn 1.x for these eight rows, with ties.
    @Test func metricsAreScikitLearns() {
        let p = [0.9, 0.8, 0.8, 0.6, 0.55, 0.3, 0.3, 0.1]
        let y = [true, true, false, true, false, false, true, false]
        let m = ScoredRows(probability: p, isPositive: y).metrics(threshold: 0.5)
        #expect(abs(m.rocAUC - 0.75) < 1e-12)
        #expect(abs(m.prAUC - (0.25 + 0.25 * 2 / 3 + 0.25 * 3 / 4 + 0.25 * 4 / 7)) < 1e-12)
        #expect(m.truePositive == 3 && m.falsePositive == 2 && m.trueNegative == 2 && m.falseNegative == 1)
        #expect(m.accuracy == 0.625 && m.precision == 0.6 && m.recall == 0.75)
        #expect(abs(m.f1 - 2.0 / 3) < 1e-12)
        let loss = -(log(0.9) + log(0.8) + log(0.2) + log(0.6) + log(0.45) + log(0.7) + log(0.3) + log(0.9)) / 8
        #expect(abs(m.logLoss - loss) < 1e-12)
        let squares = [0.01, 0.04, 0.64, 0.16, 0.3025, 0.09, 0.49, 0.01]
        #expect(abs(m.brier - squares.reduce(0, +) / 8) < 1e-12)
    }

    /// The threshold is the best of all by trying each.
    @Test func thresholdIsTheBest() {
        var random = RandomStream(seed: SeededGenerator.announced().seed, lane: 2)
        let p = (0..<300).map { _ in (random.uniform() * 20).rounded() / 20 }
        let y = p.map { random.happens($0) }
        let rows = ScoredRows(probability: p, isPositive: y)
        for metric in ["f1", "accuracy"] {
            let best = rows.metrics(threshold: rows.bestThreshold(metric))[metric] ?? 0
            for cut in stride(from: 0.0, through: 1.0, by: 0.01) {
                #expect((rows.metrics(threshold: cut)[metric] ?? 1) <= best + 1e-12)
            }
        }
    }
}
