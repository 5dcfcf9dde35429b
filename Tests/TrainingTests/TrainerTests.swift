import Base
import Foundation
import Rows
import Scoring
import Statistics
import Tabular
import TestSupport
import Testing
import Training
import Trees

/// Rows to a model file and back.
@Suite struct TrainerTests {
    static func folder() throws -> String {
        let folder = FileManager.default.temporaryDirectory.appending(path: "impactiq-train-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder.path
    }

    /// A trial: chance of the ad 0.4, an effect of 1 + slope x1 on a number, texts, missing values, a column after the treatment.
    static func rows(_ path: String, count: Int, seed: UInt64, arms: Int = 2, slope: Double = 1) throws {
        var stream = RandomStream(seed: seed, lane: 3)
        var text = "y,x1,x2,device,arm,user_id,household\n"
        for row in 0..<count {
            let (x1, x2) = (stream.normal(), stream.normal())
            let device = ["phone", "desk", "tv"][stream.below(3)]
            let arm = arms == 2 ? (stream.happens(0.4) ? 1 : 0) : stream.below(arms)
            let effect = arm == 0 ? 0 : arm == 1 ? 1 + slope * x1 : -1
            let y = x2 + (device == "tv" ? 1 : 0) + effect + 0.5 * stream.normal()
            let name = ["control", "ad", "banner"][arm]
            text += "\(y),\(x1),\(row % 50 == 0 ? "" : String(x2)),\(device),\(name),u\(row),h\(row / 2)\n"
        }
        try text.write(toFile: path, atomically: true, encoding: .utf8)
    }

    static func settings(threads: Int = 2) -> TrainingSettings {
        var settings = TrainingSettings()
        settings.grower.trees = 100
        settings.grower.threads = threads
        settings.name = "test"
        return settings
    }

    static func train(
        _ request: TrainingRequest, _ settings: TrainingSettings, to path: String
    ) throws -> (TrainingResult, TrainingData, CausalTrainer) {
        let data = try TrainingData(try TrainingPlan.make(request), path: request.rows)
        let trainer = CausalTrainer(data, settings)
        let result = try trainer.run(to: path, progress: { _ in }, provenance: { _ in "{}" })
        return (result, data, trainer)
    }

    /// What fits learners to 2,000 rows whose nuisances are known.
    private static func fitter(in folder: String, seed: UInt64) throws -> (CausalTrainer, LearnerFitter) {
        try rows("\(folder)/rows.csv", count: 2_000, seed: seed)
        var request = TrainingRequest(rows: "\(folder)/rows.csv")
        request.outcomes = ["y"]
        request.propensity = "0.4"
        request.ignored = ["household"]
        let data = try TrainingData(try TrainingPlan.make(request), path: request.rows)
        let trainer = CausalTrainer(data, settings())
        let nuisances = try NuisanceFitter(data, trainer.matrix, seed: 1, threads: 2, model: .best).fit()
        return (trainer, LearnerFitter(data, trainer.matrix, nuisances, outcome: 0, seed: 1, threads: 2))
    }

    @Test("a model out of rows: same bits for any threads, every kernel, effects and average near the truth")
    func model() throws {
        let folder = try Self.folder()
        let seed = UInt64.random(in: 0...1_000_000)
        print("model: seed \(seed)")
        try Self.rows("\(folder)/rows.csv", count: 5_000, seed: seed, slope: 3)
        var request = TrainingRequest(rows: "\(folder)/rows.csv")
        request.outcomes = ["y"]
        request.propensity = "0.4"
        request.ignored = ["household"]
        let (result, data, _) = try Self.train(request, Self.settings(threads: 1), to: "\(folder)/a.model")
        let (again, _, _) = try Self.train(request, Self.settings(threads: 3), to: "\(folder)/b.model")
        #expect(result.sha256 == again.sha256)
        #expect(data.featureNames == ["x1", "x2", "device=desk", "device=phone", "device=tv"])
        #expect(data.plan.effects == ["ad"])
        let outcome = try #require(result.outcomes.first)
        #expect(outcome.offset != .none, "the effect is linear: \(outcome.choices)")
        let average = outcome.averages[0]
        #expect(abs(average.estimate - 1) < 4 * average.standardError && average.standardError < 0.06)
        #expect(outcome.calibrations[0].pValue < 1e-6)

        let model = try Model.open(path: "\(folder)/a.model")
        #expect(model.sha256 == result.sha256 && model.missingValues == .route && model.hasStandardErrors)
        let ranges = try #require(model.ranges)
        #expect(ranges[0].kind == .number && ranges[2].kind == .binary && abs(ranges[1].missing - 0.02) < 1e-9)
        // The offset is in every scorer: kernels against a plain walk, bit for bit.
        var lines = "x1,x2,device=desk,device=phone,device=tv\n"
        for row in 0..<200 { lines += "\(Double(row) / 50 - 2),\(row % 7 == 0 ? "" : "0.5"),0,1,0\n" }
        try lines.write(toFile: "\(folder)/ask.csv", atomically: true, encoding: .utf8)
        #expect(try RowCheck.run(model: model, csv: "\(folder)/ask.csv").disagreement == nil)
        let scorer = Scorer(model: model, maxRows: 1)
        var row = [Float](repeating: 0, count: model.rowStride)
        var estimate = [Estimate(effect: 0, standardError: 0)]
        for x in [Float(-1), 0, 1] {
            (row[0], row[1], row[3]) = (x, 0.2, 1)
            scorer.score(rows: row, stride: model.rowStride, count: 1, into: &estimate)
            #expect(abs(estimate[0].effect - Double(1 + 3 * x)) < 0.35, "\(estimate[0]) at \(x)")
        }
    }

    @Test("several arms and clusters: each arm's average, and columns that came after the treatment are suspects")
    func arms() throws {
        let folder = try Self.folder()
        try Self.rows("\(folder)/rows.csv", count: 4_000, seed: 77, arms: 3)
        var request = TrainingRequest(rows: "\(folder)/rows.csv")
        request.outcomes = ["y"]
        request.cluster = "household"
        let (result, data, trainer) = try Self.train(request, Self.settings(), to: "\(folder)/m.model")
        #expect(data.plan.effects == ["ad", "banner"] && data.clusterCount == 2_000)
        let outcome = try #require(result.outcomes.first)
        for (average, truth) in zip(outcome.averages, [1.0, -1.0]) {
            #expect(abs(average.estimate - truth) < 4 * average.standardError && average.standardError < 0.1)
        }
        let report = PolicyReport(
            data, trainer.matrix, outcome, depth: 2, costs: [0, 0], budget: 0.5, seed: 1, threads: 2)
        // Nobody gains from the banner; the ad helps where x1 is above −1.
        #expect(!report.segments.contains { $0.arm == "banner" } && report.segments.contains { $0.arm == "ad" })
        #expect(report.gain.estimate > -report.gain.standardError)
        let refutations = try trainer.refute(result)
        #expect(refutations.allSatisfy { $0.holds }, "\(refutations)")
        let diagnostics = TrainingDiagnostics(data, result.nuisances, result.outcomes)
        #expect(diagnostics.balance.count == 2 && diagnostics.ranking[0][0].autoc.value > 0.3)

        // A column that follows from the outcome is found.
        var text = try String(contentsOfFile: "\(folder)/rows.csv", encoding: .utf8).split(separator: "\n").map(
            String.init)
        text[0] += ",after"
        for line in 1..<text.count { text[line] += "," + String(text[line].prefix { $0 != "," }) }
        try text.joined(separator: "\n").write(toFile: "\(folder)/after.csv", atomically: true, encoding: .utf8)
        request.rows = "\(folder)/after.csv"
        let spoilt = try TrainingData(try TrainingPlan.make(request), path: request.rows)
        #expect(TrainingDiagnostics.suspects(spoilt).map(\.feature) == ["after"])
        #expect(TrainingDiagnostics.suspects(data).isEmpty)
    }

    @Test("several arms without differences between people: the test of heterogeneity keeps its level")
    func noHeterogeneity() throws {
        let folder = try Self.folder()
        var found: [Double] = []
        for seed in 0..<12 {
            try Self.rows("\(folder)/rows.csv", count: 1_500, seed: UInt64(300 + seed), arms: 3, slope: 0)
            var request = TrainingRequest(rows: "\(folder)/rows.csv")
            request.outcomes = ["y"]
            request.ignored = ["household"]
            var settings = Self.settings()
            settings.offset = OffsetShape.none
            let (result, _, _) = try Self.train(request, settings, to: "\(folder)/m.model")
            found += try #require(result.outcomes.first).calibrations.map(\.pValue)
        }
        // 24 tests: 1.2 below .05 are expected, six a chance of .0009.
        #expect(found.count { $0 < 0.05 } < 6, "\(found)")
    }

    @Test("every learner writes a model whose scores are its own predictions")
    func learners() throws {
        let folder = try Self.folder()
        let (trainer, fitter) = try Self.fitter(in: folder, seed: 5)
        let data = trainer.data
        for learner in EffectLearner.allCases where learner != .response {
            let path = "\(folder)/\(learner.rawValue).model"
            _ = try trainer.run(learner, to: path, progress: { _ in }, provenance: { _ in "{}" })
            let model = try Model.open(path: path)
            let rows = (0..<UInt32(100)).map { $0 }
            let expected = try fitter.fit(learner, rows: (0..<UInt32(data.count)).map { $0 }).effects(rows: rows)[0]
            let scorer = Scorer(model: model, maxRows: 1)
            var row = [Float](repeating: 0, count: model.rowStride)
            var estimate = [Estimate(effect: 0, standardError: 0)]
            for number in 0..<100 {
                for (feature, column) in data.features.enumerated() { row[feature] = column[number] }
                scorer.score(rows: row, stride: model.rowStride, count: 1, into: &estimate)
                #expect(abs(estimate[0].effect - Double(expected[number])) < 1e-3, "\(learner) row \(number)")
            }
        }
    }

    @Test("a file read in parts gives the model of a file read at once")
    func parts() throws {
        let folder = try Self.folder()
        let seed = UInt64.random(in: 0...1_000_000)
        print("parts: seed \(seed)")
        // Two parts of 16,384 rows at the least.
        try Self.rows("\(folder)/rows.csv", count: 20_000, seed: seed)
        var request = TrainingRequest(rows: "\(folder)/rows.csv")
        request.outcomes = ["y"]
        request.propensity = "0.4"
        request.ignored = ["household"]
        request.ordered = ["device"]
        let plan = try TrainingPlan.make(request)
        // Of all rows, so that the samples that edges come from are the same too.
        let (whole, parts) = (
            try TrainingData(plan, path: request.rows), try TrainingData(plan, path: request.rows, stagedValues: 30_000)
        )
        #expect(whole.count == 20_000 && parts.count == 20_000)
        #expect(parts.ranges == whole.ranges && parts.levels == whole.levels && parts.arms == whole.arms)
        for (feature, column) in whole.features.enumerated() {
            let differing = (0..<20_000).count {
                let (a, b) = (column[$0], parts.features[feature][$0])
                return a != b && !(a.isNaN && b.isNaN)
            }
            #expect(differing == 0, "feature \(feature)")
        }
    }

    @Test("texts become their ranks by frequency, and the model knows them")
    func ordered() throws {
        let folder = try Self.folder()
        var stream = RandomStream(seed: 12, lane: 4)
        var text = "y,city,arm\n"
        var counts: [String: Int] = [:]
        for _ in 0..<3_000 {
            // Forty cities, the first the most frequent; the effect is 2 in the ten most frequent.
            let city = min(stream.below(40), stream.below(40), stream.below(40))
            let arm = stream.happens(0.5)
            counts["c\(city)", default: 0] += 1
            text += "\((arm && city < 10 ? 2.0 : 0) + 0.3 * stream.normal()),c\(city),\(arm ? "ad" : "control")\n"
        }
        try text.write(toFile: "\(folder)/rows.csv", atomically: true, encoding: .utf8)
        var request = TrainingRequest(rows: "\(folder)/rows.csv")
        request.outcomes = ["y"]
        let (_, data, _) = try Self.train(request, Self.settings(), to: "\(folder)/m.model")
        #expect(data.featureNames == ["city"], "more than 32 texts are one feature")
        let expected = counts.keys.sorted { (counts[$1] ?? 0, $0) < (counts[$0] ?? 0, $1) }
        #expect(data.levels == [expected])
        let model = try Model.open(path: "\(folder)/m.model")
        #expect(model.levels(feature: 0) == expected)
        #expect(model.code(feature: 0, text: "elsewhere") == Float(expected.count))
        // Scores by text are scores by rank; a city that nobody knows is as the rarest.
        var ask = "city\n"
        for city in expected + ["elsewhere"] { ask += city + "\n" }
        try ask.write(toFile: "\(folder)/ask.csv", atomically: true, encoding: .utf8)
        let (table, scorer) = (try CSVTable(path: "\(folder)/ask.csv"), Scorer(model: model, maxRows: 1))
        let reader = try ModelRowReader(table, model)
        var row = [Float](repeating: 0, count: model.rowStride)
        var effects: [Double] = []
        var estimate = [Estimate(effect: 0, standardError: 0)]
        while try table.advance() {
            try reader.read(table, into: &row)
            scorer.score(rows: row, stride: model.rowStride, count: 1, into: &estimate)
            effects.append(estimate[0].effect)
        }
        #expect(effects.count == expected.count + 1 && effects[expected.count] == effects[expected.count - 1])
        #expect(effects[0] > 1.7 && abs(effects[expected.count]) < 0.3, "\(effects)")
    }

    @Test(
        "texts with quotes, blanks around them, or accents written otherwise are the same in training and in every scorer"
    )
    func oddTexts() throws {
        let folder = try Self.folder()
        let (quoted, composed, decomposed) = ("\"10\"\" tablet\"", "caf\u{E9}", "cafe\u{301}")
        var lines = ["y,device,place,arm"]
        for row in 0..<600 {
            let place = row % 40 == 39 ? composed : "p\(row % 40)"
            lines.append("\(row % 7),\(row % 3 == 0 ? quoted : " phone\t"),\(place),\(row / 3 % 2)")
        }
        try lines.joined(separator: "\n").write(toFile: "\(folder)/rows.csv", atomically: true, encoding: .utf8)
        var request = TrainingRequest(rows: "\(folder)/rows.csv")
        request.outcomes = ["y"]
        request.propensity = "0.5"
        let (_, data, _) = try Self.train(request, Self.settings(), to: "\(folder)/m.model")
        #expect(data.featureNames == ["device=10\" tablet", "device=phone", "place"])
        #expect(
            (0..<600).count { data.features[0][$0] == 1 } == 200 && (0..<600).count { data.features[1][$0] == 1 } == 400
        )

        let model = try Model.open(path: "\(folder)/m.model")
        let ask = "\(folder)/ask.csv"
        let text = "device,place\n\(quoted),\(composed)\nphone,\(decomposed)\n"
        try text.write(toFile: ask, atomically: true, encoding: .utf8)
        let table = try CSVTable(path: ask)
        let reader = try ModelRowReader(table, model)
        let scorer = Scorer(model: model, maxRows: 1)
        let place = try #require(model.levels(feature: 2)?.firstIndex(of: composed))
        var row = [Float](repeating: 0, count: model.rowStride)
        var estimate = [Estimate(effect: 0, standardError: 0)]
        var effects: [Double] = []
        for expected in [[1, 0, Float(place)], [0, 1, Float(place)]] {
            #expect(try table.advance())
            try reader.read(table, into: &row)
            #expect(Array(row.prefix(3)) == expected)
            scorer.score(rows: row, stride: model.rowStride, count: 1, into: &estimate)
            effects.append(estimate[0].effect)
        }
        // The command's scorer reads the same rows.
        var options = CSVOptions()
        options.columns = .minimal
        let output = open("\(folder)/scores.csv", O_WRONLY | O_CREAT, 0o600)
        defer { close(output) }
        _ = try CSVScorer(model: model, options: options).run(input: ask, output: output)
        let scores = try String(contentsOfFile: "\(folder)/scores.csv", encoding: .utf8).split(separator: "\n")
        #expect(scores.dropFirst().map { Double($0.prefix { $0 != "," }) } == effects)
    }

    @Test("--tune chooses the trees of each learner by the rows left out")
    func tunedLearners() throws {
        let (trainer, fixed) = try Self.fitter(in: try Self.folder(), seed: 6)
        var fitter = fixed
        for learner in [EffectLearner.t, .dr, .response] {
            let (choice, held) = try fitter.tune(learner) { _ in }
            let least = try #require(choice.losses.min { $0.loss < $1.loss })
            #expect(
                choice.losses.count == 3 && choice.chosen == least.name && held.effects[0].count == trainer.data.count)
            #expect(Set(choice.losses.map(\.loss)).count == 3, "the sizes differ: \(choice.losses)")
        }
    }

    @Test("a slip among numbers, a chance or a weight that is none: line and column are named")
    func slips() throws {
        let folder = try Self.folder()
        let path = "\(folder)/rows.csv"
        func message(_ change: (inout [String]) -> Void) throws -> String {
            var lines = ["x,k,none,propensity,w,arm,y"]
            for row in 0..<400 { lines.append("\(row % 7).5,1,,0.5,1,\(row % 2),\(row % 3)") }
            change(&lines)
            try lines.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
            var request = TrainingRequest(rows: path)
            request.weight = "w"
            do {
                _ = try TrainingData(try TrainingPlan.make(request), path: path)
                return ""
            } catch { return "\(error)" }
        }
        #expect(try message { _ in } == "")
        #expect(try message { $0[9] = "4,5;6,1,,0.5,1,0,1" }.contains("line 10 has 8 fields"))
        #expect(try message { $0[9] = "oops,1,,0.5,1,0,1" }.contains("line 10, column 'x': \"oops\""))
        #expect(try message { $0[9] = "1,1,,1.5,1,0,1" }.contains("line 10, column 'propensity': \"1.5\""))
        #expect(try message { $0[9] = "1,1,,oops,1,0,1" }.contains("line 10, column 'propensity': \"oops\""))
        #expect(try message { $0[9] = "1,1,,0.5,-2,0,1" }.contains("line 10, column 'w': \"-2\""))
        #expect(try message { $0[9] = "1,1,,0.5,1,0,lots" }.contains("line 10, column 'y': \"lots\""))
        // Columns of nothing or of one value are no features.
        _ = try message { _ in }
        let plan = try TrainingPlan.make(TrainingRequest(rows: path))
        #expect(plan.features.map(\.name) == ["x"])
    }

    @Test("what is unclear names the option that clears it")
    func faults() throws {
        let folder = try Self.folder()
        try Self.rows("\(folder)/rows.csv", count: 300, seed: 1)
        func code(_ change: (inout TrainingRequest) -> Void) -> String? {
            var request = TrainingRequest(rows: "\(folder)/rows.csv")
            change(&request)
            return #expect(throws: ImpactError.self) { try TrainingPlan.make(request) }?.code
        }
        #expect(code { $0.treatment = "armm" } == "csv_column")
        #expect(code { $0.control = "none" } == "train_control")
        #expect(code { $0.outcomes = ["device"] } == "train_outcome")
        #expect(code { $0.propensity = "0.4,0.4" } == "train_propensity")
        #expect(code { $0.arms = ["tv"] } == "train_treatment")
    }
}

@Suite struct PolicySearchTests {
    @Test("the search finds what trying every tree finds")
    func exhaustive() throws {
        var stream = RandomStream(seed: 8, lane: 1)
        let count = 600
        let columns = (0..<3).map { _ in (0..<count).map { _ in Float(stream.below(4)) } }
        let rewards = [
            (0..<count).map { row in
                Float((columns[0][row] > 1) == (columns[1][row] > 2) ? 1 : -1) + Float(stream.normal()) * 0.3
            }
        ]
        let matrix = BinnedMatrix(columns: columns)
        let search = PolicySearch(matrix, rewards: rewards, rows: Array(0..<count), leastRows: 10)
        func value(_ isTreated: (Int) -> Bool) -> Double {
            (0..<count).reduce(0) { $0 + (isTreated($1) ? Double(rewards[0][$1]) : 0) }
        }
        func best(_ rows: [Int], _ depth: Int) -> Double {
            var most = max(0, rows.reduce(0) { $0 + Double(rewards[0][$1]) })
            guard depth > 0 else { return most }
            for feature in 0..<3 {
                for cut in 0..<3 {
                    let left = rows.filter { columns[feature][$0] <= Float(cut) }
                    let right = rows.filter { columns[feature][$0] > Float(cut) }
                    guard left.count >= 10, right.count >= 10 else { continue }
                    most = max(most, best(left, depth - 1) + best(right, depth - 1))
                }
            }
            return most
        }
        for depth in 1...3 {
            let tree = search.best(depth: depth, threads: 2)
            let found = value { tree.arm($0, matrix) == 1 }
            #expect(abs(found - best(Array(0..<count), depth)) < 1e-3, "depth \(depth)")
        }
    }
}
