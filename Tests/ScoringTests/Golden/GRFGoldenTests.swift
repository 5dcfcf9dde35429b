import CZlib
import Foundation
import ModelImport
import Scoring
import TestSupport
import Testing

/// The grf 2.6.1 forests of ../shared/data/grf, without and with missing values, and grf's own predictions.
@Suite struct GRFGoldenTests {
    private func rows(_ path: String) throws -> [[Double]] {
        let reader = try GzipLineReader(path: path, lineBytes: 1 << 16)
        var rows: [[Double]] = []
        while let line = try reader.next() {
            rows.append(
                String(decoding: line, as: UTF8.self).split(separator: " ").map { word in
                    word.lowercased().contains("nan") ? .nan : Double(word) ?? .infinity
                })
        }
        return rows
    }

    /// The node at which a row ends in double arithmetic, for a given rounding of the features.
    private func leaf(_ tree: RawTree, _ row: ArraySlice<Double>) -> Int {
        var node = Int(tree.root)
        while tree.left[node] != -1 {
            let (x, threshold) = (row[Int(tree.feature[node])], tree.threshold[node])
            let goesLeft = x <= threshold || (x.isNaN && (tree.missingLeft[node] || threshold.isNaN))
            node = Int(goesLeft ? tree.left[node] : tree.right[node])
        }
        return node
    }

    @Test(arguments: ["nona", "na"]) func predictionsAndVariancesAreThoseOfGRF(_ kind: String) throws {
        guard let forest = SharedMaterial.path("data/grf/forest_\(kind).txt.gz"),
            let test = SharedMaterial.path("data/grf/test_\(kind).txt.gz")
        else { return }
        let rows = try rows(test)
        let scratch = try TemporaryFolder()
        let model = try importModel(.grf, forest, into: scratch)
        #expect(model.featureCount == 10 && rows.count >= 1000 && rows.allSatisfy { $0.count == 12 })
        if kind == "na" { #expect(rows.contains { $0.prefix(10).contains(where: \.isNaN) }) }

        let source = try GRFSource(path: forest)
        let rounded = rows.map { $0.map { Double(Float($0)) } }
        var changed = Set<Int>()
        while let tree = try source.nextTree() {
            for row in rows.indices where leaf(tree, rows[row][...]) != leaf(tree, rounded[row][...]) {
                changed.insert(row)
            }
        }
        print("\(kind): \(changed.count) of \(rows.count) rows reach another leaf when their features become float32")
        let same = rows.indices.filter { !changed.contains($0) }
        #expect(same.count > rows.count * 9 / 10)
        for kernel in Kernel.available {
            let estimates = score(model, rows, kernel: kernel).map { $0[0] }
            let differences = [
                largestDifference(same.map { estimates[$0].effect }, same.map { rows[$0][10] }),
                largestDifference(
                    same.map { estimates[$0].standardError * estimates[$0].standardError }, same.map { rows[$0][11] }),
            ]
            print("\(kind), \(kernel): largest difference of prediction, variance: \(differences)")
            #expect(differences.allSatisfy { $0 <= 1e-10 })
        }
    }
}
