import Base
import Features
import Foundation
import Scoring
import TestSupport
import Testing

/// A model file of two outcomes, written by hand-made trees: the same input must give the same bytes for ever.
@Test("The model file, byte for byte")
func modelFile() throws {
    let file = TemporaryModel()
    let info = ForestInfo(
        kind: .econml, parameters: 1, treatments: 1, groupSize: 2, featureCount: 2, missing: .refuse)
    func tree(_ shift: Double) -> RawTree {
        RawTree(
            left: [1, -1, 3, -1, -1], right: [2, -1, 4, -1, -1], feature: [0, 0, 1, 0, 0],
            threshold: [0.5 + shift, 0, -1.25, 0, 0],
            payload: [0.125 + shift, 1, -0.5, 2, 0.75, 1.5 + shift])
    }
    var metadata = ModelMetadata(
        name: "golden", version: "7", treatments: ["ad"], outcomes: ["conversion", "spend"],
        featureNames: ["clicks_7d", "since_click"])
    metadata.specification = try FeatureSpecification(
        json: Array(
            """
            {"features":[{"name":"clicks_7d","aggregate":"count","events":["click"],"window":"7d"},
            {"name":"since_click","aggregate":"recency","events":["click"]}]}
            """.utf8)
    ).canonicalJSON
    metadata.provenance = #"{"library":"by hand","rows":12}"#
    var builder = try ModelBuilder(metadata: metadata, path: file.path)
    for outcome in 0..<2 {
        var source = ArraySource((0..<4).map { tree(Double($0) / 8 + Double(outcome)) })
        try builder.addForest(info, trees: &source)
    }
    try builder.finish()
    let bytes = [UInt8](try Data(contentsOf: URL(filePath: file.path)))
    #expect(try Golden.difference(bytes, from: "forest.model") == nil)
    #expect(try Model.open(path: file.path).name == "golden")
}
