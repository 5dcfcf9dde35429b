import Base
import Explain
import Foundation
import Scoring
import TestSupport
import Testing

@Suite("Contributions to a causal forest's effect")
struct EffectExplainerTests {
    private struct Trees: TreeSource {
        var rest: [RawTree]
        mutating func nextTree() throws(ImpactError) -> RawTree? { rest.isEmpty ? nil : rest.removeFirst() }
    }

    /// A random forest written to a file and read back.
    private func model(
        _ info: ForestInfo, treatments: [String], outcomes: Int = 1, _ random: inout SeededGenerator
    ) throws -> Model {
        let folder = FileManager.default.temporaryDirectory
        let path = folder.appending(path: "explain-\(UUID().uuidString).model").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        var builder = try ModelBuilder(
            metadata: ModelMetadata(
                name: "m", version: "1", treatments: treatments, outcomes: (0..<outcomes).map { "y\($0)" },
                featureNames: (0..<info.featureCount).map { "x\($0)" }), path: path)
        for _ in 0..<outcomes {
            var source = Trees(
                rest: (0..<12).map { number in
                    let (tree, values) = TreeShapleyTests.tree(number % 7, &random)
                    var payload: [Double] = []
                    for _ in values.indices {
                        payload += leaf(
                            info, empty: info.kind == .grf && Int.random(in: 0..<6, using: &random) == 0, &random)
                    }
                    return RawTree(
                        left: tree.left, right: tree.right, feature: tree.feature.map { max(0, $0) },
                        threshold: tree.threshold.map { $0.isNaN ? 0 : Double($0) }, missingLeft: tree.missingLeft,
                        payload: payload)
                })
            try builder.addForest(info, trees: &source)
        }
        _ = try builder.finish()
        return try Model.open(path: path)
    }

    private func leaf(_ info: ForestInfo, empty: Bool, _ random: inout SeededGenerator) -> [Double] {
        if info.kind == .grf {
            guard !empty else { return [Double](repeating: .nan, count: 7) }
            let w = Double.random(in: 0.3...0.7, using: &random)
            let y = Double.random(in: -1...1, using: &random)
            let wz = w * w + Double.random(in: 0.1...0.3, using: &random)
            return [y, w, w, y * w + Double.random(in: -0.3...0.3, using: &random), wz, wz, 1]
        }
        let p = info.parameters
        var payload = (0..<p).map { _ in Double.random(in: -1...1, using: &random) }
        for i in 0..<p {
            for j in 0..<p { payload.append(i == j ? Double.random(in: 0.8...1.2, using: &random) : 0.1) }
        }
        return payload
    }

    /// The game by its definition, from decoded trees and the stated covers.
    private func game(
        _ forest: DecodedForest, _ row: UnsafePointer<Float>, contrast: [Double]
    ) -> (Int) -> Double {
        let p = forest.info.kind == .grf ? 2 : forest.info.parameters
        func moments(_ known: Int) -> (a: [Double], j: [Double]) {
            let columns = forest.info.payloadColumns
            var sums = [Double](repeating: 0, count: p + p * p)
            for (tree, values) in zip(forest.trees, forest.values) {
                for column in sums.indices {
                    sums[column] += TreeShapleyTests.value(tree, 0, row, known) { leaf in
                        let v = Array(values[leaf * columns..<(leaf + 1) * columns])
                        guard !v[0].isNaN else { return 0 }
                        return forest.info.kind == .grf ? [v[3], v[0], v[4], v[2], v[1], v[6]][column] : v[column]
                    }
                }
            }
            return (Array(sums[..<p]), Array(sums[p...]))
        }
        func solve(_ j: [Double], _ a: [Double]) -> [Double] {
            if p == 1 { return [a[0] / j[0]] }
            let d = j[0] * j[3] - j[1] * j[2]
            return [(a[0] * j[3] - a[1] * j[1]) / d, (a[1] * j[0] - a[0] * j[2]) / d]
        }
        let none = moments(0)
        let origin = solve(none.j, none.a)
        let full = moments((1 << TreeShapleyTests.features) - 1)
        return { known in
            let some = moments(known)
            let rest = (0..<p).map { i in some.a[i] - (0..<p).reduce(0) { $0 + some.j[i * p + $1] * origin[$1] } }
            let moved = solve(full.j, rest)
            return zip(contrast, zip(origin, moved)).reduce(0) { $0 + $1.0 * ($1.1.0 + $1.1.1) }
        }
    }

    private static let infos = [
        ForestInfo(kind: .econml, parameters: 1, treatments: 1, groupSize: 2, featureCount: 5, missing: .refuse),
        ForestInfo(kind: .econml, parameters: 2, treatments: 1, groupSize: 2, featureCount: 5, missing: .refuse),
        ForestInfo(kind: .econml, parameters: 2, treatments: 2, groupSize: 1, featureCount: 5, missing: .refuse),
        ForestInfo(kind: .grf, parameters: 1, treatments: 1, groupSize: 2, featureCount: 5, missing: .route),
    ]

    @Test(arguments: infos)
    func equalsTheDefinitionAndAddsUp(_ info: ForestInfo) throws {
        var random = SeededGenerator.announced()
        for round in 0..<6 {
            let names = (0..<info.treatments).map { "t\($0)" }
            let model = try model(info, treatments: names, outcomes: 1 + round % 2, &random)
            let count = 9
            let rows = TreeShapleyTests.rows(count, missing: info.missing == .route, &random)
            let background = TreeShapleyTests.rows(80, missing: info.missing == .route, &random)
            let explainer = background.withUnsafeBufferPointer {
                EffectExplainer(model, background: round < 3 ? nil : ($0.baseAddress!, 5, 80))  // 400 numbers
            }
            let answers = explainer.explain(rows: rows, stride: 5, count: count)
            // The effects are the scorer's.
            var padded = [Float](repeating: 0, count: count * model.rowStride)
            for row in 0..<count {
                for feature in 0..<5 { padded[row * model.rowStride + feature] = rows[row * 5 + feature] }
            }
            var estimates = [Estimate](
                repeating: Estimate(effect: 0, standardError: 0), count: count * model.effectCount)
            let scorer = Scorer(model: model, maxRows: count)
            scorer.score(rows: padded, stride: model.rowStride, count: count, into: &estimates)
            for row in 0..<count {
                let answer = try #require(answers[row])
                for (place, effect) in explainer.effects.enumerated() {
                    let index = model.effectIndex(treatment: effect.treatment, outcome: effect.outcome)
                    let truth = estimates[row * model.effectCount + index].effect
                    #expect(abs(answer[place].value - truth) < 1e-9 * max(1, abs(truth)))
                    let sum = answer[place].base + answer[place].contributions.reduce(0, +)
                    #expect(abs(sum - truth) < 1e-9 * max(1, abs(truth)), "\(sum) \(truth)")
                    guard row < 3 else { continue }
                    var forest = model.decodedForest(effect.outcome)
                    forest.trees =
                        round < 3
                        ? Covers.even(forest.trees)
                        : Covers.counted(forest.trees, rows: background, stride: 5, count: 80)
                    var contrast = [Double](repeating: 0, count: 2)
                    contrast[effect.treatment] = 1
                    rows.withUnsafeBufferPointer { rows in
                        guard let start = rows.baseAddress else { return }
                        let expected = TreeShapleyTests.bruteForce(
                            game(forest, start + row * 5, contrast: contrast))
                        for feature in 0..<5 {
                            #expect(abs(answer[place].contributions[feature] - expected[feature]) < 1e-9)
                        }
                    }
                }
            }
        }
    }

    @Test func rowsWithoutAnEstimateHaveNoExplanation() throws {
        var random = SeededGenerator.announced()
        let model = try model(Self.infos[0], treatments: ["t"], &random)
        let answers = EffectExplainer(model).explain(rows: [0, 0, .nan, 0, 0, 1, 1, 1, 1, 1], stride: 5, count: 2)
        #expect(answers[0] == nil && answers[1] != nil)
    }

    /// The demo's model on random rows.
    @Test func theDemosModelAddsUp() throws {
        let path = SharedMaterial.repository.appending(path: "examples/demo/demo.model").path
        let model = try Model.open(path: path)
        var random = SeededGenerator.announced()
        let width = model.featureCount
        let stride = model.rowStride
        let count = 40
        var rows = [Float](repeating: 0, count: count * stride)
        for row in 0..<count {
            for feature in 0..<width { rows[row * stride + feature] = Float.random(in: 0...20, using: &random) }
        }
        var estimates = [Estimate](repeating: Estimate(effect: 0, standardError: 0), count: count * model.effectCount)
        Scorer(model: model, maxRows: count).score(rows: rows, stride: stride, count: count, into: &estimates)
        let explainer = rows.withUnsafeBufferPointer {
            EffectExplainer(model, background: $0.baseAddress.map { ($0, stride, count) })
        }
        for (row, answer) in explainer.explain(rows: rows, stride: stride, count: count).enumerated() {
            let first = try #require(answer)[0]
            let truth = estimates[row * model.effectCount].effect
            #expect(abs(first.base + first.contributions.reduce(0, +) - truth) < 1e-9 * max(1, abs(truth)))
        }
    }
}
