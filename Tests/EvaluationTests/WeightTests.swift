import Evaluation
import Foundation
import Statistics
import TestSupport
import Testing

@Suite("Weights")
struct WeightTests {
    /// A row of weight w is w rows.
    @Test func wholeWeightsAreReplication() throws {
        var random = SeededGenerator.announced()
        for (levels, binary) in [(nil, true), (15, true), (15, false)] as [(Int?, Bool)] {
            let rows = RandomTrial(800, levels: levels, binary: binary, &random)
            let weight = (0..<800).map { $0 < 2 ? 1 : Double(Int.random(in: 0...4, using: &random)) }
            let repeated = rows.taking((0..<800).flatMap { [Int](repeating: $0, count: Int(weight[$0])) })
            let a = RankedTrial(try rows.trial(weight: weight))
            let b = RankedTrial(try repeated.trial())
            #expect(near(a.qiniCoefficient(), b.qiniCoefficient()))
            #expect(near(a.qiniCoefficient(negativeEffect: false), b.qiniCoefficient(negativeEffect: false)))
            #expect(near(a.upliftAUC(), b.upliftAUC()))
            for strategy in Strategy.allCases {
                for k in [0.1, 0.25, 0.7] {
                    let (x, y) = (a.uplift(at: [k], strategy, meaning: .frequency)[0], b.uplift(at: [k], strategy)[0])
                    #expect(near(x.effect, y.effect))
                    #expect(near(x.standardError, y.standardError, 1e-9))
                    #expect(near(x.interval?.lower, y.interval?.lower, 1e-9))
                }
                #expect(near(a.weightedAverageUplift(strategy), b.weightedAverageUplift(strategy)))
            }
        }
    }

    /// Multiplying every sampling weight by one number changes nothing.
    @Test func samplingWeightsHaveNoScale() throws {
        var random = SeededGenerator.announced()
        let rows = RandomTrial(1_000, &random)
        let weight = (0..<1_000).map { _ in Double.random(in: 0.1...3.7, using: &random) }
        let a = RankedTrial(try rows.trial(weight: weight))
        let b = RankedTrial(try rows.trial(weight: weight.map { $0 * 0.125 }))
        #expect(near(a.qiniCoefficient(), b.qiniCoefficient()))
        #expect(near(a.averageEffect().standardError, b.averageEffect().standardError))
        #expect(near(a.averageEffect().interval?.upper, b.averageEffect().interval?.upper))
        for (x, y) in zip(a.bins(), b.bins()) { #expect(near(x.effect, y.effect)) }
    }

    /// Equal weights count as no weights, except that unequal ones widen intervals.
    @Test func unequalSamplingWeightsWidenIntervals() throws {
        var random = SeededGenerator.announced()
        let rows = RandomTrial(4_000, &random)
        let plain = RankedTrial(try rows.trial()).averageEffect()
        let twice = RankedTrial(try rows.trial(weight: rows.score.map { _ in 2 })).averageEffect()
        #expect(near(plain.standardError, twice.standardError))
        let uneven = try rows.trial(weight: (0..<4_000).map { $0 % 10 == 0 ? 10 : 0.1 })
        let wide = RankedTrial(uneven).averageEffect()
        #expect(try #require(wide.standardError) > 1.5 * (try #require(plain.standardError)))
    }

    /// Where chances of treatment differ, inverse propensity weights find the effect that plain means miss.
    @Test func varyingPropensitiesAreAdjustedFor() throws {
        var random = SeededGenerator.announced()
        let count = 40_000
        var propensity: [Double] = []
        var rows = RandomTrial(count, &random)
        for row in 0..<count {
            // People with a high base rate are treated more often: the plain difference is far too high.
            let keen = row % 2 == 0
            propensity.append(keen ? 0.8 : 0.2)
            let treated = Double.random(in: 0..<1, using: &random) < propensity[row]
            rows.treatment[row] = treated ? 1 : 0
            let rate = (keen ? 0.5 : 0.1) + (treated ? 0.05 : 0)
            rows.outcome[row] = Double.random(in: 0..<1, using: &random) < rate ? 1 : 0
        }
        var options = EvaluationOptions()
        options.replicates = 0
        let trial = try rows.trial(propensity: propensity)
        let adjusted = try EvaluationReport.compute(trial, options: options)
        options.adjustsForPropensity = false
        let plain = try EvaluationReport.compute(trial, options: options)
        #expect(adjusted.isAdjustedForPropensity && !plain.isAdjustedForPropensity)
        let effect = try #require(adjusted.averageEffect.effect)
        let error = try #require(adjusted.averageEffect.standardError)
        #expect(abs(effect - 0.05) < 5 * error, "\(effect) ± \(error)")
        #expect(try #require(plain.averageEffect.effect) > 0.2)
        let everybody = try #require(adjusted.targeting.first { $0.rule == .everybody })
        #expect(abs(everybody.gainOverNobody.value - 0.05) < 5 * (try #require(everybody.gainOverNobody.standardError)))
    }
}
