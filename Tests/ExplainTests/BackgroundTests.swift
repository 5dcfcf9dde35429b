import Base
import Explain
import Foundation
import Scoring
import TestSupport
import Testing

@Suite("Rows that stand for the training data")
struct BackgroundTests {
    private func demo() throws -> Model {
        try Model.open(path: SharedMaterial.repository.appending(path: "examples/demo/demo.model").path)
    }

    @Test("Have each feature's shares, and are the same in every process")
    func shares() throws {
        let model = try demo()
        let background = try #require(Background.training(model))
        #expect(background.count == 512 && background.values == Background.training(model)?.values)
        for (feature, range) in try #require(model.ranges).enumerated() {
            let column = (0..<512).map { Double(background.values[$0 * background.stride + feature]) }
            let known = column.filter { !$0.isNaN }.sorted()
            #expect(abs(1 - Double(known.count) / 512 - range.missing) < 0.01)
            #expect(known.allSatisfy { range.min <= $0 && $0 <= range.max })
            if range.kind == .binary {
                #expect(abs(known.reduce(0, +) / Double(known.count) - range.mean) < 0.01)
            } else {
                let (low, high) = (range.quantiles[9], range.quantiles[11])
                #expect(low <= known[known.count / 2] && known[known.count / 2] <= high)
            }
        }
    }

    @Test("Give a base that is about the mean effect over them")
    func base() throws {
        let model = try demo()
        let background = try #require(Background.training(model))
        var rows = [Float](repeating: 0, count: background.count * model.rowStride)
        for row in 0..<background.count {
            for feature in 0..<background.stride {
                rows[row * model.rowStride + feature] = background.values[row * background.stride + feature]
            }
        }
        var estimates = [Estimate](
            repeating: Estimate(effect: 0, standardError: 0), count: background.count * model.effectCount)
        Scorer(model: model, maxRows: background.count).score(
            rows: rows, stride: model.rowStride, count: background.count, into: &estimates)
        let mean = estimates.map(\.effect).reduce(0, +) / Double(estimates.count)
        func base(_ background: Background) throws -> Double {
            let answers = try ModelExplainer(model, over: background).explain(
                rows: rows, stride: model.rowStride, count: 1)
            return try #require(answers[0])[0].base
        }
        let (own, even) = (try base(background), try base(.even))
        print("mean \(mean), base \(own), with even splits \(even)")
        // A quotient of means is not the mean of quotients, but near it, and nearer than with even splits.
        #expect(abs(own - mean) < 0.1 * abs(mean))
        #expect(abs(own - mean) < abs(even - mean))
    }
}
