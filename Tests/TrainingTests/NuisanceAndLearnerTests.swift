import Base
import Foundation
import Rows
import Scoring
import Statistics
import TestSupport
import Testing
import Training
import Trees

/// Parts of a training whose truth is known: chances that are logistic, arms with different effects, directions.
@Suite struct NuisanceAndLearnerTests {
    /// Rows of columns x0, x1 with a treatment and an outcome, in a file of their own.
    private static func rows(
        _ count: Int, seed: UInt64, _ row: (inout RandomStream, Double, Double) -> (arm: String, outcome: Double)
    ) throws -> String {
        var stream = RandomStream(seed: seed, lane: 7)
        var text = "x0,x1,t,y\n"
        for _ in 0..<count {
            let (x0, x1) = (stream.normal(), stream.normal())
            let (arm, outcome) = row(&stream, x0, x1)
            text += "\(x0),\(x1),\(arm),\(outcome)\n"
        }
        let path = FileManager.default.temporaryDirectory.appending(path: "impactiq-\(UUID().uuidString).csv").path
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    private static func data(
        _ path: String, _ change: (inout TrainingRequest) -> Void = { _ in }
    ) throws -> TrainingData {
        var request = TrainingRequest(rows: path)
        request.treatment = "t"
        request.outcomes = ["y"]
        change(&request)
        return try TrainingData(try TrainingPlan.make(request), path: path)
    }

    @Test(
        "chances that are logistic are found by the logistic model, and far better than by a line",
        arguments: [3_000, 30_000])
    func logisticChances(count: Int) throws {
        let seed = UInt64.random(in: 0...1_000_000)
        print("logisticChances: seed \(seed)")
        var truth: [Double] = []
        let path = try Self.rows(count, seed: seed) { stream, x0, x1 in
            let chance = Logistic.sigmoid(1.2 * x0 + 0.8 * x1)
            truth.append(chance)
            return (stream.happens(chance) ? "1" : "0", x0 + stream.normal())
        }
        defer { try? FileManager.default.removeItem(atPath: path) }
        let data = try Self.data(path) { $0.propensity = "estimate" }
        let nuisances = try NuisanceFitter(data, data.matrix, seed: 1, threads: 2, model: .best).fit()
        let report = try #require(nuisances.reports.first { $0.name == "arm 1" })
        #expect(report.chosen == "logistic", "\(report)")
        var squares = 0.0
        for row in 0..<count {
            let miss = Double(nuisances.propensity[1][row]) - truth[row]
            squares += miss * miss
        }
        // Three coefficients with an error of some √(5/n) each, and values read from the means of 255 bins.
        #expect((squares / Double(count)).squareRoot() < 2 * (3 / Double(count)).squareRoot() + 0.005)
        // Each row's chance is that of a regression on all other folds: the package's own, on the same rows.
        let folds = Folds(rows: count, count: NuisanceFitter.foldCount, clusters: nil, seed: 1)
        let columns = data.features.map { column in (0..<count).map { Double(column[$0]) } }
        let others = (0..<count).filter { folds.fold[$0] != 0 }
        let fit = LogisticRegression.fit(
            columns.map { column in others.map { column[$0] } }, target: others.map { Double(data.arms[$0]) }, l2: 1)
        for row in (0..<count).filter({ folds.fold[$0] == 0 }).prefix(300) {
            var margin = fit.intercept
            for (column, coefficient) in zip(columns, fit.coefficients) { margin += coefficient * column[row] }
            let expected = Logistic.sigmoid(margin)
            #expect(abs(Double(nuisances.propensity[1][row]) - expected) < 0.02, "row \(row)")
        }
    }

    @Test("every learner of three arms holds each against the control", arguments: EffectLearner.allCases)
    func arms(learner: EffectLearner) throws {
        guard learner != .response else { return }
        let count = 12_000
        let path = try Self.rows(count, seed: 91) { stream, x0, x1 in
            let draw = stream.uniform()
            let arm = draw < 0.5 ? "none" : draw < 0.8 ? "mail" : "push"
            let effect = arm == "none" ? 0 : arm == "mail" ? 1 + 0.5 * x0 : -0.5
            return (arm, x1 + effect + 0.5 * stream.normal())
        }
        defer { try? FileManager.default.removeItem(atPath: path) }
        let data = try Self.data(path) {
            $0.control = "none"
            $0.propensity = "0.5,0.3,0.2"
        }
        let nuisances = try NuisanceFitter(data, data.matrix, seed: 1, threads: 2, model: .best).fit()
        let fitter = LearnerFitter(data, data.matrix, nuisances, outcome: 0, seed: 1, threads: 2)
        let effects = try fitter.heldOutEffects(learner).effects
        for (effect, truth) in [1.0, -0.5].enumerated() {
            let mean = effects[effect].reduce(0.0) { $0 + Double($1) } / Double(count)
            // Trees are shrunk, the S-learner's most; an arm held against everybody else would be off by .2 and more.
            #expect(
                abs(mean - truth) < (learner == .s ? 0.15 : 0.08),
                "\(learner.rawValue), \(data.plan.effects[effect]): \(mean)")
        }
    }

    @Test("without any effect rankings and tests lean to neither side, clusters or not", arguments: [false, true])
    func noLean(clustered: Bool) throws {
        var (autoc, heterogeneity): ([Double], [Double]) = ([], [])
        for world in 0..<60 {
            var stream = RandomStream(seed: UInt64(world), lane: 9)
            var text = "x0,x1,t,y,household\n"
            var (arm, shared) = (false, 0.0)
            for row in 0..<600 {
                if !clustered || row % 6 == 0 { (arm, shared) = (stream.happens(0.5), stream.normal()) }
                let x0 = stream.normal()
                text +=
                    "\(x0),\(stream.normal()),\(arm ? 1 : 0),\(x0 + (clustered ? shared : 0) + stream.normal()),h\(row / 6)\n"
            }
            let path = FileManager.default.temporaryDirectory.appending(path: "impactiq-\(UUID().uuidString)").path
            defer { for path in [path, path + ".model"] { try? FileManager.default.removeItem(atPath: path) } }
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            let data = try Self.data(path) {
                $0.propensity = "0.5"
                if clustered { $0.cluster = "household" } else { $0.ignored = ["household"] }
            }
            var settings = TrainingSettings()
            settings.grower.trees = 50
            settings.grower.threads = 2
            settings.nuisance = .linear
            settings.offset = OffsetShape.none
            let result = try CausalTrainer(data, settings).run(
                to: path + ".model", progress: { _ in }, provenance: { _ in "{}" })
            let ranking = TrainingDiagnostics(data, result.nuisances, result.outcomes).ranking[0][0]
            autoc.append(ranking.autoc.value / (ranking.autoc.standardError ?? .nan))
            let test = result.outcomes[0].calibrations[0]
            heterogeneity.append(test.heterogeneity / test.heterogeneityError)
        }
        for z in [autoc, heterogeneity] {
            // Means have a standard error of .13; by out-of-bag effects they are −.8, with clusters −2.6.
            #expect(abs(z.reduce(0, +) / 60) < 0.5, "\(z)")
            // Three of sixty are expected beyond 1.96, eleven have a chance of .0003.
            #expect(z.count { abs($0) > 1.96 } < 11, "\(z)")
        }
    }

    @Test("an offset keeps the directions that features were given, and what the forest adds is told")
    func directions() throws {
        let path = try Self.rows(4_000, seed: 17) { stream, x0, x1 in
            let arm = stream.happens(0.5)
            return (arm ? "1" : "0", x1 + (arm ? 1 + x0 - 0.5 * x1 : 0) + 0.5 * stream.normal())
        }
        let out = path + ".model"
        defer { for path in [path, out] { try? FileManager.default.removeItem(atPath: path) } }
        let data = try Self.data(path) { $0.propensity = "0.5" }
        func model(_ signs: [Int8]?, trees: Int) throws -> Model {
            var settings = TrainingSettings()
            settings.grower.trees = trees
            settings.grower.threads = 2
            settings.grower.monotone = signs
            settings.offset = .quadratic
            _ = try CausalTrainer(data, settings).run(to: out, progress: { _ in }, provenance: { _ in "{}" })
            return try Model.open(path: out)
        }
        let (x0, x1) = (
            try #require(data.featureNames.firstIndex(of: "x0")), try #require(data.featureNames.firstIndex(of: "x1"))
        )
        var signs: [Int8] = [0, 0]
        (signs[x0], signs[x1]) = (1, 1)
        let free = try #require(try model(nil, trees: 100).offsets[0])
        #expect(
            free.terms.contains { $0.first == x1 && $0.second == nil && $0.coefficients[0] < 0 },
            "the truth falls with x1")
        let told = try model(signs, trees: 100)
        let offset = try #require(told.offsets[0])
        // x1 may not fall, so it has no term; x0 has its slope and nothing that bends it.
        #expect(offset.terms.map { offset.inputs[$0.first].feature } == [x0] && offset.terms[0].second == nil)
        #expect(offset.terms[0].coefficients[0] > 0.5)
        let checks = MonotoneCheck.all(data, told, signs)
        #expect(checks.map(\.feature) == ["x0", "x1"] && checks.allSatisfy { $0.rises && $0.steps > 1_000 })
        #expect(Double(checks[0].against) < 0.2 * Double(checks[0].steps), "\(checks[0])")
        // A model that knows nothing of it is found out.
        let against = MonotoneCheck.all(data, try model(nil, trees: 100), signs)
        #expect(Double(against[1].against) > 0.5 * Double(against[1].steps) && against[1].worst > 0.01, "\(against[1])")
    }
}
