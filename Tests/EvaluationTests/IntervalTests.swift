import Evaluation
import Foundation
import Statistics
import TestSupport
import Testing

@Suite("Intervals of effects")
struct IntervalTests {
    /// 95 % intervals of an average effect hold the truth in 95 % of trials, also where the rate is near 0.
    @Test func coverage() throws {
        var random = SeededGenerator.announced()
        for (rate, effect, count) in [(0.3, 0.1, 200), (0.02, 0.01, 300), (0.5, 0.0, 40)] {
            var held = 0
            for _ in 0..<1_000 {
                var rows = RandomTrial(count, &random)
                for row in 0..<count {
                    let chance = rate + (rows.treatment[row] == 1 ? effect : 0)
                    rows.outcome[row] = Double.random(in: 0..<1, using: &random) < chance ? 1 : 0
                }
                let interval = try #require(RankedTrial(try rows.trial(), threads: 1).averageEffect().interval)
                if interval.contains(effect) { held += 1 }
            }
            // Newcombe's interval covers 93 to 97 % here; five standard errors of a share of 1,000 are 3.4 %.
            #expect((910...999).contains(held), "held \(held) of 1000 at rate \(rate)")
        }
    }

    @Test func coverageOfAmounts() throws {
        var random = SeededGenerator.announced()
        var held = 0
        for _ in 0..<1_000 {
            var rows = RandomTrial(400, binary: false, &random)
            for row in 0..<400 {
                let spent = Double.random(in: 0..<1, using: &random) * Double.random(in: 0...50, using: &random)
                rows.outcome[row] = spent + (rows.treatment[row] == 1 ? 2 : 0)
            }
            if try #require(RankedTrial(try rows.trial(), threads: 1).averageEffect().interval).contains(2) {
                held += 1
            }
        }
        #expect((910...985).contains(held), "held \(held)")
    }

    /// `uplift_by_percentile(..., std=True)` of scikit-uplift 0.5.1 on reference case 1 (293 rows, 47 scores):
    /// `/tmp/venv/econml/bin/python -c "…uplift_by_percentile(y, u, t, strategy='overall', bins=4, std=True)"`.
    @Test func standardErrorsOfScikitUplift() throws {
        let cases = try ReferenceCase.load()
        guard cases.count > 1 else { return }
        let bins = RankedTrial(try cases[1].trial).bins(4)
        let expected: [(treated: Double, control: Double, uplift: Double, std: Double)] = [
            (33, 41, 0.23577235772357721, 0.09424114213950642), (32, 41, -0.05640243902439024, 0.09622185606265622),
            (25, 48, -0.10916666666666666, 0.0889055333808911), (31, 42, -0.06144393241167434, 0.08541993762314665),
        ]
        for (bin, row) in zip(bins, expected) {
            #expect(bin.treated.weight == row.treated && bin.control.weight == row.control)
            #expect(bin.effect == row.uplift)
            #expect(bin.standardError == row.std)
        }
    }
}
