import Base
import Foundation
import Scoring
import Statistics
import TestSupport
import Testing
import Trees

/// Every learner as one file: the file's scores are those of its parts, bit for bit, with every kernel and batch.
@Suite struct CompositionTests {
    private static let features = 7
    private static let data = TreeData(rows: 3_000, features: features, seed: 11)

    private static func ensemble(_ seed: UInt64, _ loss: BoostingLoss = .logistic) -> TreeEnsemble {
        let matrix = BinnedMatrix(columns: data.columns)
        var settings = BoostingSettings()
        settings.loss = loss
        settings.trees = 25
        settings.seed = seed
        settings.rowShare = 0.6
        return data.target.withUnsafeBufferPointer { GradientBoosting.fit(matrix, target: $0, settings: settings) }
    }

    private func path() -> String { NSTemporaryDirectory() + "/composition-\(UUID().uuidString).model" }

    private func metadata(_ composition: Composition, treatments: [String] = ["ad"], outcomes: [String] = ["visit"])
        -> ModelMetadata
    {
        ModelMetadata(
            name: "test", version: "1", treatments: treatments, outcomes: outcomes,
            featureNames: (0..<Self.features).map { "f\($0)" }, composition: composition)
    }

    /// Builds, opens, scores with every kernel in batches of several sizes, and compares with `expected` a row.
    private func check(
        _ metadata: ModelMetadata, _ ensembles: [TreeEnsemble], _ expected: (UnsafePointer<Float>) -> [Double]
    ) throws {
        let path = path()
        defer { unlink(path) }
        var builder = try ModelBuilder(metadata: metadata, path: path)
        for ensemble in ensembles {
            var source = AdditiveTrees(ensemble)
            try builder.addForest(.additive(features: metadata.treeFeatureCount), trees: &source)
        }
        try builder.finish()
        let model = try Model.open(path: path)
        #expect(model.composition == metadata.composition)
        let count = 700
        var rows = [Float](repeating: 0, count: count * model.rowStride)
        for row in 0..<count {
            for feature in 0..<Self.features { rows[row * model.rowStride + feature] = Self.data.columns[feature][row] }
        }
        var wanted: [Double] = []
        rows.withUnsafeBufferPointer { rows in
            for row in 0..<count { wanted += expected(rows.baseAddress! + row * model.rowStride) }
        }
        for kernel in Kernel.available {
            for batch in [1, 64, 700] {
                let scorer = Scorer(model: model, maxRows: batch, kernel: kernel)
                var found = [Estimate](
                    repeating: Estimate(effect: 0, standardError: 0), count: count * model.effectCount)
                rows.withUnsafeBufferPointer { rows in
                    found.withUnsafeMutableBufferPointer { found in
                        for start in stride(from: 0, to: count, by: batch) {
                            scorer.score(
                                rows: rows.baseAddress! + start * model.rowStride, stride: model.rowStride,
                                count: min(batch, count - start), into: found.baseAddress! + start * model.effectCount)
                        }
                    }
                }
                let differs = zip(found, wanted).filter { $0.effect != $1 && !($0.effect.isNaN && $1.isNaN) }
                #expect(differs.isEmpty, "\(kernel) batch \(batch): \(differs.count) differ")
            }
        }
    }

    @Test func response() throws {
        let trees = Self.ensemble(1)
        let composition = Composition(
            kind: Composition.response, parts: [trees.part(name: "visit")], effects: [.part(0)], thresholds: [0.7])
        try check(metadata(composition), [trees]) { [trees.prediction($0)] }
    }

    @Test func severalOutcomes() throws {
        let trees = (1...3).map { Self.ensemble(UInt64($0)) }
        let composition = Composition(
            kind: Composition.response, parts: trees.enumerated().map { $1.part(name: "p\($0)") },
            effects: (0..<3).map { .part($0) })
        try check(metadata(composition, outcomes: ["a", "b", "c"]), trees) { row in trees.map { $0.prediction(row) } }
    }

    @Test func tLearner() throws {
        let (a, b) = (Self.ensemble(1), Self.ensemble(2))
        let composition = Composition(
            kind: "t-learner", parts: [a.part(name: "treated"), b.part(name: "control")], effects: [.difference(0, 1)])
        try check(metadata(composition), [a, b]) { [a.prediction($0) - b.prediction($0)] }
    }

    @Test func xLearner() throws {
        let (e, t0, t1) = (Self.ensemble(1), Self.ensemble(2, .squared), Self.ensemble(3, .squared))
        let composition = Composition(
            kind: "x-learner", parts: [e.part(name: "propensity"), t0.part(name: "0"), t1.part(name: "1")],
            effects: [Composition.Effect([.init(1, [0, 1]), .init(1, [2]), .init(-1, [0, 2])])])
        try check(metadata(composition), [e, t0, t1]) { row in
            let (p, a, b) = (e.prediction(row), t0.prediction(row), t1.prediction(row))
            return [(p * a + b) + -1 * p * b]
        }
    }

    /// An S-learner's model with its treatment fixed is the model itself at that treatment.
    @Test func sLearner() throws {
        let whole = Self.ensemble(5)
        let (a, b) = (whole.fixing(feature: 0, to: 1), whole.fixing(feature: 0, to: .nan))
        #expect(
            a.trees.allSatisfy { tree in tree.left.indices.allSatisfy { tree.left[$0] < 0 || tree.feature[$0] != 0 } })
        let composition = Composition(
            kind: "s-learner", parts: [a.part(name: "1"), b.part(name: "0")], effects: [.difference(0, 1)])
        try check(metadata(composition), [a, b]) { row in
            var with = (0..<Self.features).map { row[$0] }
            var without = with
            with[0] = 1
            without[0] = .nan
            return [whole.prediction(with) - whole.prediction(without)]
        }
    }

    @Test func linearPartsAndPreprocessing() throws {
        var inputs = [Preprocessing.Input](repeating: .init(fill: 0.25, shift: 1, factor: 0.5), count: Self.features)
        inputs[2] = .init(levels: ["-1", "0", "1"], oneHot: true)
        inputs[3] = .init(fill: 0.6, rounds: true, shift: -3, factor: 1 / 6, least: 0, most: 1)
        let preprocessing = Preprocessing(inputs: inputs)
        let columns = preprocessing.outputCount
        #expect(columns == Self.features + 3)
        let terms = (0..<columns).map { Composition.Linear.Term(Double($0) * 0.3 - 1, [$0]) } + [.init(0.7, [0, 1])]
        let composition = Composition(
            kind: Composition.response,
            parts: [.linear(.init(name: "visit", intercept: 0.1, terms: terms, link: .logistic))], effects: [.part(0)],
            preprocessing: preprocessing)
        try check(metadata(composition), []) { row in
            let x = preprocessing.apply((0..<Self.features).map { row[$0] }).map { Double($0) }
            #expect(x[3...].prefix(3).reduce(0, +) + x[2] == 1)
            var sum = 0.1
            for term in terms { sum += term.coefficient * term.features.reduce(1) { $0 * x[$1] } }
            return [Logistic.sigmoid(sum)]
        }
    }

    /// The standard error of a linear effect is √(z′Σz).
    @Test func linearEffectsHaveErrors() throws {
        let covariance = [0.04, 0.01, 0.002, 0.01, 0.09, 0.003, 0.002, 0.003, 0.01]
        let part = Composition.Linear(
            name: "effect", intercept: 1, terms: [.init(2, [0]), .init(-1, [1])], covariance: covariance)
        let composition = Composition(kind: "linear-dml", parts: [.linear(part)], effects: [.part(0)])
        let path = path()
        defer { unlink(path) }
        var builder = try ModelBuilder(metadata: metadata(composition), path: path)
        try builder.finish()
        let model = try Model.open(path: path)
        #expect(model.hasStandardErrors && model.treeCount == 0)
        let scorer = Scorer(model: model, maxRows: 1)
        var row = [Float](repeating: 0, count: model.rowStride)
        (row[0], row[1]) = (3, -2)
        var estimate = [Estimate(effect: 0, standardError: 0)]
        scorer.score(rows: row, stride: model.rowStride, count: 1, into: &estimate)
        #expect(estimate[0].effect == 9)
        let variance = 9 * 0.04 + 4 * 0.09 + 0.01 - 12 * 0.01 + 6 * 0.002 - 4 * 0.003
        #expect(abs(estimate[0].standardError - variance.squareRoot()) < 1e-12)
    }

    /// What a file says of its composition is a contract: these texts must never change.
    @Test func goldenFile() throws {
        var tree = DecisionTreeBytes.tree()
        let ensemble = TreeEnsemble(base: -0.5, link: .logistic, features: 2, trees: [tree, tree])
        tree.value[1] = 4
        let composition = Composition(
            kind: Composition.response, parts: [ensemble.part(name: "buys")], effects: [.part(0)],
            preprocessing: Preprocessing(inputs: [.init(fill: 1), .init(levels: ["a", "b"])]), thresholds: [0.7],
            metrics: #"{"auc":0.8}"#)
        let path = path()
        defer { unlink(path) }
        var builder = try ModelBuilder(
            metadata: ModelMetadata(
                name: "golden", version: "1", treatments: ["none"], outcomes: ["buys"], featureNames: ["x", "device"],
                composition: composition), path: path)
        var source = AdditiveTrees(ensemble)
        try builder.addForest(.additive(features: 2), trees: &source)
        let digest = try builder.finish()
        print("goldenFile: sha256 \(digest)")
        let bytes = try Data(contentsOf: URL(filePath: path))
        #expect(bytes.prefix(8).elementsEqual("ImpactIQ".utf8) && bytes[8] == 2)
        let text = String(decoding: bytes, as: UTF8.self)
        for member in [
            #""parts":[{"trees":{"base":-0.5,"link":"logistic","name":"buys"}}]"#,
            #""effects":[{"terms":[{"parts":[0],"weight":1}]}]"#, #""kind":"response""#, #""thresholds":[0.7]"#,
            #""refusesMissing":false"#, #""levels":["a","b"],"oneHot":false"#,
        ] { #expect(text.contains(member), "\(member)") }
    }

    @Test func contradictionsAreRefused() throws {
        let trees = Self.ensemble(1)
        func refused(_ composition: Composition, outcomes: [String] = ["visit"]) {
            #expect(throws: ImpactError.self) {
                var builder = try ModelBuilder(metadata: metadata(composition, outcomes: outcomes), path: path())
                var source = AdditiveTrees(trees)
                try builder.addForest(.additive(features: Self.features), trees: &source)
                try builder.finish()
            }
        }
        refused(Composition(kind: "x", parts: [trees.part(name: "a")], effects: [.part(1)]))
        refused(Composition(kind: "x", parts: [trees.part(name: "a")], effects: [.part(0)]), outcomes: ["a", "b"])
        refused(Composition(kind: "x", parts: [trees.part(name: "a"), trees.part(name: "b")], effects: [.part(0)]))
        refused(
            Composition(
                kind: "x", parts: [.linear(.init(name: "a", intercept: 0, terms: [.init(1, [99])]))],
                effects: [.part(0)]))
        refused(
            Composition(kind: "x", parts: [trees.part(name: "a")], effects: [.part(0)], preprocessing: .init(count: 3)))
        refused(Composition(kind: "x", parts: [.causal(.init(name: "c", forest: 0, effect: 0))], effects: [.part(0)]))
    }
}

/// x0 ≤ 1.5 (missing right), then the device's code.
enum DecisionTreeBytes {
    static func tree() -> DecisionTree {
        var tree = DecisionTree()
        tree.left = [1, -1, 3, -1, -1]
        tree.right = [2, -1, 4, -1, -1]
        tree.feature = [0, 0, 1, 0, 0]
        tree.threshold = [1.5, 0, 0.5, 0, 0]
        tree.missingLeft = [false, false, true, false, false]
        tree.bin = [1, 0, 1, 0, 0]
        tree.value = [0, -0.25, 0, 0.125, 0.75]
        tree.gain = [1, 0, 0.5, 0, 0]
        tree.cover = [10, 4, 6, 3, 3]
        return tree
    }
}
