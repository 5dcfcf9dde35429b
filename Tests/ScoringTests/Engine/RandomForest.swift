import Base
import Foundation
import Scoring
import TestSupport

/// Grows random trees of awkward shapes for the property tests.
struct ForestGrower {
    var generator: SeededGenerator
    let info: ForestInfo
    /// Few thresholds, so that they repeat and that rows hit them exactly.
    let thresholds: [Double]

    init(info: ForestInfo, generator: SeededGenerator) {
        self.info = info
        var generator = generator
        var pool: [Double] = [
            0, -0.0, .infinity, -.infinity, Double(Float.leastNonzeroMagnitude),
            Double.leastNonzeroMagnitude, -Double.leastNonzeroMagnitude, 1e300, -1e300,
            Double(Float.greatestFiniteMagnitude), 0.1, -0.1, 1 / 3,
        ]
        for _ in 0..<20 { pool.append(Double.random(in: -2...2, using: &generator)) }
        thresholds = pool
        self.generator = generator
    }

    mutating func forest(trees: Int, largest: Int = 200) -> [RawTree] {
        (0..<trees).map { index in
            switch index % 7 {
            case 0: tree(splits: 0)
            case 1: tree(splits: 1)
            case 2: chain(depth: 60)
            default: tree(splits: Int.random(in: 2...max(2, largest), using: &generator))
            }
        }
    }

    /// Splits random leaves until there are `splits`.
    mutating func tree(splits: Int) -> RawTree {
        var children: [(Int32, Int32)] = [(-1, -1)]
        var leaves = [0]
        for _ in 0..<splits {
            let place = Int.random(in: 0..<leaves.count, using: &generator)
            let node = leaves.remove(at: place)
            children[node] = (Int32(children.count), Int32(children.count + 1))
            leaves += [children.count, children.count + 1]
            children += [(-1, -1), (-1, -1)]
        }
        return finish(children)
    }

    mutating func chain(depth: Int) -> RawTree {
        var children: [(Int32, Int32)] = [(-1, -1)]
        var node = 0
        for _ in 0..<depth {
            children[node] = (Int32(children.count), Int32(children.count + 1))
            node = children.count + (Bool.random(using: &generator) ? 1 : 0)
            children += [(-1, -1), (-1, -1)]
        }
        return finish(children)
    }

    /// Numbers the nodes at random and gives them splits and leaves.
    private mutating func finish(_ children: [(Int32, Int32)]) -> RawTree {
        let count = children.count
        let order = (0..<count).shuffled(using: &generator)
        var tree = RawTree(
            root: Int32(order[0]), left: .init(repeating: -1, count: count), right: .init(repeating: -1, count: count),
            feature: .init(repeating: 0, count: count), threshold: .init(repeating: 0, count: count),
            missingLeft: .init(repeating: false, count: count), payload: [])
        for (node, (left, right)) in children.enumerated() where left >= 0 {
            tree.left[order[node]] = Int32(order[Int(left)])
            tree.right[order[node]] = Int32(order[Int(right)])
            tree.feature[order[node]] = Int32.random(in: 0..<Int32(info.featureCount), using: &generator)
            tree.threshold[order[node]] = thresholds.randomElement(using: &generator) ?? 0
            if info.missing == .route {
                tree.missingLeft[order[node]] = Bool.random(using: &generator)
                if Int.random(in: 0..<20, using: &generator) == 0 { tree.threshold[order[node]] = .nan }
            }
        }
        for node in 0..<count where tree.left[node] < 0 { tree.payload += leaf() }
        return tree
    }

    /// A leaf's averages, such as data could give them: w·T·Tᵀ symmetric and well away from singular.
    private mutating func leaf() -> [Double] {
        func uniform(_ range: ClosedRange<Double>) -> Double { Double.random(in: range, using: &generator) }
        switch info.kind {
        case .additive: return [uniform(-1...1)]
        case .grf:
            if Int.random(in: 0..<25, using: &generator) == 0 { return .init(repeating: .nan, count: 7) }
            let w = uniform(-0.3...0.3)
            let ww = uniform(0.5...1)
            return [uniform(-1...1), w, w, uniform(-1...1), ww, ww, 1]
        case .econml:
            let p = info.parameters
            var jacobian = [Double](repeating: 0, count: p * p)
            for i in 0..<p {
                for j in 0...i {
                    let value = i == j ? (i == p - 1 && p > 1 ? 1 : uniform(0.5...1)) : uniform(-0.2...0.2)
                    jacobian[i * p + j] = value
                    jacobian[j * p + i] = value
                }
            }
            return (0..<p).map { _ in uniform(-1...1) } + jacobian
        }
    }

    /// Rows that hit thresholds exactly, lie next to them, and hold every strange number that the model takes.
    mutating func rows(_ count: Int, stride: Int) -> [Float] {
        var pool = thresholds.flatMap { [Float($0), Float($0).nextDown, Float($0).nextUp] }
        pool += [0, -0.0, .leastNonzeroMagnitude, -.leastNonzeroMagnitude, .greatestFiniteMagnitude, 1, -1]
        pool += [.infinity, -.infinity]
        if info.missing == .refuse { pool = pool.filter(\.isFinite) } else { pool += [.nan, .nan, .nan, -.nan] }
        var rows = [Float](repeating: .nan, count: count * stride)
        for row in 0..<count {
            for feature in 0..<info.featureCount {
                rows[row * stride + feature] =
                    Bool.random(using: &generator)
                    ? pool.randomElement(using: &generator) ?? 0 : Float.random(in: -2...2, using: &generator)
            }
        }
        return rows
    }
}

/// Trees that are all in memory.
struct ArraySource: TreeSource {
    var trees: ArraySlice<RawTree>

    init(_ trees: [RawTree]) { self.trees = trees[...] }

    mutating func nextTree() throws(ImpactError) -> RawTree? { trees.popFirst() }
}

/// A path for a test's model, and what removes the file.
final class TemporaryModel {
    let path = FileManager.default.temporaryDirectory.appending(path: "impactiq-\(UUID().uuidString).model").path

    /// Builds a model of one forest an outcome.
    func build(
        _ forests: [[RawTree]], _ info: ForestInfo, contrasts: [[Double]]? = nil, maximumTiles: Int? = nil
    ) throws -> Model {
        let metadata = ModelMetadata(
            name: "test", version: "1",
            treatments: (0..<(contrasts?.count ?? info.treatments)).map { "arm\($0)" },
            outcomes: forests.indices.map { "outcome\($0)" },
            featureNames: (0..<info.featureCount).map { "x\($0)" }, contrasts: contrasts)
        var builder = try ModelBuilder(metadata: metadata, path: path, maximumTiles: maximumTiles)
        for forest in forests {
            var source = ArraySource(forest)
            try builder.addForest(info, trees: &source)
        }
        let digest = try builder.finish()
        let model = try Model.open(path: path)
        precondition(model.sha256 == digest)
        return model
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
