import Base
import Foundation
import Rows
import Scoring
import Statistics
import Testing
import Training
import Trees

/// What is said of a model against what is known of the rows: coefficients, importance, refutations.
@Suite struct LearnerTests {
    /// Rows of a trial written line by line; returns its data.
    private func data(
        _ heading: String, count: Int, seed: UInt64, _ change: (inout TrainingRequest) -> Void,
        _ line: (inout RandomStream) -> String
    ) throws -> (TrainingData, String) {
        let path = try TrainerTests.folder() + "/rows.csv"
        var stream = RandomStream(seed: seed, lane: 21)
        let lines = [heading] + (0..<count).map { _ in line(&stream) }
        try lines.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
        var request = TrainingRequest(rows: path)
        request.outcomes = ["y"]
        change(&request)
        return (try TrainingData(try TrainingPlan.make(request), path: path), path)
    }

    private func fitter(_ data: TrainingData) throws -> LearnerFitter {
        let nuisances = try NuisanceFitter(data, data.matrix, seed: 1, threads: 2, model: .best).fit()
        return LearnerFitter(data, data.matrix, nuisances, outcome: 0, seed: 1, threads: 2)
    }

    @Test("linear DML: coefficients per unit, texts against the most frequent one, the average of weighted people")
    func linear() throws {
        let (data, _) = try data("y,x,device,w,t", count: 6_000, seed: 4, { ($0.propensity, $0.weight) = ("0.5", "w") })
        {
            stream in
            let x = 100 * stream.normal()
            let device = ["phone", "phone", "desk", "tv"][stream.below(4)]
            let (t, w) = (stream.below(2), x > 0 ? 3 : 1)
            let effect = 1 + 0.01 * x + (device == "tv" ? 2 : 0)
            return "\(Double(t) * effect + 0.5 * stream.normal()),\(x),\(device),\(w),\(t)"
        }
        let rows = (0..<UInt32(data.count)).map { $0 }
        let fitted = try fitter(data).fit(.linear, rows: rows)
        let found = Dictionary(uniqueKeysWithValues: fitted.coefficients[0].map { ($0.name, $0) })
        #expect(Set(found.keys) == ["x", "device=desk", "device=tv", "average"])
        #expect(found["device=tv"]?.base == "device=phone")
        for (name, truth) in [("x", 0.01), ("device=desk", 0), ("device=tv", 2)] {
            let own = try #require(found[name])
            #expect(abs(own.estimate - truth) < 4 * own.standardError, "\(name): \(own)")
        }
        var (sum, total) = (0.0, 0.0)
        for (row, effect) in fitted.effects(rows: rows)[0].enumerated() {
            sum += Double(data.weight(row)) * Double(effect)
            total += Double(data.weight(row))
        }
        let average = try #require(found["average"])
        #expect(abs(average.estimate - sum / total) < 1e-3 && average.standardError < 0.1)
    }

    @Test("importance counts what an offset explains")
    func importance() throws {
        // The effect rises with x, steeply; z makes a small step.
        let (data, path) = try data("y,x,z,t", count: 3_000, seed: 7, { $0.propensity = "0.5" }) { stream in
            let (x, z, t) = (stream.normal(), stream.normal(), stream.below(2))
            return "\(Double(t) * (1 + 2 * x + (z > 0 ? 0.5 : 0)) + 0.3 * stream.normal()),\(x),\(z),\(t)"
        }
        let result = try CausalTrainer(data, TrainerTests.settings()).run(
            to: path + ".model", progress: { _ in }, provenance: { _ in "{}" })
        #expect(result.outcomes.first?.offset != OffsetShape.none)
        let model = try Model.open(path: path + ".model")
        let importance = model.importance
        #expect(
            importance[0] > 0.8 && abs(importance.reduce(0, +) - 1) < 1e-6, "\(importance), \(model.splitImportance)")
    }

    @Test("the random column of a refutation is given to the nuisances too; a number has a placebo")
    func refutations() throws {
        let (data, path) = try data(
            "y,x,dose", count: 1_500, seed: 8, { ($0.isContinuous, $0.treatment) = (true, "dose") }
        ) { stream in
            let (x, dose) = (stream.normal(), stream.normal())
            return "\(x + dose * (1 + x) + 0.5 * stream.normal()),\(x),\(dose + 0.5 * x)"
        }
        let trainer = CausalTrainer(data, TrainerTests.settings())
        let result = try trainer.run(to: path + ".model", progress: { _ in }, provenance: { _ in "{}" })
        let found = try trainer.refute(result)
        #expect(
            found.map(\.name) == ["placebo treatment", "random column"] && found.allSatisfy { $0.holds }, "\(found)")
        #expect(found[1].average != result.outcomes[0].averages[0].estimate)
    }
}
