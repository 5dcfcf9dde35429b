import Base
import Engine
import Events
import Features
import Foundation
import Pipeline
import Scoring
import Terminal

/// Models of a stated size over the features of another one, in the temporary folder: benchmarks want forests of exact
/// shapes, and one that costs nothing to tell what the others cost.
final class BenchmarkModel {
    let path: String
    let name: String

    /// A forest of balanced trees whose splits are at values that rows of the simulated trial have.
    ///
    /// - Parameters:
    ///   - trees: a multiple of 4, the little bags' size.
    ///   - leaves: a power of two, in each tree; 1 makes a forest that costs nothing.
    convenience init(like model: Model, trees: Int, leaves: Int) throws {
        try self.init(specification: model.specificationJSON, trees: trees, leaves: leaves)
    }

    /// - Parameter specification: of the features, as JSON.
    init(specification: [UInt8], trees: Int, leaves: Int) throws {
        let features = try FeatureSpecification(json: specification)
        let plan = try FeaturePlan(features)
        name = "\(trees) trees × \(leaves) leaves"
        path =
            FileManager.default.temporaryDirectory
            .appending(path: "impactiq-bench-\(UInt32.random(in: 0 ... .max)).model").path
        let info = ForestInfo(
            kind: .econml, parameters: 2, treatments: 1, groupSize: 4, featureCount: plan.count,
            missing: .refuse)
        var builder = try ModelBuilder(
            metadata: ModelMetadata(
                name: "bench", version: "1", treatments: ["ad"], outcomes: ["conversion"],
                featureNames: features.names, specification: specification), path: path)
        var source = BalancedTrees(
            left: trees, leaves: leaves, rows: try Self.rows(plan), featureCount: plan.count)
        try builder.addForest(info, trees: &source)
        try builder.finish()
    }

    /// `impactiq-bench model`: the forest of the other benchmarks as a file.
    static func run(_ words: [String]) throws {
        let help = CommandSpecification(
            "model", "The benchmarks' forest (100 trees × 64 leaves) as a model file, for scripts/bench-cpu.py",
            options: [
                .value("model", "FILE", "Where the features come from", default: "Tests/Golden/econml-demo.model"),
                .value("features", "FILE", "A feature specification instead"),
                .value("out", "FILE", "Where to write it", required: true),
            ], examples: [.init("model --out /tmp/forest.model", "over the features of the demo")])
        guard let command = try Benchmark.parse(help, words) else { return }
        let specification =
            if let features = command.text("features") {
                try [UInt8](Data(contentsOf: URL(fileURLWithPath: features)))
            } else {
                try Model.open(path: command.text("model") ?? "").specificationJSON
            }
        let model = try BenchmarkModel(specification: specification, trees: 100, leaves: 64)
        try FileManager.default.copyItem(atPath: model.path, toPath: command.text("out") ?? "")
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Feature rows of the simulated trial.
    private static func rows(_ plan: FeaturePlan) throws -> [[Float]] {
        let messages = try SyntheticMessages(events: 20_000, users: 1_000)
        let parsed = EventBatch(schema: plan.schema, capacity: messages.count)
        for i in 0..<messages.count {
            try parsed.append(messages.value(i), key: messages.key(i), source: SourcePosition(offset: Int64(i)))
        }
        let state = PartitionState(plan: plan)
        var rows: [[Float]] = []
        state.apply(parsed) { _, applied in
            guard case .applied(let slot) = applied else { return }
            var row = [Float](repeating: 0, count: plan.count)
            row.withUnsafeMutableBufferPointer { state.features(slot, into: $0.baseAddress!) }
            rows.append(row)
        }
        return rows
    }
}

/// Balanced trees in heap order: the children of node n are 2n + 1 and 2n + 2.
private struct BalancedTrees: TreeSource {
    var left: Int
    let leaves: Int
    let rows: [[Float]]
    let featureCount: Int
    private var random = Random()

    init(left: Int, leaves: Int, rows: [[Float]], featureCount: Int) {
        self.left = left
        self.leaves = leaves
        self.rows = rows
        self.featureCount = featureCount
    }

    mutating func nextTree() throws(ImpactError) -> RawTree? {
        guard left > 0 else { return nil }
        left -= 1
        let splits = leaves - 1
        let nodes = splits + leaves
        var tree = RawTree(
            left: .init(repeating: -1, count: nodes), right: .init(repeating: -1, count: nodes),
            feature: .init(repeating: 0, count: nodes), threshold: .init(repeating: 0, count: nodes), payload: [])
        for node in 0..<splits {
            tree.left[node] = Int32(2 * node + 1)
            tree.right[node] = Int32(2 * node + 2)
            let feature = random.below(featureCount)
            tree.feature[node] = Int32(feature)
            tree.threshold[node] = Double(rows[random.below(rows.count)][feature])
        }
        for _ in 0..<leaves {
            let moment = Double(random.below(1_000)) / 2_000
            tree.payload += [moment * 0.02, 0.1, 0.25, 0.01, 0.01, 1]
        }
        return tree
    }

    /// Knuth's linear congruential numbers: any will do, the same in every run.
    private struct Random {
        var state: UInt64 = 42
        mutating func below(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
    }
}
