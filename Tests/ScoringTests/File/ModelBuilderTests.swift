import Base
import Foundation
import Scoring
import TestSupport
import Testing

@Suite("Model builder")
struct ModelBuilderTests {
    private static let econml = ForestInfo(
        kind: .econml, parameters: 1, treatments: 1, groupSize: 1, featureCount: 2, missing: .refuse)
    private static let grf = ForestInfo(
        kind: .grf, parameters: 1, treatments: 1, groupSize: 1, featureCount: 2, missing: .route)

    /// Two splits, three leaves: 0 → (1, 2), 2 → (3, 4).
    private static let tree = RawTree(
        left: [1, -1, 3, -1, -1], right: [2, -1, 4, -1, -1], feature: [0, 0, 1, 0, 0], threshold: [0.5, 0, 0.25, 0, 0],
        payload: [1, 2, 3, 4, 5, 6])

    private func build(_ trees: [RawTree], _ info: ForestInfo = econml) throws {
        _ = try TemporaryModel().build([trees], info)
    }

    @Test("Every fault of a tree is refused with the tree and node named")
    func faults() throws {
        try build([Self.tree])
        let faults: [(String, (inout RawTree) -> Void)] = [
            ("tree 1, node 2 ", { $0.left[2] = 0 }),
            ("tree 1, node 2 ", { $0.left[2] = 2 }),
            ("tree 1, node 2 ", { $0.right[2] = 1 }),
            ("tree 1, node 2 ", { $0.right[2] = 3 }),
            ("tree 1, node 2 ", { $0.right[2] = 5 }),
            ("tree 1, node 2 ", { $0.left[2] = -2 }),
            ("tree 1, node 2 ", { $0.left[2] = -1 }),
            ("tree 1, node 2 ", { $0.feature[2] = 2 }),
            ("tree 1, node 2 ", { $0.feature[2] = -1 }),
            ("tree 1, node 2 ", { $0.threshold[2] = .nan }),
            ("tree 1, node 3 ", { $0.payload[3] = .infinity }),
            ("tree 1, node 3 ", { $0.payload[3] = .nan }),
            ("tree 1, node 3 ", { $0.payload[2...3] = [.nan, .nan] }),
            ("tree 1 ", { $0.payload.removeLast() }),
            ("tree 1 ", { $0.payload.append(1) }),
            ("tree 1 ", { $0.root = 5 }),
            ("tree 1 ", { $0.root = -1 }),
            ("tree 1 ", { $0.right.removeLast() }),
            ("tree 1 ", { $0.feature.removeLast() }),
            ("tree 1 ", { $0.threshold.append(0) }),
            ("tree 1 ", { $0.missingLeft = [true] }),
            ("tree 1 ", { $0 = RawTree(left: [], right: [], feature: [], threshold: [], payload: []) }),
        ]
        for (index, (place, damage)) in faults.enumerated() {
            var tree = Self.tree
            damage(&tree)
            let error = #expect(throws: ImpactError.self) { try build([Self.tree, tree]) }
            #expect(error?.code == "invalid_forest", "fault \(index)")
            #expect(error?.message.hasPrefix(place) ?? false, "fault \(index): \(error?.message ?? "")")
        }
    }

    @Test("grf may have empty leaves and thresholds that are not numbers, but no half-empty leaf")
    func emptyLeaves() throws {
        var tree = Self.tree
        tree.payload = [Double](repeating: .nan, count: 7) + (0..<14).map(Double.init)
        tree.threshold[0] = .nan
        try build([tree], Self.grf)
        tree.payload[0] = 1
        #expect(throws: ImpactError.self) { try build([tree], Self.grf) }
    }

    @Test("Trees must fill their little bags, forests their outcomes, names their numbers")
    func counts() throws {
        var bags = Self.econml
        bags.groupSize = 2
        try build([Self.tree, Self.tree], bags)
        #expect(throws: ImpactError.self) { try build([Self.tree], bags) }
        #expect(throws: ImpactError.self) { try build([], bags) }
        for change: (inout ModelMetadata) -> Void in [
            { $0.name = "" }, { $0.treatments = [] }, { $0.treatments = ["a", "b"] }, { $0.outcomes = ["y", "y"] },
            { $0.outcomes = ["y", "z"] }, { $0.featureNames = ["x"] }, { $0.featureNames = ["x", "x"] },
            { $0.importances = [1] }, { $0.contrasts = [[1, 2]] }, { $0.provenance = "[1" },
        ] {
            let file = TemporaryModel()
            #expect(throws: ImpactError.self) {
                var metadata = ModelMetadata(
                    name: "m", version: "1", treatments: ["t"], outcomes: ["y"], featureNames: ["a", "b"])
                change(&metadata)
                var builder = try ModelBuilder(metadata: metadata, path: file.path)
                var source = ArraySource([Self.tree])
                try builder.addForest(Self.econml, trees: &source)
                try builder.finish()
            }
            #expect(!FileManager.default.fileExists(atPath: file.path), "nothing is left behind")
        }
    }

    @Test("A threshold in double precision decides like its float32 in the tile, next to it and at the extremes")
    func thresholds() throws {
        var generator = SeededGenerator.announced()
        var thresholds: [Double] = [
            .infinity, -.infinity, 0, -0.0, .leastNonzeroMagnitude, -.leastNonzeroMagnitude, .greatestFiniteMagnitude,
            -.greatestFiniteMagnitude, Double(Float.greatestFiniteMagnitude).nextUp,
            Double(Float.leastNonzeroMagnitude) / 2, -Double(Float.leastNonzeroMagnitude) / 2,
        ]
        for _ in 0..<300 {
            let bits = UInt32.random(in: 0...UInt32.max, using: &generator)
            let near = Double(Float(bitPattern: bits))
            if !near.isNaN { thresholds += [near, near.nextUp, near.nextDown] }
        }
        var info = Self.econml
        info.missing = .route
        for threshold in thresholds {
            // One split; the leaf tells the side.
            let stump = RawTree(
                left: [1, -1, -1], right: [2, -1, -1], feature: [0, 0, 0], threshold: [threshold, 0, 0],
                payload: [-1, 1, 1, 1])
            let file = TemporaryModel()
            let model = try file.build([[stump]], info)
            let scorer = Scorer(model: model, maxRows: 1, kernel: .scalar)
            let nearest = Float(threshold)
            for x in [nearest, nearest.nextUp, nearest.nextDown, 0, -0.0, .infinity, -.infinity] {
                var row = [Float](repeating: 0, count: 16)
                row[0] = x
                var estimate = [Estimate(effect: 0, standardError: 0)]
                scorer.score(rows: row, stride: 16, count: 1, into: &estimate)
                #expect(estimate[0].effect == (Double(x) <= threshold ? -1 : 1), "\(x) <= \(threshold)")
            }
        }
    }
}
