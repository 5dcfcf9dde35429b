import Evaluation
import Foundation
import Statistics
import TestSupport
import Testing

@Suite("Bootstrap")
struct BootstrapTests {
    @Test func aFunctionOfTheSeedNotOfTheThreads() throws {
        var random = SeededGenerator.announced()
        for binary in [true, false] {
            let trial = try RandomTrial(700, levels: 50, binary: binary, &random).trial()
            let one = RankedTrial(trial, threads: 1).bootstrap(Bootstrap(replicates: 37, seed: 9))
            #expect(RankedTrial(trial, threads: 2).bootstrap(Bootstrap(replicates: 37, seed: 9)) == one)
            #expect(RankedTrial(trial, threads: 7).bootstrap(Bootstrap(replicates: 37, seed: 9)) == one)
            #expect(RankedTrial(trial, threads: 2).bootstrap(Bootstrap(replicates: 37, seed: 10)) != one)
        }
    }

    /// The standard error of one trial's bootstrap is the spread of the coefficient over many trials.
    @Test func standardErrorIsTheSpreadOverTrials() throws {
        var random = SeededGenerator.announced()
        var qini: [Double] = []
        var auuc: [Double] = []
        var errors = (qini: 0.0, auuc: 0.0)
        for round in 0..<300 {
            let ranked = RankedTrial(try RandomTrial(1_500, &random).trial())
            qini.append(try #require(ranked.qiniCoefficient()))
            auuc.append(try #require(ranked.upliftAUC()))
            guard round < 20 else { continue }
            let spread = ranked.bootstrap(Bootstrap(replicates: 200, seed: UInt64(round)))
            errors.qini += try #require(spread.qini).standardError / 20
            errors.auuc += try #require(spread.upliftAUC).standardError / 20
        }
        func deviation(_ values: [Double]) -> Double {
            let mean = values.reduce(0, +) / Double(values.count)
            return (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)).squareRoot()
        }
        print("spread over trials \(deviation(qini)) \(deviation(auuc)), bootstrap \(errors)")
        // The deviation of 300 values is known to 4 %; 25 % is six of its standard errors.
        #expect(abs(errors.qini / deviation(qini) - 1) < 0.25)
        #expect(abs(errors.auuc / deviation(auuc) - 1) < 0.25)
    }

    /// A frequency weight of w draws as w rows do: the same spread, though not the same replicates.
    @Test func frequencyWeightsSpreadAsReplicatedRows() throws {
        var random = SeededGenerator.announced()
        let rows = RandomTrial(400, &random)
        let weight = (0..<400).map { $0 % 3 == 0 ? 40.0 : Double($0 % 3) }
        let repeated = rows.taking((0..<400).flatMap { [Int](repeating: $0, count: Int(weight[$0])) })
        let settings = Bootstrap(replicates: 600, seed: 3)
        let a = RankedTrial(try rows.trial(weight: weight)).bootstrap(settings, meaning: .frequency)
        let b = RankedTrial(try repeated.trial()).bootstrap(settings)
        let ratio = try #require(a.qini).standardError / (try #require(b.qini)).standardError
        #expect(abs(ratio - 1) < 0.2, "\(ratio)")
    }

    @Test func bandsHoldTheCurve() throws {
        var random = SeededGenerator.announced()
        let ranked = RankedTrial(try RandomTrial(2_000, &random).trial())
        let result = ranked.bootstrap(Bootstrap(replicates: 300, seed: 5, level: 0.999))
        let (qini, uplift) = ranked.curves()
        for (share, pair) in zip(result.grid, zip(result.qiniBand, result.upliftBand)) {
            #expect(pair.0.contains(qini.height(at: share * 2_000)), "Qini at \(share)")
            #expect(pair.1.contains(uplift.height(at: share * 2_000)), "uplift at \(share)")
        }
    }
}
