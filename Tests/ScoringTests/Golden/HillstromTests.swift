import Evaluation
import Features
import Foundation
import Scoring
import Tabular
import TestSupport
import Testing

/// A model of a real trial, fitted by EconML (exporters/hillstrom_fit.py), in its model file. (The example of
/// examples/hillstrom is trained by `impactiq train`.)
@Suite struct HillstromTests {
    private static let golden = SharedMaterial.repository.appending(path: "Tests/Golden/econml-hillstrom").path

    /// The customers of hillstrom.csv: features in the specification's order, arm and visit.
    private func customers(_ path: String) throws -> (rows: [[Double]], arms: [String], visits: [Double]) {
        let table = try CSVTable(path: path)
        let column = { (name: String) in try table.index(of: name, role: "test", option: "") }
        let plain = try ["recency", "history", "mens", "womens", "newbie"].map(column)
        let (zip, channel) = try (column("zip_code"), column("channel"))
        let (segment, visit) = try (column("segment"), column("visit"))
        var result: (rows: [[Double]], arms: [String], visits: [Double]) = ([], [], [])
        while try table.advance() {
            let text = { (column: Int) in table.record.text(table.text, column) }
            result.rows.append(
                plain.map { Double(text($0)) ?? .nan }
                    + ["Rural", "Surburban", "Urban"].map { text(zip) == $0 ? 1 : 0 }
                    + ["Multichannel", "Phone", "Web"].map { text(channel) == $0 ? 1 : 0 })
            result.arms.append(text(segment))
            result.visits.append(Double(text(visit)) ?? .nan)
        }
        return result
    }

    @Test func theModelCarriesItsSpecificationAndOrigin() throws {
        let model = try Model.open(path: "\(Self.golden).model")
        let text = try Data(contentsOf: SharedMaterial.repository.appending(path: "examples/hillstrom/features.json"))
        let specification = try FeatureSpecification(json: Array(text))
        #expect(model.featureNames == specification.names && model.featureCount == 11)
        #expect(try FeatureSpecification(json: model.specificationJSON) == specification)
        #expect(model.treatments == ["womens_email"] && model.outcomes == ["visit"])
        #expect(model.provenance.contains("\"training_rows\":29885") && model.hasStandardErrors)
    }

    /// EconML's effects and standard errors for the 12,808 customers it was not fitted on, all 64,000 scored; so the
    /// Qini coefficient of the ranking is EconML's.
    @Test func effectsErrorsAndQiniAreThoseOfEconML() throws {
        guard let path = SharedMaterial.path("data/hillstrom/hillstrom.csv") else { return }
        let customers = try customers(path)
        #expect(customers.rows.count == 64_000)
        let model = try Model.open(path: "\(Self.golden).model")
        let estimates = score(model, customers.rows).map { $0[0] }
        #expect(estimates.allSatisfy { $0.effect.isFinite && $0.standardError > 0 })

        let expected = try NumberTable(path: "\(Self.golden).csv")
        let test = try #require(expected.column("row")).map { Int($0) }
        let (effect, error) = try (
            #require(expected.column("effect")), #require(expected.column("std_error"))
        )
        #expect(test.count == 12_808)
        #expect(largestDifference(test.map { estimates[$0].effect }, effect) <= 1e-12)
        #expect(largestDifference(test.map { estimates[$0].standardError }, error) <= 1e-12)

        let treated = test.map { UInt8(customers.arms[$0] == "Womens E-Mail" ? 1 : 0) }
        let visit = test.map { customers.visits[$0] }
        func qini(_ scores: [Double]) throws -> Double {
            try #require(
                RankedTrial(try Trial(score: scores, treatment: treated, outcome: visit)).qiniCoefficient())
        }
        let (own, theirs) = try (qini(test.map { estimates[$0].effect }), qini(effect))
        print("Qini on the test rows: \(own), of EconML's effects \(theirs)")
        #expect(abs(own - theirs) < 0.005 && abs(theirs - 0.0624) < 0.0005)
    }
}
