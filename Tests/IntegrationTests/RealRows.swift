import Base
import Features
import Foundation
import ModelImport
import Scoring
import TestSupport

/// A folder that goes away with its owner.
final class ScratchDirectory {
    private let folder: TemporaryFolder
    var url: URL { folder.url }

    init() throws { folder = try TemporaryFolder("real") }

    func file(_ name: String) -> String { folder.file(name) }

    /// A model whose one tree has one leaf: for streams whose scores do not matter.
    func constantModel(features json: String? = nil) throws -> String {
        let specification = try FeatureSpecification(
            json: Array(
                (json ?? """
                    {"features":[{"name":"views_7d","aggregate":"count","events":["ad_view"],"window":"7d"},
                    {"name":"clicks_7d","aggregate":"count","events":["click"],"window":"7d"}]}
                    """).utf8))
        let metadata = ModelMetadata(
            name: "constant", version: "1", treatments: ["ad"], outcomes: ["click"],
            featureNames: specification.names, specification: specification.canonicalJSON)
        var builder = try ModelBuilder(metadata: metadata, path: file("constant.model"))
        let info = ForestInfo(
            kind: .econml, parameters: 1, treatments: 1, groupSize: 2, featureCount: specification.count,
            missing: .refuse)
        var trees = ConstantTrees()
        try builder.addForest(info, trees: &trees)
        _ = try builder.finish()
        return file("constant.model")
    }

    private struct ConstantTrees: TreeSource {
        var left = 4

        mutating func nextTree() throws(ImpactError) -> RawTree? {
            guard left > 0 else { return nil }
            left -= 1
            return RawTree(
                left: [-1], right: [-1], feature: [0], threshold: [0], payload: [0.1 + 0.01 * Double(left), 1])
        }
    }
}

/// The rows of ../shared/data/econml as messages, with EconML's own results.
struct EconMLRows {
    var messages: [RealEvents.Message] = []
    var effect: [Double]
    var lower: [Double]
    var upper: [Double]

    var specification: String {
        let features = (0..<10).map { #"{"name":"x\#($0)","aggregate":"last","field":"properties.x\#($0)"}"# }
        return #"{"features":[\#(features.joined(separator: ","))]}"#
    }

    init(_ path: String) throws {
        func array(_ name: String) throws -> [Double] {
            let array = try NumpyArrayReader(try ZipArchive(path: path), name)
            var values: [Double] = []
            try array.doubles(array.header.count, into: &values)
            try array.finish()
            return values
        }
        let x = try array("X")
        (effect, lower, upper) = try (array("effect"), array("lb95"), array("ub95"))
        for row in effect.indices {
            let values = (0..<10).map { #""x\#($0)":\#(x[row * 10 + $0])"# }
            let value =
                #"{"id":"row-\#(row)","user_id":"u-\#(row)","type":"ad_view","time":\#(1_767_225_600_000 + row),"#
                + #""properties":{\#(values.joined(separator: ","))}}"#
            messages.append(.init(key: "u-\(row)", value: value, row: row))
        }
    }
}

/// The test part of the seed-42 split: rows of hillstrom.csv, their arm and outcome.
struct TestRows {
    var rows: [Int] = []
    var treated: [UInt8] = []
    var outcome: [Double] = []

    /// - Parameter path: a CSV with the columns row, y, t, uplift.
    init(_ path: String) throws {
        for line in try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").dropFirst() {
            let cells = line.split(separator: ",")
            rows.append(Int(cells[0]) ?? -1)
            outcome.append(Double(cells[1]) ?? .nan)
            treated.append(cells[2] == "1" ? 1 : 0)
        }
    }
}

/// EconML's own effects of the committed example, by row of hillstrom.csv.
struct ExpectedEffects {
    var effects: [Int: Double] = [:]

    init(_ path: String) throws {
        for line in try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").dropFirst() {
            let cells = line.split(separator: ",")
            effects[Int(cells[0]) ?? -1] = Double(cells[1])
        }
    }
}
