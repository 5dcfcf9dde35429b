import Foundation
import Statistics
import TestSupport
import Testing

@Suite("Statistics of a trial, on arrays")
struct TrialStatisticsTests {
    /// R 4: qt(.975, 5), qt(.995, 2.5), 2 * pt(-2.1, 7), pchisq(upper).
    @Test func distributions() {
        #expect(near(StudentT.quantile(0.975, degrees: 5), 2.570581835636314, 1e-11))
        #expect(near(StudentT.quantile(0.025, degrees: 5), -2.570581835636314, 1e-11))
        #expect(near(StudentT.quantile(0.975, degrees: 1), 12.706204736432095, 1e-10))
        #expect(near(StudentT.quantile(0.975, degrees: 1e9), 1.959963984540054, 1e-12))
        #expect(near(StudentT.twoSided(2.570581835636314, degrees: 5), 0.05, 1e-10))
        #expect(near(ChiSquared.upperTail(3.841458820694124, degrees: 1), 0.05, 1e-11))
        #expect(near(ChiSquared.upperTail(18.307038053275146, degrees: 10), 0.05, 1e-11))
        #expect(near(ChiSquared.upperTail(1, degrees: 2), exp(-0.5), 1e-13))
        #expect(near(Normal.twoSided(1.959963984540054), 0.05, 1e-12))
    }

    private struct Draw {
        var scores: [Double] = []
        var priority: [Double] = []
        var clusters: Clusters

        /// Effects equal to the priority, uniform; `size` rows per user with a common priority and a common shock.
        init(users: Int, size: Int, useful: Bool = true, _ random: inout RandomStream) {
            var labels: [Int] = []
            for user in 0..<users {
                let priority = random.uniform()
                let shock = random.normal()
                for _ in 0..<size {
                    self.priority.append(priority)
                    scores.append((useful ? priority : 0.5) + shock + 0.5 * random.normal())
                    labels.append(user)
                }
            }
            clusters = Clusters(labels: labels)
        }
    }

    /// The definition, row by row: AUTOC = 1/n Σ_k (mean of the first k - mean of all), ties at their mean.
    @Test func areasFollowTheDefinition() {
        var random = RandomStream(seed: 11, lane: 0)
        for levels in [0, 7] {
            var draw = Draw(users: 200, size: 1, &random)
            if levels > 0 { draw.priority = draw.priority.map { ($0 * Double(levels)).rounded() } }
            let rate = RankWeightedEffect(scores: draw.scores, priority: draw.priority)
            let order = draw.scores.indices.sorted { draw.priority[$0] > draw.priority[$1] }
            let value = order.map { row in
                let tie = draw.scores.indices.filter { draw.priority[$0] == draw.priority[row] }
                return tie.reduce(0) { $0 + draw.scores[$1] } / Double(tie.count)
            }
            let mean = value.reduce(0, +) / 200
            var autoc = 0.0
            var qini = 0.0
            var sum = 0.0
            for k in 1...200 {
                sum += value[k - 1]
                autoc += (sum / Double(k) - mean) / 200
                qini += Double(k) / 200 * (sum / Double(k) - mean) / 200
            }
            #expect(near(rate.autoc.value, autoc, 1e-12))
            #expect(near(rate.qini.value, qini, 1e-12))
            #expect(near(rate.average.value, draw.scores.reduce(0, +) / 200, 1e-12))
        }
    }

    /// The jackknife's standard errors are those of a bootstrap; weights of 0 leave rows out.
    @Test func standardErrorsAgreeWithTheBootstrap() throws {
        var random = RandomStream(seed: 5, lane: 0)
        var draw = Draw(users: 300, size: 1, &random)
        draw.priority = draw.priority.map { ($0 * 40).rounded() / 40 }
        let rate = RankWeightedEffect(scores: draw.scores, priority: draw.priority, shares: [0.2, 0.5])
        var autoc: [Double] = []
        var qini: [Double] = []
        var top: [Double] = []
        for replicate in 0..<400 {
            let weights = ReplicateWeights(seed: 3, replicate: replicate)
            let drawn = RankWeightedEffect(
                scores: draw.scores, priority: draw.priority, weight: (0..<300).map { Double(weights.count($0)) },
                shares: [0.2])
            autoc.append(drawn.autoc.value)
            qini.append(drawn.qini.value)
            top.append(drawn.curve[0].gain.value)
        }
        for (values, error) in [
            (autoc, rate.autoc.standardError), (qini, rate.qini.standardError),
            (top, rate.curve[0].gain.standardError),
        ] {
            let spread = try #require(Bootstrap.Spread(values, level: 0.95))
            let ratio = try #require(error) / spread.standardError
            #expect((0.87...1.15).contains(ratio), "\(ratio)")
        }
    }

    /// Priority = effect, uniform: AUTOC is 1/4, Qini 1/12, TOC(q) (1 - q) / 2. Intervals hold them in 95 % of trials,
    /// also when each user has five rows; without the clusters they do not.
    @Test(arguments: [1, 5])
    func coverageOfRate(size: Int) throws {
        var random = RandomStream(seed: 21, lane: UInt64(size))
        var held = (autoc: 0, qini: 0, top: 0, naive: 0)
        let trials = 1_000
        for _ in 0..<trials {
            let draw = Draw(users: 200, size: size, &random)
            let rate = RankWeightedEffect(
                scores: draw.scores, priority: draw.priority, clusters: draw.clusters, shares: [0.3])
            if try #require(rate.autoc.interval(level: 0.95)).contains(0.25) { held.autoc += 1 }
            if try #require(rate.qini.interval(level: 0.95)).contains(1.0 / 12) { held.qini += 1 }
            if try #require(rate.curve[0].gain.interval(level: 0.95)).contains(0.35) { held.top += 1 }
            let naive = RankWeightedEffect(scores: draw.scores, priority: draw.priority, shares: [])
            if try #require(naive.autoc.interval(level: 0.95)).contains(0.25) { held.naive += 1 }
        }
        // Three standard errors of a share of 1,000 are 2.1 %.
        for count in [held.autoc, held.qini, held.top] { #expect((925...972).contains(count), "\(held)") }
        if size == 5 { #expect(held.naive < 750, "\(held)") }
    }

    /// A rule beside itself differs by nothing; two rules of equal worth are told apart in 5 % of trials.
    @Test func pairedDifference() throws {
        var random = RandomStream(seed: 31, lane: 0)
        var told = 0
        for _ in 0..<600 {
            let draw = Draw(users: 150, size: 1, useful: false, &random)
            let one = RankWeightedEffect(scores: draw.scores, priority: draw.priority, shares: [])
            let other = RankWeightedEffect(
                scores: draw.scores, priority: draw.priority.map { $0 + random.normal() * 0.2 }, shares: [])
            #expect(one.difference(from: one).autoc.value == 0 && one.difference(from: one).autoc.standardError == nil)
            if try #require(one.difference(from: other).autoc.pValue) < 0.05 { told += 1 }
        }
        #expect((12...50).contains(told), "\(told) of 600")
    }

    @Test func sampleRatio() {
        // scipy.stats.chisquare([5210, 4790]): 17.64, p 2.669e-05
        let counts = SampleRatioTest(observed: [5_210, 4_790], shares: [1, 1])
        #expect(near(counts.chiSquared, 17.64, 1e-12) && near(counts.pValue, 2.6691495e-05, 1e-7))
        #expect(counts.isMismatch && counts.degreesOfFreedom == 1)

        // Propensities of their own for each row, three arms; users of four rows share an arm.
        var random = RandomStream(seed: 41, lane: 0)
        var alarms = (rows: 0, clustered: 0, naive: 0, lost: 0)
        for _ in 0..<400 {
            func draw(_ users: Int, _ size: Int, lost: Double = 0) -> (SampleRatioTest, SampleRatioTest) {
                var arm: [Int32] = []
                var propensity: [Double] = []
                var labels: [Int] = []
                for user in 0..<users {
                    let first = 0.2 + 0.3 * random.uniform()
                    let chances = [first, 0.3, 0.7 - first]
                    let u = random.uniform()
                    let taken = u < chances[0] ? 0 : u < chances[0] + chances[1] ? 1 : 2
                    if taken == 2, random.happens(lost) { continue }
                    for _ in 0..<size {
                        arm.append(Int32(taken))
                        propensity.append(chances[taken])
                        labels.append(user)
                    }
                }
                return (
                    SampleRatioTest(
                        arm: arm, armCount: 3, propensity: propensity, clusters: Clusters(labels: labels)),
                    SampleRatioTest(arm: arm, armCount: 3, propensity: propensity)
                )
            }
            if draw(500, 1).1.pValue < 0.05 { alarms.rows += 1 }
            let users = draw(400, 4)
            if users.0.pValue < 0.05 { alarms.clustered += 1 }
            if users.1.pValue < 0.05 { alarms.naive += 1 }
            if draw(6_000, 1, lost: 0.3).1.isMismatch { alarms.lost += 1 }
        }
        #expect((6...36).contains(alarms.rows) && (6...36).contains(alarms.clustered), "\(alarms)")
        #expect(alarms.naive > 100 && alarms.lost > 390, "\(alarms)")
    }

    @Test func balance() throws {
        var random = RandomStream(seed: 51, lane: 0)
        var alarms = (omnibus: 0, one: 0, broken: 0)
        for _ in 0..<300 {
            func draw(_ tilt: Double) -> CovariateBalance {
                var columns: [[Double]] = [[], [], []]
                var treatment: [UInt8] = []
                var labels: [Int] = []
                for user in 0..<150 {
                    let treated = random.happens(0.4)
                    let base = random.normal() + (treated ? tilt : 0)
                    for _ in 0..<3 {
                        columns[0].append(base)
                        columns[1].append(base * 2 + random.normal())
                        columns[2].append(random.happens(0.1) ? .nan : random.uniform())
                        treatment.append(treated ? 1 : 0)
                        labels.append(user)
                    }
                }
                return CovariateBalance(
                    names: ["a", "b", "c"], columns: columns, treatment: treatment, clusters: Clusters(labels: labels))
            }
            let sound = draw(0)
            if try #require(sound.omnibus).pValue < 0.05 { alarms.omnibus += 1 }
            if try #require(sound.covariates[0].pValue) < 0.05 { alarms.one += 1 }
            if try #require(draw(0.8).omnibus).pValue < 0.001 { alarms.broken += 1 }
        }
        #expect((4...30).contains(alarms.omnibus) && (4...30).contains(alarms.one), "\(alarms)")
        #expect(alarms.broken > 200, "\(alarms)")

        // By hand: means 2 and 4, variances 2/3 and 2/3 (of the population), a missing value.
        let small = CovariateBalance(
            names: ["x"], columns: [[1, 2, 3, .nan, 3, 4, 5]], treatment: [1, 1, 1, 1, 0, 0, 0])
        let x = small.covariates[0]
        #expect(x.treatedMean == 2 && x.controlMean == 4 && x.treatedMissing == 0.25 && x.controlMissing == 0)
        #expect(near(x.standardizedDifference, -2 / (2.0 / 3).squareRoot()) && near(x.varianceRatio, 1))
        #expect(small.omnibus == nil)
    }

    /// Right propensities or right outcome models suffice.
    @Test func doublyRobustScores() {
        var random = RandomStream(seed: 61, lane: 0)
        for (modelled, known) in [(true, false), (false, true)] {
            var outcome: [Double] = []
            var treatment: [UInt8] = []
            var chance: [Double] = []
            var means: (treated: [Double], control: [Double]) = ([], [])
            for _ in 0..<60_000 {
                let x = random.uniform()
                let e = 0.2 + 0.6 * x
                let treated = random.happens(e)
                outcome.append(3 * x + (treated ? 1 + x : 0) + random.normal())
                treatment.append(treated ? 1 : 0)
                chance.append(known ? e : 0.5)
                means.treated.append(modelled ? 4 * x + 1 : 0)
                means.control.append(modelled ? 3 * x : 0)
            }
            let effects = DoublyRobustScores.effects(
                outcome: outcome, treatment: treatment, propensity: chance, treatedMean: means.treated,
                controlMean: means.control)
            #expect(abs(TrialEstimate(mean: effects).value - 1.5) < 0.08)
            let arms = DoublyRobustScores.arms(
                outcome: outcome, arm: treatment.map { Int32($0) }, armCount: 2,
                propensity: zip(treatment, chance).map { $0 == 1 ? $1 : 1 - $1 },
                means: zip(means.control, means.treated).flatMap { [$0, $1] })
            for row in stride(from: 0, to: 60_000, by: 997) {
                #expect(near(arms[2 * row + 1] - arms[2 * row], effects[row], 1e-12))
            }
        }
    }
}
