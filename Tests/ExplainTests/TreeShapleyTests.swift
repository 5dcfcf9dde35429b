import Explain
import Foundation
import Scoring
import TestSupport
import Testing

@Suite("Shapley values of trees")
struct TreeShapleyTests {
    static let features = 5

    /// A random tree; features come again on a path.
    static func tree(_ depth: Int, _ random: inout SeededGenerator) -> (tree: DecodedTree, values: [Double]) {
        var tree = DecodedTree()
        var values: [Double] = []
        func grow(_ left: Int) -> Int32 {
            if left == 0 || (left < depth && Int.random(in: 0..<6, using: &random) == 0) {
                values.append(Double.random(in: -2...2, using: &random))
                return tree.add(leaf: Int32(values.count - 1))
            }
            let node = tree.add(
                feature: Int32.random(in: 0..<Int32(features), using: &random),
                threshold: Float.random(in: -1...1, using: &random), missingLeft: Bool.random(using: &random))
            tree.left[Int(node)] = grow(left - 1)
            tree.right[Int(node)] = grow(left - 1)
            return node
        }
        _ = grow(depth)
        return (tree, values)
    }

    static func rows(_ count: Int, missing: Bool, _ random: inout SeededGenerator) -> [Float] {
        (0..<count * features).map { _ in
            missing && Int.random(in: 0..<5, using: &random) == 0 ? .nan : Float.random(in: -1.5...1.5, using: &random)
        }
    }

    /// The value of a coalition by the definition: a split on an unknown feature goes both ways.
    static func value(
        _ tree: DecodedTree, _ node: Int, _ row: UnsafePointer<Float>, _ known: Int, _ leaf: (Int) -> Double
    ) -> Double {
        guard tree.left[node] >= 0 else { return leaf(Int(tree.leaf[node])) }
        let (left, right) = (Int(tree.left[node]), Int(tree.right[node]))
        if known >> Int(tree.feature[node]) & 1 == 1 {
            return value(tree, tree.goesLeft(node, row) ? left : right, row, known, leaf)
        }
        let all = tree.cover[node]
        return tree.cover[left] / all * value(tree, left, row, known, leaf)
            + tree.cover[right] / all * value(tree, right, row, known, leaf)
    }

    /// Shapley's formula over all coalitions.
    static func bruteForce(_ game: (Int) -> Double) -> [Double] {
        let games = (0..<1 << features).map(game)
        func factorial(_ n: Int) -> Double { (1...max(1, n)).reduce(1) { $0 * Double($1) } }
        return (0..<features).map { feature in
            var sum = 0.0
            for known in 0..<1 << features where known >> feature & 1 == 0 {
                let size = known.nonzeroBitCount
                let weight = factorial(size) * factorial(features - size - 1) / factorial(features)
                sum += weight * (games[known | 1 << feature] - games[known])
            }
            return sum
        }
    }

    @Test func equalsTheDefinition() throws {
        var random = SeededGenerator.announced()
        for round in 0..<40 {
            let grown = (0..<4).map { _ in Self.tree(round % 9, &random) }
            let background = Self.rows(60, missing: true, &random)
            let trees =
                round % 2 == 0
                ? Covers.even(grown.map(\.tree))
                : Covers.counted(grown.map(\.tree), rows: background, stride: Self.features, count: 60)
            let explainer = EnsembleExplainer(
                trees, leaves: grown.map(\.values), featureCount: Self.features, offset: 0.7, scale: 0.25)
            let rows = Self.rows(11, missing: round % 3 == 0, &random)
            let answers = explainer.explain(rows: rows, stride: Self.features, count: 11)
            #expect(answers.count == 11)
            for (number, answer) in answers.enumerated() {
                rows.withUnsafeBufferPointer { rows in
                    guard let row = rows.baseAddress.map({ $0 + number * Self.features }) else { return }
                    func game(_ known: Int) -> Double {
                        0.7
                            + zip(trees, grown).reduce(0) { sum, pair in
                                sum + 0.25 * Self.value(pair.0, 0, row, known) { pair.1.values[$0] }
                            }
                    }
                    let expected = Self.bruteForce(game)
                    for feature in 0..<Self.features {
                        #expect(abs(answer.contributions[feature] - expected[feature]) < 1e-10)
                    }
                    #expect(abs(answer.base - game(0)) < 1e-10)
                    #expect(abs(answer.value - game((1 << Self.features) - 1)) < 1e-10)
                    #expect(abs(answer.base + answer.contributions.reduce(0, +) - answer.value) < 1e-10)
                }
            }
            let one = explainer.explain(rows: rows, stride: Self.features, count: 11, threads: 1)
            #expect(one == answers)
        }
    }

    /// Long chains of one feature and of many: the quadrature stays exact and finite.
    @Test func deepTrees() throws {
        var random = SeededGenerator.announced()
        let width = 40
        var tree = DecodedTree()
        var values: [Double] = []
        func chain(_ left: Int) -> Int32 {
            values.append(Double.random(in: -1...1, using: &random))
            guard left > 0 else { return tree.add(leaf: Int32(values.count - 1)) }
            let own = values.count - 1
            let node = tree.add(
                feature: Int32.random(in: 0..<Int32(width), using: &random),
                threshold: Float.random(in: -1...1, using: &random))
            tree.left[Int(node)] = tree.add(leaf: Int32(own))
            tree.right[Int(node)] = chain(left - 1)
            return node
        }
        _ = chain(60)
        let rows = (0..<8 * width).map { _ in Float.random(in: -1...1, using: &random) }
        let trees = Covers.counted([tree], rows: rows, stride: width, count: 8)
        for answer in EnsembleExplainer(trees, leaves: [values], featureCount: width)
            .explain(rows: rows, stride: width, count: 8)
        {
            #expect(abs(answer.base + answer.contributions.reduce(0, +) - answer.value) < 1e-9)
        }
    }
}
