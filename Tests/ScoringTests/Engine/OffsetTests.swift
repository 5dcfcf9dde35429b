import Base
import Foundation
import Scoring
import TestSupport
import Testing

/// The smooth part in front of a forest: its value, its variance, and what the file keeps of it.
@Suite struct OffsetTests {
    private struct Trees: TreeSource {
        var rest: [RawTree]
        mutating func nextTree() throws(ImpactError) -> RawTree? { rest.isEmpty ? nil : rest.removeFirst() }
    }

    private static func offset(_ random: inout SeededGenerator) -> EffectOffset {
        func number() -> Double { .random(in: -1...1, using: &random) }
        return EffectOffset(
            inputs: (0..<3).map { .init(feature: $0, mean: number(), deviation: 0.7, least: -1, greatest: 1) },
            constants: [number(), number()],
            terms: [(0, nil), (2, nil), (0, 1), (2, 2)].map {
                .init(first: $0.0, second: $0.1, coefficients: [number(), number()])
            }, deviations: (0..<20).map { _ in (0..<10).map { _ in number() / 3 } })
    }

    @Test(
        "errors are those of forest and offset together, in every kernel and in the covariances; the file keeps every bit"
    )
    func errors() throws {
        var random = SeededGenerator.announced()
        let offset = Self.offset(&random)
        let path = NSTemporaryDirectory() + "/offset-\(UUID().uuidString).model"
        defer { unlink(path) }
        let info = ForestInfo(
            kind: .econml, parameters: 2, treatments: 2, groupSize: 2, featureCount: 3, missing: .route)
        func model(_ offsets: [EffectOffset?]?) throws -> Model {
            var generator = SeededGenerator(seed: 5)
            var source = Trees(
                rest: (0..<8).map { _ in
                    func leaf() -> [Double] {
                        [
                            .random(in: -1...1, using: &generator), .random(in: -1...1, using: &generator), 1, 0.1, 0.1,
                            1,
                        ]
                    }
                    return RawTree(
                        left: [1, -1, -1], right: [2, -1, -1], feature: [0, 0, 0], threshold: [0.1, 0, 0],
                        missingLeft: [true, false, false], payload: leaf() + leaf())
                })
            var builder = try ModelBuilder(
                metadata: ModelMetadata(
                    name: "m", version: "1", treatments: ["a", "b"], outcomes: ["y"], featureNames: ["x0", "x1", "x2"],
                    offsets: offsets), path: path)
            try builder.addForest(info, trees: &source)
            _ = try builder.finish()
            return try Model.open(path: path)
        }
        let (with, without) = (try model([offset]), try model(nil))
        #expect(with.offsets == [offset], "doubles come back bit for bit")
        let csv = path + ".csv"
        defer { unlink(csv) }
        var text = "x0,x1,x2\n"
        for row in 0..<50 {
            let x = (0..<3).map { _ in Float.random(in: -2...2, using: &random) }
            text += row % 5 == 0 ? "\(x[0]),,\(x[2])\n" : "\(x[0]),\(x[1]),\(x[2])\n"
            var padded = [Float](repeating: 0, count: with.rowStride)
            for place in 0..<3 { padded[place] = x[place] }
            func estimates(_ model: Model) -> ([Estimate], [Double]) {
                let scorer = Scorer(model: model, maxRows: 1)
                var found = [Estimate](repeating: Estimate(effect: 0, standardError: 0), count: 2)
                scorer.score(rows: padded, stride: model.rowStride, count: 1, into: &found)
                var covariances = [Double](repeating: 0, count: 4)
                scorer.covariances(row: padded, into: &covariances)
                return (found, covariances)
            }
            let ((a, covariance), (b, forest)) = (estimates(with), estimates(without))
            // By the definition: φ is a term's product, the constant's 1.
            let z = (0..<3).map { (min(max(Double(x[$0]), -1), 1) - offset.inputs[$0].mean) / 0.7 }
            let phi = [z[0], z[2], z[0] * z[1], z[2] * z[2], 1]
            for first in 0..<2 {
                let value = offset.terms.enumerated().reduce(offset.constants[first]) {
                    $0 + $1.element.coefficients[first] * phi[$1.offset]
                }
                #expect(abs(a[first].effect - b[first].effect - value) < 1e-12)
                for second in 0..<2 {
                    let own = (offset.deviations ?? []).reduce(0.0) { sum, group in
                        func dot(_ effect: Int) -> Double {
                            (0..<5).reduce(0) { $0 + group[effect * 5 + $1] * phi[$1] }
                        }
                        return sum + dot(first) * dot(second)
                    }
                    #expect(abs(covariance[first * 2 + second] - forest[first * 2 + second] - own) < 1e-12)
                    guard first == second else { continue }
                    let error = (b[first].standardError * b[first].standardError + own).squareRoot()
                    #expect(abs(a[first].standardError - error) < 1e-12)
                }
            }
        }
        try text.write(toFile: csv, atomically: true, encoding: .utf8)
        #expect(try RowCheck.run(model: with, csv: csv).disagreement == nil)
    }
}
