import Base
import Evaluation
import Foundation
import Statistics
import Terminal
import TestSupport
import Testing

/// Faults by which an evaluation once misled, each with the data that showed it and the right value.
@Suite("Evaluation does not mislead")
struct HonestTrialTests {
    private func read(_ text: String, _ change: (inout TrialColumns) -> Void = { _ in }) throws -> TrialReading {
        let path = FileManager.default.temporaryDirectory.appending(path: "impactiq-trial-\(UUID().uuidString).csv")
        try text.write(to: path, atomically: false, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: path) }
        var columns = TrialColumns()
        change(&columns)
        return try TrialReader.read(path.path, columns)
    }

    private func report(
        _ reading: TrialReading, _ change: (inout EvaluationOptions) -> Void = { _ in }
    ) throws -> EvaluationReport {
        var options = EvaluationOptions()
        options.replicates = 40
        change(&options)
        return try EvaluationReport.compute(
            reading.trial, options: options, provenance: EvaluationProvenance(reading), extras: reading.extras)
    }

    private func message(_ body: () throws -> Void) -> String {
        do { try body() } catch { return (error as? ImpactError).map { "\($0.code): \($0.message)" } ?? "\(error)" }
        return "no error"
    }

    /// Rows as `impactiq rows` writes them: two experiments of another propensity and base rate, a true effect of +2 pp.
    private func experiments(_ rows: Int, _ random: inout RandomStream) -> String {
        var text = "user_id,experiment,arm,arm_propensity,uplift,std_error,conversion,censored\n"
        for row in 0..<rows {
            let first = row % 2 == 0
            let chance = first ? 0.8 : 0.2
            let treated = random.happens(chance)
            let converted = random.happens((first ? 0.3 : 0.05) + (treated ? 0.02 : 0))
            text += "u\(row),\(first ? "summer" : "spring"),\(treated ? "ad" : "control"),"
            text += "\(treated ? chance : 1 - chance),\(random.uniform()),0.1,\(converted ? 1 : 0),0\n"
        }
        return text
    }

    @Test func experimentsAreComparedWithin() throws {
        var random = RandomStream(seed: 2, lane: 0)
        let text = experiments(40_000, &random)
        let pooled = try report(try read(text) { $0.treated = "ad" })
        let effect = try #require(pooled.averageEffect.effect)
        #expect(abs(effect - 0.02) < 0.013, "\(effect)")
        #expect(try #require(pooled.averageEffect.interval).contains(0.02))
        #expect(pooled.experiments.map(\.name) == ["summer", "spring"])
        #expect(pooled.notes.contains { $0.hasPrefix("2 experiments: stratified") })
        #expect(pooled.sampleRatio?.isMismatch == false)
        // The mean of both, each counted by its rows.
        let mean = pooled.experiments.compactMap(\.effect.effect).reduce(0, +) / 2
        #expect(near(effect, mean, 1e-9))
        #expect(pooled.text().contains("Experiments") && pooled.html.contains("summer"))

        let one = try report(
            try read(text) {
                $0.treated = "ad"
                $0.experiment = "spring"
            })
        #expect(one.rows == 20_000 && near(one.averageEffect.effect, pooled.experiments[1].effect.effect, 1e-9))
        #expect(
            message { _ = try read(text) { $0.experiment = "autumn" } }.contains("no row of the experiment 'autumn'"))
        // The propensity of the arm taken is not that of treatment, whichever option names it.
        let named = try read(text) {
            $0.treated = "ad"
            $0.propensity = "arm_propensity"
        }
        for row in 0..<200 { #expect([0.8, 0.2].contains { near(named.trial.propensity?[row], $0) }) }
        #expect(try #require(named.trial.propensity)[0] > 0.7 && (try #require(named.trial.propensity))[1] < 0.3)
    }

    /// 95 % intervals of the stratified average hold the truth in 95 % of trials.
    @Test func coverageOfExperiments() throws {
        var random = RandomStream(seed: 3, lane: 0)
        var held = 0
        for _ in 0..<400 {
            var labels: [Int] = []
            var rows = (score: [Double](), treatment: [UInt8](), outcome: [Double](), chance: [Double]())
            for row in 0..<1_200 {
                let first = row % 2 == 0
                let chance = first ? 0.8 : 0.2
                let treated = random.happens(chance)
                labels.append(row % 2)
                rows.score.append(random.uniform())
                rows.treatment.append(treated ? 1 : 0)
                rows.chance.append(chance)
                rows.outcome.append(random.happens((first ? 0.5 : 0.2) + (treated ? 0.1 : 0)) ? 1 : 0)
            }
            let trial = try Trial(
                score: rows.score, treatment: rows.treatment, outcome: rows.outcome, propensity: rows.chance,
                experiments: Clusters(labels: labels))
            var options = EvaluationOptions()
            options.replicates = 0
            let interval = try EvaluationReport.compute(trial, options: options).averageEffect.interval
            if try #require(interval).contains(0.1) { held += 1 }
        }
        #expect((367...394).contains(held), "\(held) of 400")
    }

    /// Five rows per user and no effect: naive intervals held 0 in 60 % of trials, and verdicts were false in 35 %.
    @Test func coverageOfClusters() throws {
        var random = RandomStream(seed: 4, lane: 0)
        var held = (effect: 0, top: 0, value: 0, naive: 0, qini: 0)
        let trials = 300
        for _ in 0..<trials {
            var rows = (score: [Double](), treatment: [UInt8](), outcome: [Double](), user: [Int]())
            for user in 0..<200 {
                let treated = random.happens(0.5)
                let likes = random.happens(0.3)
                let score = random.uniform()
                for _ in 0..<5 {
                    rows.user.append(user)
                    rows.score.append(score)
                    rows.treatment.append(treated ? 1 : 0)
                    rows.outcome.append(random.happens(likes ? 0.9 : 0.1) ? 1 : 0)
                }
            }
            var options = EvaluationOptions()
            options.replicates = 100
            options.threads = 1
            func report(_ clusters: Clusters?) throws -> EvaluationReport {
                try EvaluationReport.compute(
                    try Trial(
                        score: rows.score, treatment: rows.treatment, outcome: rows.outcome, clusters: clusters),
                    options: options)
            }
            let right = try report(Clusters(labels: rows.user))
            if try #require(right.averageEffect.interval).contains(0) { held.effect += 1 }
            if try #require(right.topShares[2].effect.interval).contains(0) { held.top += 1 }
            if try #require(right.targeting[1].gainOverNobody.interval).contains(0) { held.value += 1 }
            if try #require(right.qini.interval).contains(0) { held.qini += 1 }
            options.replicates = 0
            if try #require(report(nil).averageEffect.interval).contains(0) { held.naive += 1 }
            #expect(right.clusters?.count == 200)
        }
        // Four standard errors of a share of 300 are 5 %.
        for count in [held.effect, held.top, held.value] {
            #expect((270...298).contains(count), "\(held) of \(trials)")
        }
        // Percentiles of a skewed coefficient cover a little less.
        #expect(held.qini > 262 && held.naive < 225, "\(held) of \(trials)")
    }

    @Test func rowsThatRepeatAreNoted() throws {
        var text = "user_id,uplift,treatment,outcome\n"
        var random = RandomStream(seed: 5, lane: 0)
        for row in 0..<300 { text += "u\(row / 3),\(random.uniform()),\(row / 3 % 2),\(random.happens(0.4) ? 1 : 0)\n" }
        let plain = try read(text)
        #expect(
            plain.remarks.contains {
                $0.contains("300 rows have 100 values of 'user_id'") && $0.contains("--cluster user_id")
            })
        let clustered = try read(text) { $0.cluster = "user_id" }
        #expect(clustered.trial.clusters?.count == 100 && clustered.remarks.isEmpty)
        #expect(try report(clustered).text().contains("clusters (user_id)"))
        #expect(message { _ = try read(text) { $0.cluster = "usr" } }.contains("--cluster"))
    }

    /// Three rows once were "better than chance, 1.0000 to 1.0000".
    @Test func fewRowsGiveNoVerdict() throws {
        for rows in [[(3.0, 1, 1.0), (2, 0, 0), (1, 0, 1)], [(3, 1, 1), (2, 0, 0)], [(1, 1, 0), (2, 0, 1)]] {
            let trial = try Trial(
                score: rows.map(\.0), treatment: rows.map { UInt8($0.1) }, outcome: rows.map(\.2))
            let report = try EvaluationReport.compute(trial)
            #expect(report.verdict.hasPrefix("No verdict: ") && report.verdict.contains("at least 30"))
            #expect(
                report.qini.interval == nil && report.upliftAUC.interval == nil && report.bootstrap.qiniBand.isEmpty)
            #expect(report.weightedAverage.overall.interval == nil && report.calibration.slopeInterval == nil)
            #expect(report.targeting.allSatisfy { $0.gainOverNobody.interval == nil })
            _ = report.html + report.json.line
        }
        // Enough rows, one response: no verdict either.
        let rare = try Trial(
            score: (0..<200).map(Double.init), treatment: (0..<200).map { UInt8($0 % 2) },
            outcome: (0..<200).map { $0 == 7 ? 1 : 0 })
        #expect(try EvaluationReport.compute(rare).verdict.contains("1 rows with the outcome"))

        let log = try DecisionLog(action: [0], actionCount: 2, reward: [1], propensity: [0.5])
        let value = try OffPolicyValue(.uniform, log)
        #expect(try #require(value.evidence).contains("at least 30") && value.gainOverLog.interval == nil)
    }

    /// Propensities of .5 (or .2) everywhere with a policy that always takes what was taken: weights are all 2 (or 5).
    @Test(arguments: [0.5, 0.2])
    func equalWeightsDoNotSilenceTheOverlap(propensity: Double) throws {
        let log = try DecisionLog(
            action: [Int32](repeating: 1, count: 400), actionCount: 2, reward: (0..<400).map { Double($0 % 3) },
            propensity: [Double](repeating: propensity, count: 400))
        let value = try OffPolicyValue(
            TargetPolicy("always") { _, out in
                out[0] = 0
                out[1] = 1
            }, log)
        #expect(value.warnings.contains { $0.contains("importance weights average \(propensity == 0.5 ? "2" : "5")") })
    }

    @Test func theCauseIsNamed() throws {
        let head = "uplift,treatment,outcome,w\n"
        func rows(_ treated: String, _ control: String) -> String {
            head + String(repeating: "0.1,1,\(treated)\n0.2,0,\(control)\n", count: 40)
        }
        #expect(message { _ = try read(rows("1,0", "0,0")) { $0.weight = "w" } }.contains("weights of all rows are 0"))
        #expect(message { _ = try read(rows("1,2", "0,0")) { $0.weight = "w" } }.contains("all control rows are 0"))
        #expect(message { _ = try read(rows("1,0", "0,2")) { $0.weight = "w" } }.contains("all treated rows are 0"))
        let missing = message { _ = try read(rows(",1", "0,1")) { $0.skipsMissing = true } }
        #expect(missing.contains("all 40 rows of the treated arm '1' lack an outcome ('outcome')"), "\(missing)")
        let nan = message { _ = try read(head + "0.1,1,1,1\n0.2,NaN,0,1\n") }
        #expect(nan.contains("line 3") && nan.contains("the treatment is missing ('NaN')"), "\(nan)")
        let none = try report(try read(rows("1,1", "0,1")))
        #expect(none.notes.contains { $0.contains("no control row has the outcome") })
    }

    @Test func aSampleRatioMismatchIsSaid() throws {
        var random = RandomStream(seed: 6, lane: 0)
        var text = "uplift,treatment,outcome\n"
        for _ in 0..<4_000 {
            text += "\(random.uniform()),\(random.happens(0.56) ? 1 : 0),\(random.happens(0.3) ? 1 : 0)\n"
        }
        let broken = try report(try read(text) { $0.propensity = "0.5" })
        #expect(try #require(broken.sampleRatio).isMismatch)
        #expect(try #require(broken.notes.first).hasPrefix("sample-ratio mismatch in the trial"))
        #expect(broken.text().contains("MISMATCH") && broken.html.contains("mismatch"))
        #expect(try report(try read(text)).notes.contains { $0.hasPrefix("sample ratio not tested") })
    }

    /// Three arms; each score and standard error is its own arm's.
    private func arms(_ rows: Int, _ random: inout RandomStream) -> String {
        var text =
            "arm,arm_propensity,conversion,uplift,std_error,uplift:y:a,std_error:y:a,uplift:y:b,std_error:y:b,x\n"
        for _ in 0..<rows {
            let x = random.uniform()
            let arm = ["control", "a", "b"][random.below(3)]
            // a helps where x is high, b where it is low.
            let effect = arm == "a" ? 0.4 * x - 0.1 : arm == "b" ? 0.3 * (1 - x) - 0.1 : 0
            text += "\(arm),0.3333333333333333,\(random.happens(0.3 + effect) ? 1 : 0),0.9,0.09,"
            text += "\(0.4 * x - 0.1),0.01,\(0.3 * (1 - x) - 0.1),0.02,\(x)\n"
        }
        return text
    }

    @Test func eachArmHasItsOwnScore() throws {
        var random = RandomStream(seed: 7, lane: 0)
        let text = arms(12_000, &random)
        let a = try read(text) { $0.treated = "a" }
        #expect(a.columns.score == "uplift:y:a" && a.columns.standardError == "std_error:y:a")
        #expect(a.trial.standardError?.first == 0.01 && near(a.trial.propensity?[0], 0.5))
        let b = try read(text) {
            $0.treated = "b"
            $0.score = "uplift:y:b"
        }
        #expect(b.trial.standardError?.first == 0.02)
        let other = try read(text) {
            $0.treated = "b"
            $0.score = "x"
        }
        #expect(other.trial.standardError == nil)

        let report = try report(a) { $0.costs = ["a": 0.05, "b": 0.02] }
        let all = try #require(report.arms)
        #expect(all.arms.map(\.label) == ["a", "b"] && all.control == "control")
        // E[effect]: a 0.4 / 2 - 0.1 = 0.1, b 0.05; the best for each: E max(.4 x - .1, .2 - .3 x, 0).
        #expect(try #require(all.arms[0].effect.interval).contains(0.1))
        #expect(try #require(all.arms[1].effect.interval).contains(0.05))
        #expect(try #require(all.arms[0].net.interval).contains(0.05))
        #expect(all.arms.allSatisfy { ($0.qini?.value ?? 0) > 0 && ($0.rate.autoc.pValue ?? 1) < 0.05 })
        let best = try #require(all.choices.last)
        #expect(try #require(best.gainOverBestArm.interval).lower > 0 && all.bestArm == "a")
        #expect(near(best.shares.reduce(0, +), 1) && all.sampleRatio?.isMismatch == false)
        #expect(try #require(all.budget.area.interval(level: 0.95)).lower > 0)
        let page = report.html
        #expect(page.contains("Which arm for whom") && page.contains("Multi-arm Qini") && !page.contains("nan"))
        #expect(
            report.json.line.contains("\"budget_curve\"") && report.text(width: 400).contains("the best arm for each"))
        #expect(message { _ = try self.report(a) { $0.costs = ["c": 1] } }.contains("the arm 'c'"))
    }

    /// Two treatments, effects a = x and b = (1 - x) / 2 known: the curve at a budget has a closed form.
    @Test func coverageOfTheBudgetCurve() throws {
        var random = RandomStream(seed: 8, lane: 0)
        var held = (half: 0, full: 0, area: 0)
        for _ in 0..<400 {
            let x = (0..<400).map { _ in random.uniform() }
            let noise = (0..<2).map { _ in (0..<400).map { _ in random.normal() } }
            let predicted = [x, x.map { (1 - $0) / 2 }]
            let curve = BudgetCurve(
                effects: zip(predicted, noise).map { zip($0, $1).map { $0 + $1 } }, predicted: predicted, cost: [1, 1],
                budgets: [0, 0.5, 1])
            // a where x > 1/3: effect max(x, (1 - x)/2), at least 1/3; the best half are x > 1/2.
            if try #require(curve.points[1].gain.interval(level: 0.95)).contains(0.375) { held.half += 1 }
            let all = (1 - 1.0 / 9) / 2 + (1.0 / 3 - 1.0 / 18) / 2
            if try #require(curve.points[2].gain.interval(level: 0.95)).contains(all) { held.full += 1 }
        }
        #expect((366...395).contains(held.half) && (366...395).contains(held.full), "\(held)")
    }

    @Test func costsAndAChallenger() throws {
        var random = RandomStream(seed: 9, lane: 0)
        var text = "uplift,other,treatment,outcome,spent\n"
        for _ in 0..<6_000 {
            let x = random.uniform()
            let treated = random.happens(0.5)
            let outcome = random.happens(0.2 + (treated ? 0.4 * x : 0))
            text += "\(x),\(random.uniform()),\(treated ? 1 : 0),\(outcome ? 1 : 0),\(treated && outcome ? 1 : 0)\n"
        }
        let reading = try read(text) {
            $0.challenger = "other"
            $0.covariates = ["other"]
        }
        let report = try report(reading) {
            $0.costs = ["": 0.2]
            $0.replicates = 100
        }
        // The score's own order is worth it: net 0.4 x - 0.2 is over 0 for the better half, 0.05 a person of all.
        let curve = try #require(report.costCurve)
        #expect(abs(curve.best.share - 0.5) <= 0.25)
        #expect(try #require(curve.best.net.interval(level: 0.99)).contains(0.05))
        #expect(try #require(curve.area) > 0.5)
        let comparison = try #require(report.comparison)
        #expect(comparison.verdict == "'other' ranks people worse than 'uplift'")
        let autoc = try #require(comparison.rates.first)
        #expect(try #require(autoc.interval).upper < 0 && near(autoc.difference, autoc.challenger - autoc.champion))
        #expect(report.html.contains("Challenger other against champion uplift"))
        #expect(report.balance?.omnibus != nil && report.html.contains("Balance of covariates"))
        // Costs that are measured: half of the treated with an outcome spend 1.
        let measured = try self.report(try read(text) { $0.cost = "spent" })
        #expect(try #require(measured.costCurve?.points.last?.cost.interval(level: 0.99)).contains(0.4))
        // A score against itself.
        let same = try self.report(try read(text) { $0.challenger = "uplift" })
        #expect(try #require(same.comparison).rates[0].difference == 0 && same.comparison?.areas[0].interval == nil)
    }

    /// Two scores of equal worth are told apart in 5 % of trials, by either test.
    @Test func coverageOfTheComparison() throws {
        var random = RandomStream(seed: 10, lane: 0)
        var told = (rate: 0, qini: 0)
        for _ in 0..<300 {
            var rows = (score: [Double](), other: [Double](), treatment: [UInt8](), outcome: [Double]())
            for _ in 0..<400 {
                let (a, b) = (random.normal(), random.normal())
                let treated = random.happens(0.5)
                rows.score.append(a)
                rows.other.append(b)
                rows.treatment.append(treated ? 1 : 0)
                rows.outcome.append(random.happens(0.4 + (treated ? 0.1 * (a + b > 0 ? 1 : -1) : 0)) ? 1 : 0)
            }
            var options = EvaluationOptions()
            options.replicates = 100
            options.threads = 1
            var extras = EvaluationExtras()
            extras.challenger = ("other", rows.other)
            let report = try EvaluationReport.compute(
                try Trial(score: rows.score, treatment: rows.treatment, outcome: rows.outcome), options: options,
                extras: extras)
            let comparison = try #require(report.comparison)
            if !(try #require(comparison.rates[0].interval).contains(0)) { told.rate += 1 }
            if !(try #require(comparison.areas[0].interval).contains(0)) { told.qini += 1 }
        }
        #expect((3...30).contains(told.rate) && (3...36).contains(told.qini), "\(told) of 300")
    }
}
