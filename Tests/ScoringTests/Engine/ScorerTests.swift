import Foundation
import Scoring
import TestSupport
import Testing

/// The shapes of model that the property tests go through.
struct ForestCase: CustomStringConvertible, Sendable {
    var kind: ForestKind
    var parameters = 1
    var treatments = 1
    var groupSize = 2
    var features: Int
    var missing: MissingValues
    var trees: Int
    var outcomes = 1
    var largest = 200
    var maximumTiles: Int?
    var contrasts: [[Double]]?

    var info: ForestInfo {
        ForestInfo(
            kind: kind, parameters: parameters, treatments: treatments, groupSize: groupSize, featureCount: features,
            missing: missing)
    }

    var description: String {
        "\(kind) p\(parameters) q\(treatments) k\(groupSize) features \(features) \(missing) trees \(trees) "
            + "outcomes \(outcomes) shards of \(maximumTiles ?? 0)"
    }

    static let all: [ForestCase] = [
        .init(kind: .econml, parameters: 2, groupSize: 4, features: 10, missing: .refuse, trees: 40),
        .init(kind: .econml, parameters: 2, groupSize: 4, features: 10, missing: .route, trees: 40),
        .init(kind: .econml, parameters: 1, groupSize: 2, features: 16, missing: .refuse, trees: 30),
        .init(
            kind: .econml, parameters: 3, treatments: 2, groupSize: 4, features: 17, missing: .route, trees: 28,
            outcomes: 2),
        .init(kind: .econml, parameters: 2, treatments: 2, groupSize: 2, features: 33, missing: .refuse, trees: 20),
        .init(
            kind: .econml, parameters: 4, treatments: 3, groupSize: 2, features: 256, missing: .route, trees: 20,
            contrasts: [[1, 0, 0], [0, 1, -1], [0.5, 0.5, 2]]),
        .init(kind: .econml, parameters: 2, groupSize: 4, features: 300, missing: .route, trees: 20),
        .init(kind: .econml, parameters: 2, groupSize: 4, features: 5000, missing: .route, trees: 60, largest: 600),
        .init(kind: .econml, parameters: 2, groupSize: 4, features: 10, missing: .route, trees: 40, maximumTiles: 100),
        .init(kind: .econml, parameters: 2, groupSize: 4, features: 3, missing: .refuse, trees: 2100, largest: 12),
        .init(kind: .grf, groupSize: 2, features: 10, missing: .route, trees: 60),
        .init(kind: .grf, groupSize: 3, features: 40, missing: .route, trees: 60, maximumTiles: 90),
    ]
}

@Suite("Scoring")
struct ScorerTests {
    /// Scores in batches of `batch` rows.
    private func estimates(
        _ model: Model, _ rows: [Float], _ count: Int, batch: Int, kernel: Kernel, standardErrors: Bool = true
    ) -> [Estimate] {
        let scorer = Scorer(model: model, maxRows: batch, kernel: kernel)
        var result = [Estimate](
            repeating: Estimate(effect: .nan, standardError: .nan), count: count * model.effectCount)
        rows.withUnsafeBufferPointer { rows in
            result.withUnsafeMutableBufferPointer { result in
                for start in stride(from: 0, to: count, by: batch) {
                    scorer.score(
                        rows: rows.baseAddress! + start * model.rowStride, stride: model.rowStride,
                        count: min(batch, count - start), into: result.baseAddress! + start * model.effectCount,
                        standardErrors: standardErrors)
                }
            }
        }
        return result
    }

    private func bits(_ estimates: [Estimate]) -> [UInt64] {
        // All NaN are one: their payload is not part of the result.
        estimates.flatMap { [$0.effect, $0.standardError] }.map { $0.isNaN ? Double.nan.bitPattern : $0.bitPattern }
    }

    @Test(
        "Random forests score like a naive walker, bit for bit on every kernel and batch size",
        arguments: ForestCase.all)
    func naiveWalker(_ shape: ForestCase) throws {
        let info = shape.info
        var grower = ForestGrower(info: info, generator: .announced())
        let forests = (0..<shape.outcomes).map { _ in grower.forest(trees: shape.trees, largest: shape.largest) }
        let file = TemporaryModel()
        let model = try file.build(forests, info, contrasts: shape.contrasts, maximumTiles: shape.maximumTiles)
        if shape.maximumTiles != nil { #expect(model.shardCount > 1) }
        let count = 300
        let rows = grower.rows(count, stride: model.rowStride)
        let expected = estimates(model, rows, count, batch: 1, kernel: .scalar)

        for kernel in Kernel.available {
            for batch in [1, 2, 7, 64, 128, 300] {
                let scores = estimates(model, rows, count, batch: batch, kernel: kernel)
                #expect(bits(scores) == bits(expected), "\(kernel), batch \(batch)")
            }
            let effects = estimates(model, rows, count, batch: 300, kernel: kernel, standardErrors: false)
            let alone = expected.map { Estimate(effect: $0.effect, standardError: .nan) }
            #expect(bits(effects) == bits(alone), "\(kernel), effects alone")
        }

        let treatments = model.treatments.count
        for (outcome, forest) in forests.enumerated() {
            let naive = NaiveForest(info, forest)
            for row in 0..<count {
                let x = Array(rows[row * model.rowStride..<row * model.rowStride + info.featureCount])
                let theta = naive.exactTheta(x)
                for treatment in 0..<treatments {
                    let index = row * model.effectCount + model.effectIndex(treatment: treatment, outcome: outcome)
                    let score = expected[index]
                    let contrast =
                        shape.contrasts?[treatment]
                        ?? (0..<info.treatments).map { $0 == treatment ? 1 : 0 }
                    if let theta, shape.contrasts == nil {
                        let same = score.effect.bitPattern == theta[treatment].bitPattern
                        #expect(same, "row \(row): \(score.effect) is not \(theta[treatment])")
                    }
                    let (effect, variance) = naive.reference(x, contrast: contrast)
                    let deviation = variance.squareRoot()
                    #expect(abs(score.effect - effect) <= 1e-12 * max(1, abs(effect)), "row \(row)")
                    #expect(abs(score.standardError - deviation) <= 1e-11 * max(1, deviation), "row \(row)")
                }
            }
        }
    }
}
