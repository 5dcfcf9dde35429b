import Evaluation
import Foundation
import TestSupport
import Testing

@Suite("Laws of the metrics")
struct MetricLawTests {
    @Test func orderOfRowsIsNothingWithoutTies() throws {
        var random = SeededGenerator.announced()
        for binary in [true, false] {
            let rows = RandomTrial(3_000, binary: binary, &random)
            let shuffled = rows.taking(Array(0..<3_000).shuffled(using: &random))
            let a = RankedTrial(try rows.trial())
            let b = RankedTrial(try shuffled.trial())
            #expect(near(a.qiniCoefficient(), b.qiniCoefficient()))
            #expect(near(a.upliftAUC(), b.upliftAUC()))
            for strategy in Strategy.allCases {
                #expect(near(a.uplift(at: 0.3, strategy)?.effect, b.uplift(at: 0.3, strategy)?.effect))
                #expect(near(a.weightedAverageUplift(strategy), b.weightedAverageUplift(strategy)))
            }
        }
    }

    /// Curves have one point a distinct score, so they do not see the order within a tie.
    @Test func orderOfRowsIsNothingToCurvesWithTies() throws {
        var random = SeededGenerator.announced()
        let rows = RandomTrial(2_000, levels: 20, &random)
        let shuffled = rows.taking(Array(0..<2_000).shuffled(using: &random))
        let a = RankedTrial(try rows.trial())
        let b = RankedTrial(try shuffled.trial())
        #expect(a.curves() == b.curves())
        #expect(a.qiniCoefficient() == b.qiniCoefficient())
    }

    @Test func scoresMatterByOrderAlone() throws {
        var random = SeededGenerator.announced()
        for levels in [nil, 12] {
            let rows = RandomTrial(2_000, levels: levels, &random)
            var moved = rows
            moved.score = rows.score.map { exp(3 * $0) - 7 }
            let a = RankedTrial(try rows.trial())
            let b = RankedTrial(try moved.trial())
            #expect(a.curves() == b.curves())
            #expect(a.bins().map(\.effect) == b.bins().map(\.effect))
        }
    }

    @Test func perfectIsAtLeastTheModelAndOneForItself() throws {
        var random = SeededGenerator.announced()
        for binary in [true, false] {
            let rows = RandomTrial(1_500, levels: 40, binary: binary, &random)
            let ranked = RankedTrial(try rows.trial())
            let model = try #require(ranked.qiniCoefficient())
            #expect(model < 1)
            var perfect = rows
            perfect.score = zip(rows.treatment, rows.outcome).map { $0 == 1 ? $1 : -$1 }
            #expect(near(RankedTrial(try perfect.trial()).qiniCoefficient(), 1))
            let curve = try #require(ranked.perfectCurve(.qini(negativeEffect: true)))
            #expect(curve.area() >= ranked.qiniCurve().area())
        }
    }

    @Test func uselessScoresAverageZero() throws {
        var random = SeededGenerator.announced()
        var qini: [Double] = []
        var uplift: [Double] = []
        for _ in 0..<200 {
            let ranked = RankedTrial(try RandomTrial(1_000, useful: false, &random).trial(), threads: 1)
            qini.append(try #require(ranked.qiniCoefficient()))
            uplift.append(try #require(ranked.upliftAUC()))
        }
        for values in [qini, uplift] {
            let mean = values.reduce(0, +) / 200
            let deviation = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 199).squareRoot()
            // Five standard errors of the mean: fails once in two million seeds.
            #expect(abs(mean) < 5 * deviation / 200.0.squareRoot(), "mean \(mean)")
        }
    }

    @Test func reversedScoresGiveTheCurveFromItsOtherEnd() throws {
        var random = SeededGenerator.announced()
        let rows = RandomTrial(1_000, &random)
        var reversed = rows
        reversed.score = rows.score.map { -$0 }
        let forward = RankedTrial(try rows.trial()).bins(10).map(\.effect)
        let backward = RankedTrial(try reversed.trial()).bins(10).map(\.effect)
        #expect(forward == backward.reversed())
    }

    @Test func aConstantScoreIsRandomTargeting() throws {
        var random = SeededGenerator.announced()
        var rows = RandomTrial(500, &random)
        rows.score = rows.score.map { _ in 0.25 }
        let ranked = RankedTrial(try rows.trial())
        #expect(ranked.qiniCurve().count == 2)
        #expect(near(ranked.qiniCoefficient(), 0))
        #expect(near(ranked.upliftAUC(), 0))
    }

    @Test func binsAddUpToEveryone() throws {
        var random = SeededGenerator.announced()
        let rows = RandomTrial(1_003, levels: 9, &random)
        let ranked = RankedTrial(try rows.trial())
        for strategy in Strategy.allCases {
            for count in [1, 2, 7, 10, 1_003] {
                let bins = ranked.bins(count, strategy)
                #expect(bins.count == count)
                #expect(bins.reduce(0) { $0 + $1.treated.rows } == ranked.trial.treatedCount)
                #expect(bins.reduce(0) { $0 + $1.treated.weight + $1.control.weight } == 1_003)
            }
        }
        #expect(ranked.bins(1)[0] == ranked.averageEffect())
    }

    @Test func groupsWithoutAnArmSaySo() throws {
        // Treated first: the top half has no control row, the bottom half no treated one.
        let trial = try Trial(
            score: [8, 7, 6, 5, 4, 3, 2, 1], treatment: [1, 1, 1, 1, 0, 0, 0, 0], outcome: [1, 0, 1, 0, 1, 0, 0, 0])
        let ranked = RankedTrial(trial)
        #expect(ranked.bins(2).map(\.remark) == ["no control rows", "no treated rows"])
        #expect(ranked.bins(2).map(\.effect) == [nil, nil])
        #expect(ranked.uplift(at: 0.25, .overall)?.remark == "no control rows")
        #expect(ranked.uplift(at: 0.25, .byGroup)?.remark == nil)
        #expect(ranked.weightedAverageUplift(.overall, bins: 2) == nil)
        #expect(ranked.bins(20).filter { $0.remark == "no rows" }.count == 12)
    }

    @Test func negativeZeroTiesWithZero() throws {
        let trial = try Trial(
            score: [0, -0.0, 0, -0.0], treatment: [1, 0, 0, 1], outcome: [1, 0, 1, 0])
        #expect(RankedTrial(trial).qiniCurve().count == 2)
    }
}
