import Foundation
import Propensity
import Scoring
import Terminal
import Testing

@Suite struct PredictTests {
    private func api() throws -> PredictAPI {
        let part = Composition.Linear(
            name: "buys", intercept: 0, terms: [.init(1, [0]), .init(2, [2])], link: .logistic)
        let second = Composition.Linear(name: "visits", intercept: 3, terms: [], link: .logistic)
        let composition = Composition(
            kind: Composition.response, parts: [.linear(part), .linear(second)], effects: [.part(0), .part(1)],
            preprocessing: Preprocessing(inputs: [.init(fill: 0), .init(levels: ["Mobile", "Desktop"], oneHot: true)]))
        let path = NSTemporaryDirectory() + "/predict-\(UUID().uuidString).model"
        defer { unlink(path) }
        var builder = try ModelBuilder(
            metadata: ModelMetadata(
                name: "shop", version: "7", treatments: ["none"], outcomes: ["buys", "visits"],
                featureNames: ["pages", "device"], composition: composition), path: path)
        try builder.finish()
        return try PredictAPI(try Model.open(path: path))
    }

    @Test func shapesOfTheSeed() throws {
        let api = try api()
        let one = try api.predict(Array(#"{"customer_id":12,"pages":-2,"device":"Desktop"}"#.utf8)).line
        #expect(
            one
                == #"{"customer_id":12,"purchase_prediction":1,"purchase_probability":0.5,"prediction_confidence":"medium","probabilities":{"buys":0.5,"visits":0.9525741268224334}}"#
        )
        let batch = try api.predictBatch(
            Array(#"{"customers":[{"customer_id":"a","pages":9},{"customer_id":"b","pages":-9}]}"#.utf8)
        ) { 0.25 }.line
        #expect(batch.contains(#""total_customers":2,"processing_time_seconds":0.25}"#))
        #expect(batch.contains(#""prediction_confidence":"high""#) && batch.contains(#""prediction_confidence":"low""#))
        let ads = api.ads(customer: "c", row: [0, 0]).line
        #expect(ads.contains(#""ads":["visits"]"#))
        #expect(api.health(version: "1.2").line.hasPrefix(#"{"status":"healthy","model_loaded":true,"version":"1.2""#))
    }

    /// A published score gives the same answer as the state that it was made of.
    @Test func probabilitiesOfAPublishedScore() throws {
        let api = try api()
        let found = PredictAPI.probabilities(
            api.model, name: "shop", outcome: "buys", probability: 0.8,
            effects: #"[{"outcome":"buys","uplift":0.8,"probability":0.8},{"outcome":"visits","probability":0.1}]"#)
        #expect(found == [0.8, 0.1])
        let one = PredictAPI.probabilities(api.model, name: "shop", outcome: "buys", probability: 0.8, effects: nil)
        #expect(one?[0] == 0.8 && one?[1].isNaN == true)
        #expect(
            PredictAPI.probabilities(api.model, name: "other", outcome: "buys", probability: 0.8, effects: nil) == nil)
        let line = PredictAPI.ads(
            api.model, customer: "c", [0.8, 0.1], from: .logStore(time: 5, modelVersion: "6")
        ).line
        #expect(line.contains(#""ads":["buys"],"model":"shop","model_version":"6","from":"log_store","time":5}"#))
    }

    @Test func faultsNameTheField() throws {
        let api = try api()
        func fault(_ body: String, batch: Bool = false) -> PredictAPI.Fault? {
            do {
                _ = batch ? try api.predictBatch(Array(body.utf8)) { 0 } : try api.predict(Array(body.utf8))
                return nil
            } catch { return error }
        }
        #expect(fault("{")?.status == 400)
        #expect(fault(#"{"pages":1}"#)?.field == "customer_id")
        #expect(fault(#"{"customer_id":1,"pages":"x"}"#)?.field == "pages")
        #expect(fault(#"{"customer_id":1,"device":true}"#)?.field == "device")
        #expect(fault(#"{"customer_id":1}"#)?.status == 422)
        #expect(fault(#"{"customers":[]}"#, batch: true)?.field == "customers")
        #expect(
            fault(#"{"customers":[{"customer_id":1,"pages":1},{"customer_id":2,"pages":[]}]}"#, batch: true)?.field
                == "customers[1].pages")
        let many =
            "{\"customers\":[" + [String](repeating: "{\"customer_id\":1}", count: 1_001).joined(separator: ",") + "]}"
        #expect(fault(many, batch: true)?.status == 422)
    }

    @Test func confidenceHasClosedUpperEnds() {
        #expect(
            [0, 0.3, 0.31, 0.7, 0.71, 1].map(PredictAPI.confidence) == [
                "low", "low", "medium", "medium", "high", "high",
            ])
    }
}
