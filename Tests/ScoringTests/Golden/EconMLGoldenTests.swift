import Foundation
import ModelImport
import Scoring
import TestSupport
import Testing

/// The EconML forest of ../shared/data/econml (0.17, 200 trees, 59,762 nodes) and EconML's own results for 2,000 rows.
@Suite struct EconMLGoldenTests {
    private static let file = "data/econml/cf_binary_5000x10_200trees.npz"
    private static let features = (0..<10).map { "x\($0)" }

    private func array(_ name: String, of path: String) throws -> [Double] {
        let array = try NumpyArrayReader(try ZipArchive(path: path), name)
        var values: [Double] = []
        try array.doubles(array.header.count, into: &values)
        try array.finish()
        return values
    }

    /// The node at which a row ends, by EconML's own comparison: double features against double thresholds.
    private func leaf(_ tree: RawTree, _ row: [Double]) -> Int {
        var node = Int(tree.root)
        while tree.left[node] != -1 {
            node = Int(row[Int(tree.feature[node])] <= tree.threshold[node] ? tree.left[node] : tree.right[node])
        }
        return node
    }

    /// The stored results are of double features; ours are float32. A row whose leaf changes in no tree when its
    /// features are rounded must get EconML's numbers; the others (there are none in this file) are counted.
    @Test func effectsAndIntervalsAreThoseOfEconML() throws {
        guard let path = SharedMaterial.path(Self.file) else { return }
        let scratch = try TemporaryFolder()
        let model = try importModel(.econml, path, into: scratch, features: Self.features)
        let x = try array("X", of: path)
        let (effect, lower, upper) = try (
            array("effect", of: path), array("lb95", of: path), array("ub95", of: path)
        )
        let rows = stride(from: 0, to: x.count, by: 10).map { Array(x[$0..<$0 + 10]) }
        let rounded = rows.map { $0.map { Double(Float($0)) } }
        #expect(rows.count == 2000 && rows != rounded)

        var changed = Set<Int>()
        var source = try EconMLFile(path: path).source(outcome: 0)
        var trees = 0
        while let tree = try source.nextTree() {
            trees += 1
            for row in rows.indices where leaf(tree, rows[row]) != leaf(tree, rounded[row]) { changed.insert(row) }
        }
        #expect(trees == 200)

        let same = rows.indices.filter { !changed.contains($0) }
        print("\(changed.count) of \(rows.count) rows reach another leaf when their features become float32")
        #expect(same.count > 1900)
        for kernel in Kernel.available {
            let estimates = score(model, rows, kernel: kernel).map { $0[0] }
            let level = ConfidenceLevel.usual
            let pick = { (values: [Double]) in same.map { values[$0] } }
            let differences = [
                largestDifference(pick(estimates.map(\.effect)), pick(effect)),
                largestDifference(pick(estimates.map(level.lower)), pick(lower)),
                largestDifference(pick(estimates.map(level.upper)), pick(upper)),
            ]
            print("\(kernel): largest difference of effect, lower, upper end: \(differences)")
            #expect(differences.allSatisfy { $0 <= 1e-12 })
        }
    }
}
