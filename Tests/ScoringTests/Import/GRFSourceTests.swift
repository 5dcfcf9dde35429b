import Base
import CZlib
import Foundation
import ModelImport
import Scoring
import TestSupport
import Testing

@Suite struct GRFSourceTests {
    static let header = """
        # impactiq-grf 1
        # grf 2.6.1
        # training_rows 5000
        # treatment ad
        # outcome visit
        # parameter mtry 10
        # feature age
        # feature money spent

        """
    static let forest = """
        2 1 2
        3 0
        1 2 1 0.5 1 0
        0 0 0 -1 1 7 1 2 3 4 5 6 1
        0 0 0 -1 1 0
        1 0
        0 0 0 0 0 7 1.5 2 3 4 5 6 1

        """

    private func read(_ text: String, limits: ImportLimits = ImportLimits()) throws -> [RawTree] {
        let scratch = try TemporaryFolder()
        let source = try GRFSource(path: try scratch.write(text, "forest.txt"), limits: limits)
        var trees: [RawTree] = []
        while let tree = try source.nextTree() { trees.append(tree) }
        return trees
    }

    @Test func givesTheTreesWithEmptyLeavesAsNaN() throws {
        let trees = try read(Self.forest)
        #expect(trees.count == 2)
        #expect(trees[0].left == [1, -1, -1] && trees[0].right == [2, -1, -1] && trees[0].feature[0] == 1)
        #expect(trees[0].threshold[0] == 0.5 && trees[0].missingLeft == [true, true, true])
        #expect(Array(trees[0].payload.prefix(7)) == [1, 2, 3, 4, 5, 6, 1])
        #expect(trees[0].payload.count == 14 && trees[0].payload.suffix(7).allSatisfy(\.isNaN))
        #expect(trees[1].payload == [1.5, 2, 3, 4, 5, 6, 1])
    }

    @Test func readsTheHeaderLines() throws {
        let scratch = try TemporaryFolder()
        let path = try scratch.write(Self.header + Self.forest, "forest.txt")
        let source = try GRFSource(path: path)
        #expect(source.header.treatment == "ad" && source.header.outcome == "visit")
        #expect(source.header.featureNames == ["age", "money spent"])
        #expect(source.header.provenance.contains("\"training_rows\":5000"))
        #expect(source.header.provenance.contains("\"mtry\":\"10\""))
        #expect(try read(Self.header + Self.forest).count == 2)
    }

    @Test func gzippedAndPlainTextGiveTheSame() throws {
        let scratch = try TemporaryFolder()
        let path = scratch.file("forest.txt.gz")
        let text = Array((Self.header + Self.forest).replacing("\n", with: "\r\n").utf8)
        let file = try #require(gzopen(path, "wb"))
        #expect(gzwrite(file, text, UInt32(text.count)) == Int32(text.count))
        gzclose(file)
        let source = try GRFSource(path: path)
        #expect(try source.nextTree()?.threshold[0] == 0.5)
        #expect(try source.nextTree()?.left == [-1])
        #expect(try source.nextTree() == nil)

        // Cut off, the gzip says so.
        let bytes = try Data(contentsOf: URL(filePath: path))
        try bytes.prefix(bytes.count - 9).write(to: URL(filePath: path))
        let message = refusal {
            let source = try GRFSource(path: path)
            while try source.nextTree() != nil {}
        }
        #expect(message.contains("import_truncated") && message.contains("ends too early"), "\(message)")
    }

    @Test(arguments: [
        ("", "", "the file holds no forest"),
        ("2 1 2", "2 2 2", "line 1: 2 trees are not two or more groups of 2"),
        ("2 1 2", "0 1 2", "line 1: 0 trees"),
        ("2 1 2", "2 1 0", "line 1: 0 features"),
        ("2 1 2", "2 1 2 9", "line 1: expected"),
        ("2 1 2", "3 1 2", "ends in tree 2 of 3"),
        ("3 0\n", "-3 0\n", "line 2: tree 0 has -3 nodes"),
        ("3 0\n", "99999999999 0\n", "line 2: tree 0 has"),
        ("3 0\n", "3\n", "line 2: expected \"nodes root\" of tree 0"),
        ("1 2 1 0.5 1 0", "1 2 1 0.5 1", "line 3: tree 0, node 0: expected"),
        ("1 2 1 0.5 1 0", "1 2 1 half 1 0", "line 3: tree 0, node 0: expected"),
        ("1 2 1 0.5 1 0", "1 2 1 0.5 2 0", "line 3: tree 0, node 0: expected"),
        ("1 2 1 0.5 1 0", "1 99999999999 1 0.5 1 0", "line 3: tree 0, node 0: expected"),
        ("1 2 1 0.5 1 0", "1 2 1 0.5 1 0 7", "goes on after"),
        ("7 1 2 3 4 5 6 1", "6 1 2 3 4 5 6", "line 4: tree 0, node 1: 6 values"),
        ("7 1 2 3 4 5 6 1", "7 1 2 3 4 5 6", "line 4: tree 0, node 1: a leaf value is missing"),
        ("7 1 2 3 4 5 6 1", "7 1 2 nan 4 5 6 1", "line 4: tree 0, node 1: a leaf value is missing or not a number"),
        ("7 1.5 2 3 4 5 6 1\n", "7 1.5 2 3 4 5 6 1\nmore\n", "text follows the last tree"),
    ])
    func refusesWithLineTreeAndNode(_ part: String, _ replacement: String, _ words: String) {
        let text = part.isEmpty ? replacement : Self.forest.replacing(part, with: replacement, maxReplacements: 1)
        let message = refusal { _ = try read(text) }
        #expect(message.contains(words), "\(message)")
    }

    @Test func refusesAnotherVersionAndWrongNames() {
        let text = Self.header + Self.forest
        #expect(
            refusal { _ = try read(text.replacing("impactiq-grf 1", with: "impactiq-grf 2")) }.contains(
                "import_version"))
        #expect(refusal { _ = try read(text.replacing("# feature age\n", with: "")) }.contains("1 feature names for 2"))
        var limits = ImportLimits()
        limits.lineBytes = 1 << 17
        let long = Self.forest.replacing("0.5", with: String(repeating: "0", count: 1 << 18))
        #expect(refusal { _ = try read(long, limits: limits) }.contains("line 3: the line is longer"))
    }
}
