import Foundation
import ModelImport
import Scoring
import TestSupport
import Testing

@Suite struct RowCheckTests {
    private func csv(_ names: [String], _ rows: [[Double]], _ scratch: TemporaryFolder) throws -> String {
        let lines = rows.map { $0.map { $0.isNaN ? "" : "\($0)" }.joined(separator: ",") }
        let text = names.joined(separator: ",") + "\n" + lines.joined(separator: "\n") + "\n"
        return try scratch.write(text, "rows.csv")
    }

    @Test(arguments: [
        "econml-two-arms", "econml-two-arms-two-outcomes", "econml-two-outcomes-no-intercept", "econml-no-inference",
        "econml-weights-min-var",
    ])
    func everyKernelAgreesWithThePlainWalk(_ name: String) throws {
        let scratch = try TemporaryFolder()
        let model = try importModel(.econml, resourcePath("\(name).npz"), into: scratch)
        var generator = SeededGenerator.announced()
        var rows = (0..<300).map { _ in (0..<5).map { _ in Double(Float.random(in: -3...3, using: &generator)) } }
        // Half of the values stand exactly at a threshold of their feature, where < and <= part.
        var source = try EconMLFile(path: resourcePath("\(name).npz")).source(outcome: 0)
        while let tree = try source.nextTree() {
            for node in tree.left.indices where tree.left[node] >= 0 {
                let row = Int.random(in: rows.indices, using: &generator)
                rows[row][Int(tree.feature[node])] = Double(Float(tree.threshold[node]))
            }
        }
        rows[7][2] = .nan
        let check = try RowCheck.run(model: model, csv: try csv(model.featureNames, rows, scratch))
        #expect(check.rows == 300 && check.refusedRows == 1)
        #expect(check.disagreement == nil, "\(String(describing: check.disagreement))")
        #expect(check.timings.map(\.kernel) == Kernel.available)
        #expect(check.timings.allSatisfy { $0.singleRow > 0 && $0.batch > 0 && $0.batchWithErrors > 0 })
    }

    @Test func missingValuesAndEmptyLeavesOfGRFAgree() throws {
        guard let forest = SharedMaterial.path("data/grf/forest_na.txt.gz") else { return }
        let scratch = try TemporaryFolder()
        let model = try importModel(.grf, forest, into: scratch)
        var generator = SeededGenerator.announced()
        let rows = (0..<500).map { _ in
            (0..<10).map { _ in
                Bool.random(using: &generator) ? .nan : Double(Float.random(in: -3...3, using: &generator))
            }
        }
        let check = try RowCheck.run(model: model, csv: try csv(model.featureNames, rows, scratch), limit: 400)
        #expect(check.rows == 400 && check.refusedRows == 0 && check.disagreement == nil)
    }

    @Test func refusesWhatHasNoRowsOrNoNumbers() throws {
        let scratch = try TemporaryFolder()
        let model = try importModel(.econml, resourcePath("econml-weights-min-var.npz"), into: scratch)
        let empty = try scratch.write("x0,x1,x2,x3,x4\n", "empty.csv")
        #expect(refusal { _ = try RowCheck.run(model: model, csv: empty) }.contains("has no rows"))
        let text = try scratch.write("x0,x1,x2,x3,x4\n1,2,3,4,5\n1,2,x,4,5\n", "text.csv")
        let message = refusal { _ = try RowCheck.run(model: model, csv: text) }
        #expect(message.contains("line 3") && message.contains("'x2'") && message.contains("\"x\" is not a number"))
        let other = try scratch.write("x0,x1,x2,x3\n1,2,3,4\n", "other.csv")
        #expect(refusal { _ = try RowCheck.run(model: model, csv: other) }.contains("no column \"x4\""))
    }
}
