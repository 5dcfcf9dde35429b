import Base
import Foundation
import Scoring
import Statistics
import TestSupport
import Testing
import Training
import Trees

@Suite struct GrowerTests {
    /// Rows with a step in the effect of the first feature; every tenth value of the second is missing.
    struct Sample {
        var columns: [[Float]]
        var treatment: [Float]
        var outcome: [Float]
        var effect: [Float]

        init(_ count: Int, features: Int, seed: UInt64, missing: Bool = false) {
            var stream = RandomStream(seed: seed, lane: 7)
            columns = (0..<features).map { feature in
                (0..<count).map { row in
                    let value = Float(stream.normal())
                    return missing && feature == 1 && row % 10 == 0 ? .nan : value
                }
            }
            treatment = (0..<count).map { _ in stream.happens(0.5) ? 0.5 : -0.5 }
            let first = columns[0]
            effect = (0..<count).map { first[$0] > 0 ? 1 : 0 }
            let (treatment, effect) = (treatment, effect)
            outcome = (0..<count).map { treatment[$0] * effect[$0] + Float(stream.normal()) * 0.5 }
        }

        var matrix: BinnedMatrix { BinnedMatrix(columns: columns) }
        var problem: ForestProblem { ForestProblem(rows: matrix, treatment: treatment, outcome: outcome) }
    }

    static func settings(_ trees: Int, seed: UInt64 = 3) -> GrowerSettings {
        var settings = GrowerSettings()
        settings.trees = trees
        settings.seed = seed
        settings.splitLeaf = 5
        settings.estimateLeaf = 5
        return settings
    }

    static func trees(_ problem: ForestProblem, _ settings: GrowerSettings) throws -> [RawTree] {
        let grower = ForestGrower(problem, settings)
        var trees: [RawTree] = []
        while let tree = try grower.next() { trees.append(tree.raw(problem.rows)) }
        return trees
    }

    static func same(_ a: [RawTree], _ b: [RawTree]) -> Bool {
        a.count == b.count
            && zip(a, b).allSatisfy { x, y in
                x.left == y.left && x.right == y.right && x.feature == y.feature && x.missingLeft == y.missingLeft
                    && x.threshold.map(\.bitPattern) == y.threshold.map(\.bitPattern)
                    && x.payload.map(\.bitPattern) == y.payload.map(\.bitPattern)
            }
    }

    @Test("every kernel and any number of threads give the same bits", arguments: [3, 10, 16, 23])
    func sameBits(features: Int) throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("sameBits: seed \(seed)")
        let problem = Sample(3_000, features: features, seed: seed, missing: true).problem
        var settings = Self.settings(8)
        settings.threads = 1
        settings.kernel = .scalar
        let expected = try Self.trees(problem, settings)
        #expect(expected.allSatisfy { $0.left.count > 50 })
        for kernel in TrainingKernel.available {
            for threads in [1, 3] {
                settings.kernel = kernel
                settings.threads = threads
                #expect(Self.same(expected, try Self.trees(problem, settings)), "\(kernel), \(threads) threads")
            }
        }
        settings.seed = 4
        #expect(!Self.same(expected, try Self.trees(problem, settings)))
    }

    @Test("a tree in values sends every row, also with missing values, where the tree in bins does")
    func thresholds() throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("thresholds: seed \(seed)")
        let sample = Sample(2_000, features: 5, seed: seed, missing: true)
        let problem = sample.problem
        var settings = Self.settings(2)
        settings.threads = 1
        let grower = ForestGrower(problem, settings)
        while let tree = try grower.next() {
            let raw = tree.raw(problem.rows)
            let leaves = grower.leaves(of: tree)
            var numbers = [Int32](repeating: -1, count: raw.left.count)
            var next: Int32 = 0
            for node in raw.left.indices where raw.left[node] < 0 {
                numbers[node] = next
                next += 1
            }
            for row in 0..<2_000 {
                var node = 0
                while raw.left[node] >= 0 {
                    let x = Double(sample.columns[Int(raw.feature[node])][row])
                    let left = x.isNaN ? raw.missingLeft[node] : x <= raw.threshold[node]
                    node = Int(left ? raw.left[node] : raw.right[node])
                }
                #expect(numbers[node] == leaves[row])
            }
        }
    }

    @Test("out-of-bag effects find a step, and nothing where there is nothing")
    func findsStep() throws {
        let sample = Sample(4_000, features: 5, seed: 11)
        let grower = ForestGrower(sample.problem, Self.settings(200))
        try grower.finish()
        let effects = try #require(grower.outOfBag?.effects()[0])
        let error = zip(effects, sample.effect).map { Double($0 - $1) }.reduce(0) { $0 + $1 * $1 } / 4_000
        #expect(error.squareRoot() < 0.2, "RMSE \(error.squareRoot())")
    }

    @Test("rows of one cluster are out of the same bags")
    func clusters() throws {
        let sample = Sample(1_000, features: 3, seed: 5)
        let clusters = (0..<1_000).map { UInt32($0 % 40) }
        let problem = ForestProblem(
            rows: sample.matrix, treatment: sample.treatment, outcome: sample.outcome, clusters: clusters)
        let grower = ForestGrower(problem, Self.settings(2))
        try grower.finish()
        let bag = try #require(grower.outOfBag)
        for row in 40..<1_000 { #expect(bag.isOut(row) == bag.isOut(row % 40)) }
        #expect((0..<40).count { bag.isOut($0) } == 20)
    }

    @Test("weights of 2 count as two rows do in a leaf's moments")
    func weights() throws {
        let sample = Sample(500, features: 2, seed: 9)
        var settings = Self.settings(2)
        settings.splitLeaf = 10_000  // one leaf: the whole estimation half
        let plain = try Self.trees(sample.problem, settings)
        let doubled = try Self.trees(
            ForestProblem(
                rows: sample.matrix, treatment: sample.treatment, outcome: sample.outcome,
                weights: [Float](repeating: 2, count: 500)), settings)
        for (a, b) in zip(plain, doubled) {
            for (x, y) in zip(a.payload, b.payload) { #expect(abs(2 * x - y) < 1e-9) }
        }
    }

    @Test("several treatments: each effect is found")
    func severalTreatments() throws {
        let count = 4_000
        var stream = RandomStream(seed: 2, lane: 1)
        let x = (0..<count).map { _ in Float(stream.normal()) }
        let other = (0..<count).map { _ in Float(stream.normal()) }
        let arm = (0..<count).map { _ in stream.below(3) }
        let problem = ForestProblem(rows: BinnedMatrix(columns: [x, other]), treatments: 2) { values in
            for row in 0..<count {
                let (a, b) = (Float(arm[row] == 1 ? 1 : 0) - 1.0 / 3, Float(arm[row] == 2 ? 1 : 0) - 1.0 / 3)
                values[row * 3] = a
                values[row * 3 + 1] = b
                values[row * 3 + 2] = a * (x[row] > 0 ? 1 : 0) - b + 0.5 * Float(stream.normal())
            }
        }
        let grower = ForestGrower(problem, Self.settings(100))
        try grower.finish()
        let effects = try #require(grower.outOfBag?.effects())
        func mean(_ effect: Int, _ isIn: (Int) -> Bool) -> Float {
            let rows = (0..<count).filter(isIn)
            return rows.reduce(0) { $0 + effects[effect][$1] } / Float(rows.count)
        }
        #expect(abs(mean(0) { x[$0] > 0.3 } - 1) < 0.15 && abs(mean(0) { x[$0] < -0.3 }) < 0.15)
        #expect(abs(mean(1) { _ in true } + 1) < 0.1)
    }

    @Test("monotone: leaves on either side of a split keep the sign, and the effect rises")
    func monotone() throws {
        let sample = Sample(3_000, features: 3, seed: 21)
        var settings = Self.settings(40)
        settings.monotone = [-1, 0, 0]
        // The effect rises with the first feature, so a falling bound forbids every split on it.
        let trees = try Self.trees(sample.problem, settings)
        let onFirst = trees.reduce(0) { sum, tree in
            sum + tree.left.indices.count { tree.left[$0] >= 0 && tree.feature[$0] == 0 }
        }
        settings.monotone = [1, 0, 0]
        let free = try Self.trees(sample.problem, settings)
        let allowed = free.reduce(0) { sum, tree in
            sum + tree.left.indices.count { tree.left[$0] >= 0 && tree.feature[$0] == 0 }
        }
        #expect(allowed > onFirst)
        #expect(trees.allSatisfy { $0.left[0] < 0 || $0.feature[0] != 0 }, "no root splits the wrong way")
    }
}
