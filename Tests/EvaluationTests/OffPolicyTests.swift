import Base
import Evaluation
import Foundation
import Statistics
import TestSupport
import Testing

@Suite("Off-policy value")
struct OffPolicyTests {
    /// A log whose propensities depend on a context, as do rewards.
    private func log(_ count: Int, _ random: inout SeededGenerator) throws -> (log: DecisionLog, context: [Double]) {
        var action: [Int32] = []
        var reward: [Double] = []
        var propensity: [Double] = []
        var context: [Double] = []
        for _ in 0..<count {
            let x = Double.random(in: -1...1, using: &random)
            let chances = [0.5 - 0.3 * x, 0.2 + 0.1 * x, 0.3 + 0.2 * x]
            let draw = Double.random(in: 0..<1, using: &random)
            let chosen = draw < chances[0] ? 0 : draw < chances[0] + chances[1] ? 1 : 2
            context.append(x)
            action.append(Int32(chosen))
            propensity.append(chances[chosen])
            reward.append(Self.mean(x, chosen) + Double.random(in: -1...1, using: &random))
        }
        let log = try DecisionLog(
            action: action, actionCount: 3, reward: reward, propensity: propensity, context: context, contextWidth: 1)
        return (log, context)
    }

    private static func mean(_ x: Double, _ action: Int) -> Double { [1 + x, 1.5, 2 - x][action] }

    /// Every estimate but the direct one is within five standard errors of the truth, even with a wrong model; DR with
    /// the right kind of model is the surest.
    @Test func findsTheTruth() throws {
        // What is claimed of a sample holds of almost all, not of every one: this one is fixed.
        var random = SeededGenerator(seed: 7)
        let (log, context) = try log(40_000, &random)
        let best = TargetPolicy("best") { row, out in
            for action in 0..<3 { out[action] = 0.05 }
            out[context[row] < 0 ? 2 : 0] = 0.9
        }
        var truth = 0.0
        for x in context {
            for action in 0..<3 {
                truth += Self.mean(x, action) * (action == (x < 0 ? 2 : 0) ? 0.9 : 0.05) / Double(context.count)
            }
        }
        let ridge = try OffPolicyValue(best, log, rewardModel: .ridge(), seed: 1)
        let means = try OffPolicyValue(best, log, rewardModel: .means(), seed: 1)
        for estimate in [ridge.ips, ridge.selfNormalized, ridge.doublyRobust, means.doublyRobust] {
            #expect(
                abs(estimate.value - truth) < 5 * (try #require(estimate.standardError)), "\(estimate) against \(truth)"
            )
        }
        let error = try #require(ridge.doublyRobust.standardError)
        #expect(error < (try #require(means.doublyRobust.standardError)))
        #expect(error < (try #require(ridge.ips.standardError)))
        #expect(ridge.warnings.isEmpty)
        #expect(abs(ridge.meanWeight - 1) < 0.05)
    }

    /// The logging policy itself: every weight is 1 and every unbiased estimate the mean reward.
    @Test func theLoggedPolicyIsWorthItsMean() throws {
        var random = SeededGenerator.announced()
        let (log, context) = try log(2_000, &random)
        let same = TargetPolicy("same") { row, out in
            let x = context[row]
            out[0] = 0.5 - 0.3 * x
            out[1] = 0.2 + 0.1 * x
            out[2] = 0.3 + 0.2 * x
        }
        let value = try OffPolicyValue(same, log)
        #expect(near(value.ips.value, value.logged.value))
        #expect(near(value.selfNormalized.value, value.logged.value))
        #expect(near(value.effectiveSampleSize, 2_000, 1e-9))
    }

    /// Wrong propensities and missing overlap are told.
    @Test func warns() throws {
        let count = 2_000
        let halves = try DecisionLog(
            action: (0..<count).map { Int32($0 % 2) }, actionCount: 3, reward: (0..<count).map { Double($0 % 5) },
            propensity: [Double](repeating: 0.25, count: count))
        let wrong = try OffPolicyValue(.table("first two", [0.5, 0.5, 0], log: halves), halves)
        #expect(wrong.meanWeight == 2)
        let never = try OffPolicyValue(.table("third", [0, 0, 1], log: halves), halves)
        #expect(never.warnings.first?.hasPrefix("no overlap") == true)
        #expect(never.unmatchedShare == 1)
        let rare = try DecisionLog(
            action: (0..<count).map { $0 < 20 ? 1 : 0 }, actionCount: 2, reward: (0..<count).map { Double($0 % 5) },
            propensity: (0..<count).map { $0 < 20 ? 0.01 : 0.99 })
        let poor = try OffPolicyValue(.table("rare", [0, 1], log: rare), rare)
        #expect(poor.warnings.contains { $0.hasPrefix("poor overlap") })
        // Few decisions that count in full overlap well; few that do not, do not.
        let few = try DecisionLog(action: [0, 1, 0], actionCount: 2, reward: [1, 0, 1], propensity: [0.5, 0.5, 0.5])
        #expect(try !OffPolicyValue(.uniform, few).warnings.contains { $0.hasPrefix("poor overlap") })
        #expect(
            try OffPolicyValue(.table("first", [1, 0], log: few), few).warnings.contains {
                $0.hasPrefix("poor overlap")
            })
    }

    @Test func refusesWhatIsNoPolicyOrLog() throws {
        let log = try DecisionLog(action: [0, 1], actionCount: 2, reward: [1, 0], propensity: [0.5, 0.5])
        #expect { try OffPolicyValue(.table("bad", [0.5, 0.4], log: log), log) } throws: {
            ($0 as? ImpactError)?.code == "bad_policy"
        }
        #expect { try OffPolicyValue(.uniform, log, rewardModel: .given([1])) } throws: {
            ($0 as? ImpactError)?.code == "bad_log"
        }
        for propensity in [0, -0.1, 1.5, .nan] {
            #expect { try DecisionLog(action: [0], actionCount: 1, reward: [1], propensity: [propensity]) } throws: {
                ($0 as? ImpactError)?.code == "bad_log"
            }
        }
        #expect { try DecisionLog(action: [2], actionCount: 2, reward: [1], propensity: [1]) } throws: {
            ($0 as? ImpactError)?.message == "action of row 0 is 2: it must be 0 to 1"
        }
    }

    /// In a trial: treating the best half beats treating at random, and differences of rules agree with values.
    @Test func targetingRulesOfATrial() throws {
        // What is claimed of a sample holds of almost all, not of every one: this one is fixed.
        var random = SeededGenerator(seed: 7)
        let trial = try RandomTrial(20_000, share: 0.3, &random).trial(
            propensity: [Double](repeating: 0.3, count: 20_000))
        let ranked = RankedTrial(trial)
        let values = try ranked.targeting([.nobody, .everybody, .top(0.5), .above(0)])
        #expect(values.map(\.rule.name) == ["nobody", "everybody", "best 50 %", "score > 0"])
        #expect(values[0].gainOverNobody.value == 0 && values[1].gainOverEverybody.value == 0)
        for value in values {
            let difference = value.value.doublyRobust.value - values[0].value.doublyRobust.value
            #expect(near(value.gainOverNobody.value, difference))
        }
        // The doubly robust effect of treating everybody is the average effect, but for noise.
        let effect = ranked.averageEffect()
        let distance = abs(values[1].gainOverNobody.value - (try #require(effect.effect)))
        #expect(distance < (try #require(effect.standardError)))
        // Scores over 0 are those who gain; leaving out the harmed is better than everybody.
        #expect(try #require(values[3].gainOverEverybody.interval).lower > 0)
        #expect(abs(values[2].treatedShare - 0.5) < 1e-3)
        #expect(ranked.trial.score.filter { $0 > 0 }.count == Int((values[3].treatedShare * 20_000).rounded()))
    }
}
