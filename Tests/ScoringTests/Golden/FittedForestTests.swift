import Foundation
import ModelImport
import Scoring
import TestSupport
import Testing

/// Small forests fitted by EconML 0.17 (exporters/make_test_models.py), and EconML's own effects and standard errors.
@Suite struct FittedForestTests {
    @Test(arguments: [
        ("econml-two-arms", ["mail", "ad"], ["Y0"]),
        ("econml-two-outcomes-no-intercept", ["1"], ["visit", "spend"]),
        ("econml-two-arms-two-outcomes", ["1", "2"], ["Y0", "Y1"]),
        ("econml-weights-min-var", ["1"], ["Y0"]),
        ("econml-continuous", ["price", "discount"], ["Y0"]),
        ("econml-no-inference", ["T0"], ["Y0"]),
    ])
    func effectsAndErrorsAreThoseOfEconML(_ name: String, _ treatments: [String], _ outcomes: [String]) throws {
        let scratch = try TemporaryFolder()
        let model = try importModel(.econml, resourcePath("\(name).npz"), into: scratch)
        #expect(model.treatments == treatments && model.outcomes == outcomes)
        #expect(model.featureNames == ["x0", "x1", "x2", "x3", "x4"])
        #expect(model.provenance.contains("\"econml_version\":\"0.17.0\""))
        let expected = try NumberTable.resource("\(name).expected.csv")
        #expect(expected.rows.count == 36)
        for kernel in Kernel.available {
            let estimates = score(model, expected.rows, kernel: kernel)
            for (t, treatment) in treatments.enumerated() {
                for (o, outcome) in outcomes.enumerated() {
                    let own = estimates.map { $0[model.effectIndex(treatment: t, outcome: o)] }
                    let effect = try #require(expected.column("effect:\(outcome):\(treatment)"))
                    #expect(largestDifference(own.map(\.effect), effect) <= 1e-12, "\(kernel) \(outcome) \(treatment)")
                    if let error = expected.column("std_error:\(outcome):\(treatment)") {
                        let difference = largestDifference(own.map(\.standardError), error)
                        #expect(difference <= 1e-12, "\(kernel) \(outcome) \(treatment): \(difference)")
                    } else {
                        #expect(name == "econml-no-inference" && own.allSatisfy { $0.standardError.isNaN })
                    }
                }
            }
        }
    }
}
