import Foundation
import Scoring
import TestSupport
import Testing

@Suite("Scorer behaviour")
struct ScorerBehaviourTests {
    private let none = Estimate(effect: .nan, standardError: .nan)

    private func model(_ file: TemporaryModel, _ info: ForestInfo, trees: Int = 24, outcomes: Int = 1) throws
        -> (Model, ForestGrower, [[RawTree]])
    {
        var grower = ForestGrower(info: info, generator: .announced())
        let forests = (0..<outcomes).map { _ in grower.forest(trees: trees, largest: 60) }
        return (try file.build(forests, info), grower, forests)
    }

    @Test("Threads give the results of one thread, in order, for any count of rows", arguments: [1, 2, 3, 5])
    func threads(_ threads: Int) throws {
        let info = ForestInfo(
            kind: .econml, parameters: 3, treatments: 2, groupSize: 4, featureCount: 12, missing: .refuse)
        let file = TemporaryModel()
        var (model, grower, _) = try model(file, info, outcomes: 2)
        let parallel = ParallelScorer(model: model, threads: threads)
        let scorer = Scorer(model: model, maxRows: 6000)
        for count in [0, 1, 1023, 1024, 1025, 5000] {
            var rows = grower.rows(max(1, count), stride: model.rowStride)
            let bad = stride(from: 7, to: count, by: 501).map { $0 }
            for row in bad { rows[row * model.rowStride + 3] = .nan }
            var one = [Estimate](repeating: none, count: count * model.effectCount + 1)
            var many = one
            #expect(scorer.score(rows: rows, stride: model.rowStride, count: count, into: &one) == bad.count)
            #expect(parallel.score(rows: rows, stride: model.rowStride, count: count, into: &many) == bad.count)
            let bits = { (estimates: [Estimate]) in
                estimates.map { [$0.effect.bitPattern, $0.standardError.bitPattern] }
            }
            #expect(bits(one) == bits(many))
            for row in 0..<count { #expect(parallel.refusedFeature(row: row) == scorer.refusedFeature(row: row)) }
        }
    }

    @Test("A model that refuses missing values gives such rows no estimate and names the feature")
    func refusals() throws {
        let info = ForestInfo(
            kind: .econml, parameters: 2, treatments: 1, groupSize: 4, featureCount: 17, missing: .refuse)
        let file = TemporaryModel()
        var (model, grower, _) = try model(file, info)
        var rows = grower.rows(5, stride: model.rowStride)
        rows[1 * model.rowStride + 16] = .nan
        rows[2 * model.rowStride + 0] = .infinity
        rows[3 * model.rowStride + 5] = -.infinity
        rows[3 * model.rowStride + 9] = .nan
        rows[4 * model.rowStride + 17] = .nan  // padding
        let scorer = Scorer(model: model, maxRows: 5)
        var estimates = [Estimate](repeating: none, count: 5)
        #expect(scorer.score(rows: rows, stride: model.rowStride, count: 5, into: &estimates) == 3)
        #expect((0..<5).map { scorer.refusedFeature(row: $0) } == [nil, 16, 0, 5, nil])
        #expect(estimates.map(\.effect.isNaN) == [false, true, true, true, false])
        #expect(estimates.map(\.standardError.isNaN) == [false, true, true, true, false])
        var covariance = [0.0]
        scorer.covariances(row: Array(rows[model.rowStride...]), into: &covariance)
        #expect(covariance[0].isNaN)
    }

    @Test("A forest without little bags has effects and no standard errors")
    func noBags() throws {
        let info = ForestInfo(
            kind: .econml, parameters: 2, treatments: 1, groupSize: 1, featureCount: 4, missing: .refuse)
        let file = TemporaryModel()
        var (model, grower, _) = try model(file, info)
        #expect(!model.hasStandardErrors)
        let rows = grower.rows(3, stride: model.rowStride)
        var estimates = [Estimate](repeating: none, count: 3)
        Scorer(model: model, maxRows: 3).score(rows: rows, stride: model.rowStride, count: 3, into: &estimates)
        #expect(!estimates.contains { $0.effect.isNaN || !$0.standardError.isNaN })
    }

    @Test("Covariances: standard errors squared on the diagonal, the variance of a sum from all four entries")
    func covariances() throws {
        let info = ForestInfo(
            kind: .econml, parameters: 3, treatments: 2, groupSize: 4, featureCount: 8, missing: .refuse)
        let file = TemporaryModel()
        var (model, grower, forests) = try model(file, info, trees: 40, outcomes: 2)
        let scorer = Scorer(model: model, maxRows: 20)
        let rows = grower.rows(20, stride: model.rowStride)
        var estimates = [Estimate](repeating: none, count: 20 * 4)
        scorer.score(rows: rows, stride: model.rowStride, count: 20, into: &estimates)
        for row in 0..<20 {
            let values = Array(rows[row * model.rowStride..<(row + 1) * model.rowStride])
            var covariance = [Double](repeating: 0, count: 2 * 2 * 2)
            scorer.covariances(row: values, into: &covariance)
            for (outcome, forest) in forests.enumerated() {
                let c = Array(covariance[outcome * 4..<outcome * 4 + 4])
                #expect(c[1].bitPattern == c[2].bitPattern)
                for arm in 0..<2 {
                    let deviation = estimates[row * 4 + model.effectIndex(treatment: arm, outcome: outcome)]
                        .standardError
                    #expect(abs(c[arm * 3] - deviation * deviation) <= 1e-13 * max(1, c[arm * 3]))
                }
                // Before the debiasing of variances, Var(a + b) = Var(a) + Var(b) + 2 Cov(a, b).
                let naive = NaiveForest(info, forest)
                let variance = { (r: [Double]) in naive.undebiasedVariance(values, contrast: r) }
                let expected = (variance([1, 1]) - variance([1, 0]) - variance([0, 1])) / 2
                #expect(abs(c[1] - expected) <= 1e-12 * max(1, abs(expected)))
            }
        }
    }

    @Test("A variance far below its noise still has a finite, positive posterior mean")
    func extremeDebiasing() {
        // φ(z)/Φ(z) + z where both vanish; values by mpmath.
        for (z, expected) in [
            (-20.0, 0.049753068527850546), (-24.9, 0.040032126647175155), (-25.1, 0.03971515339239895),
            (-30.0, 0.03325966743367704), (-40.0, 0.024968847207263722), (-300.0, 0.0033332592633741475),
        ] {
            let bags = 2.0 * 1_000_000
            let error = 1.0
            // between − noise = z · error with max(between, noise) · √(2/bags) = error.
            let noise = error * 1000  // the greater of the two
            let value = LittleBags.debiased(between: noise + z * error, noise: noise, bags: bags, kind: .econml)
            #expect(abs(value / error - expected) < 1e-9 * expected, "\(z): \(value)")
        }
    }
}
