import Base
import Explain
import Foundation
import Scoring
import TestSupport
import Testing

@Suite("Contributions to any model's numbers")
struct ModelExplainerTests {
    private struct Trees: TreeSource {
        var rest: [RawTree]
        mutating func nextTree() throws(ImpactError) -> RawTree? { rest.isEmpty ? nil : rest.removeFirst() }
    }

    private func model(_ metadata: ModelMetadata, forests: [(ForestInfo, [RawTree])]) throws -> Model {
        let path = FileManager.default.temporaryDirectory.appending(path: "explain-\(UUID().uuidString).model").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        var builder = try ModelBuilder(metadata: metadata, path: path)
        for (info, trees) in forests {
            var source = Trees(rest: trees)
            try builder.addForest(info, trees: &source)
        }
        _ = try builder.finish()
        return try Model.open(path: path)
    }

    private func trees(_ columns: Int, leaf: (Double) -> [Double], _ random: inout SeededGenerator) -> [RawTree] {
        (0..<10).map { number in
            let (tree, values) = TreeShapleyTests.tree(1 + number % 5, &random)
            return RawTree(
                left: tree.left, right: tree.right, feature: tree.feature.map { max(0, $0) % Int32(columns) },
                threshold: tree.threshold.map { $0.isNaN ? 0 : Double($0) }, missingLeft: tree.missingLeft,
                payload: values.flatMap(leaf))
        }
    }

    /// Base and contributions add up, and give what the scorer gives.
    private func addsUp(_ model: Model, _ rows: [Float], stride: Int, count: Int) throws {
        var padded = [Float](repeating: 0, count: count * model.rowStride)
        for row in 0..<count {
            for feature in 0..<stride { padded[row * model.rowStride + feature] = rows[row * stride + feature] }
        }
        var estimates = [Estimate](repeating: Estimate(effect: 0, standardError: 0), count: count * model.effectCount)
        let scorer = Scorer(model: model, maxRows: count)
        scorer.score(rows: padded, stride: model.rowStride, count: count, into: &estimates)
        for hasBackground in [false, true] {
            let explainer = try rows.withUnsafeBufferPointer { rows in
                try ModelExplainer(
                    model, background: hasBackground ? rows.baseAddress.map { ($0, stride, count) } : nil, threads: 2)
            }
            let answers = explainer.explain(rows: rows, stride: stride, count: count, threads: 2)
            for row in 0..<count {
                for effect in 0..<model.effectCount {
                    let answer = try #require(answers[row])[effect]
                    let sum = answer.base + answer.contributions.reduce(0, +)
                    #expect(answer.contributions.count == stride)
                    #expect(abs(sum - answer.value) < 1e-9 * max(1, abs(sum)))
                    let truth = estimates[row * model.effectCount + effect].effect
                    #expect(abs(explainer.value(effect, of: answer) - truth) < 1e-9, "\(effect): \(answer) \(truth)")
                }
            }
        }
    }

    @Test(
        "response models: boosted trees, a forest of probabilities, a logistic regression, with categories and filling in"
    )
    func response() throws {
        var random = SeededGenerator.announced()
        // x0 … x2 are numbers, x3 a category of two levels: six columns.
        let preprocessing = Preprocessing(inputs: [
            .init(fill: 0.25), .init(fill: 0, shift: 0.5, factor: 2), .init(), .init(levels: ["a", "b"], oneHot: true),
        ])
        let linear = Composition.Linear(
            name: "y2", intercept: 0.3, terms: [.init(0.5, [0]), .init(-1, [1]), .init(2, [3]), .init(1, [5])],
            link: .logistic, centres: [0.1, 0, 0, 0.5, 0.25, 0.25])
        let composition = Composition(
            kind: Composition.response,
            parts: [
                .trees(.init(name: "y0", base: -0.4, link: .logistic)),
                .trees(.init(name: "y1", base: 0.5, isProbability: true)), .linear(linear),
            ], effects: [.part(0), .part(1), .part(2)], preprocessing: preprocessing)
        let info = ForestInfo.additive(features: 6)
        let model = try model(
            ModelMetadata(
                name: "m", version: "1", treatments: ["none"], outcomes: ["y0", "y1", "y2"],
                featureNames: ["x0", "x1", "x2", "x3"], composition: composition),
            forests: [
                (info, trees(5, leaf: { [$0] }, &random)), (info, trees(5, leaf: { [$0 / 100] }, &random)),
            ])
        var rows: [Float] = []
        for row in 0..<30 {
            var own = [Float](repeating: 0, count: 4)
            for feature in 0..<3 { own[feature] = Float.random(in: -1...1, using: &random) }
            if row % 5 == 0 { own[0] = .nan }
            own[3] = row % 7 == 0 ? .nan : Float(row % 3)
            rows += own
        }
        try addsUp(model, rows, stride: 4, count: 30)
        #expect(try ModelExplainer(model).scales == [.logOdds, .probability, .logOdds])
    }

    @Test("a causal forest with an offset: the smooth part is explained too")
    func offset() throws {
        var random = SeededGenerator.announced()
        let inputs = (0..<3).map { EffectOffset.Input(feature: $0, mean: 0.1, deviation: 0.5, least: -1, greatest: 1) }
        let offset = EffectOffset(
            inputs: inputs, constants: [0.7],
            terms: [
                .init(first: 0, second: nil, coefficients: [0.3]), .init(first: 1, second: 2, coefficients: [-0.2]),
                .init(first: 2, second: 2, coefficients: [0.1]),
            ])
        let info = ForestInfo(
            kind: .econml, parameters: 1, treatments: 1, groupSize: 2, featureCount: 5, missing: .route)
        let model = try model(
            ModelMetadata(
                name: "m", version: "1", treatments: ["t"], outcomes: ["y"], featureNames: (0..<5).map { "x\($0)" },
                offsets: [offset]),
            forests: [(info, trees(5, leaf: { [$0, 1] }, &random))])
        let rows = TreeShapleyTests.rows(20, missing: true, &random)
        try addsUp(model, rows, stride: 5, count: 20)
    }

    @Test("an effect that is not a sum is refused, with the reason")
    func refused() throws {
        let linear = Composition.Linear(name: "m", intercept: 0, terms: [.init(1, [0])], link: .logistic)
        for (effect, word) in [
            (Composition.Effect.difference(0, 1), "difference"), (.init([.init(1, [0, 1])]), "multiplies"),
        ] {
            let model = try model(
                ModelMetadata(
                    name: "m", version: "1", treatments: ["t"], outcomes: ["y"], featureNames: ["x"],
                    composition: Composition(
                        kind: "t-learner", parts: [.linear(linear), .linear(linear)], effects: [effect])),
                forests: [])
            let error = #expect(throws: ImpactError.self) { try ModelExplainer(model) }
            #expect(error?.code == "not_explained" && error?.message.contains(word) == true)
        }
    }
}
