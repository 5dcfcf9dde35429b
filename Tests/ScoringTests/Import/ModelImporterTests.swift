import Base
import Foundation
import ModelImport
import Scoring
import TestSupport
import Testing

@Suite struct ModelImporterTests {
    private func request(_ scratch: TemporaryFolder, _ input: String, _ kind: ImportKind = .econml) -> ImportRequest {
        ImportRequest(kind: kind, input: input, output: scratch.file("out.model"), name: "spring", version: "3")
    }

    private func message(
        _ change: (inout NpzWriter) -> Void, ask: (inout ImportRequest) -> Void = { _ in }
    ) throws -> String {
        let scratch = try TemporaryFolder()
        var writer = NpzWriter.small()
        writer.set("metadata", text: NpzWriter.metadata)
        change(&writer)
        try writer.write(scratch.file("forest.npz"))
        var request = request(scratch, scratch.file("forest.npz"))
        ask(&request)
        let text = refusal { _ = try ModelImporter.run(request) }
        let left = try FileManager.default.contentsOfDirectory(atPath: scratch.path).sorted()
        // Nothing half-written stays behind.
        #expect(left == (text == "nothing was refused" ? ["forest.npz", "out.model"] : ["forest.npz"]))
        return text.replacing(scratch.file("forest.npz"), with: "FILE")
    }

    @Test func importsNamesProvenanceAndImportances() throws {
        let scratch = try TemporaryFolder()
        var writer = NpzWriter.small()
        writer.set("metadata", text: NpzWriter.metadata)
        writer.set("feature_importance", double: [0.25, 0.75])
        try writer.write(scratch.file("forest.npz"))
        var request = request(scratch, scratch.file("forest.npz"))
        request.outcomes = ["visited"]
        var seen: [ImportProgress] = []
        let summary = try ModelImporter.run(request) { seen.append($0) }
        #expect(seen.map(\.trees) == [1, 2] && seen.allSatisfy { $0.totalTrees == 2 && $0.outcomes == 1 })
        #expect(summary.trees == 2 && summary.nodes == 4 && !summary.hasIntervals)
        let model = try Model.open(path: summary.output)
        #expect(model.name == "spring" && model.version == "3" && model.sha256 == summary.sha256)
        #expect(model.featureNames == ["age", "spend"] && model.treatments == ["mail"])
        #expect(model.outcomes == ["visited"] && model.provenance.contains("econml"))
        #expect(model.missingValues == .refuse)
        // θ = A₀/J₀ for the mean of the two trees' leaves: spend ≤ 0.5 → ((1 + 3) · 1 − 0) / ((2 + 4) · 2 − 2 · 2).
        #expect(abs(score(model, [[0, 0.5]])[0][0].effect - 1) < 1e-15)
    }

    @Test func refusesWrongTreesNamingFileTreeAndNode() throws {
        #expect(try message { _ in } == "nothing was refused")
        for (array, value, words) in [
            ("left", [0, -1, -1, -1], "tree 0, node 0 leads to node 0"),
            ("left", [2, -1, -1, -1], "tree 0, node 0 leads to node 2"),
            ("left", [3, -1, -1, -1], "tree 0, node 0 has the child 3"),
            ("left", [-1, -1, -1, -1], "tree 0, node 0 has the child -1"),
            ("right", [-2, -1, -1, -1], "tree 0, node 0 has the child -2"),
            ("feature", [2, 0, 0, 0], "tree 0, node 0 splits on feature 2, of features 0 to 1"),
            ("feature", [-1, 0, 0, 0], "tree 0, node 0 splits on feature -1"),
        ] {
            let text = try message { $0.set(array, int64: value) }
            #expect(text.contains("invalid_forest: FILE: \(words)"), "\(text)")
        }
        let noNumber = try message { $0.set("threshold", double: [.nan, 0, 0, 0]) }
        #expect(noNumber.contains("FILE: tree 0, node 0 has a threshold that is not a number"), "\(noNumber)")
        let infinite = try message { $0.set("precond", double: [9, 9, 1, 0, .infinity, 0, 3, 0], shape: [4, 2]) }
        #expect(infinite.contains("FILE: tree 0, node 2 is a leaf with a value that is not a finite"), "\(infinite)")
        let second = try message {
            for (name, array) in $0.arrays where name != "metadata" { $0[name + "_1"] = array }
            $0.set("metadata", text: NpzWriter.metadata.replacing("\"visit\"", with: "\"visit\",\"spend\""))
            $0.set("left_1", int64: [0, -1, -1, -1])
        }
        #expect(second.contains("FILE: arrays with suffix _1: tree 0, node 0 leads"), "\(second)")
    }

    @Test func aCycleInAGRFForestIsRefused() throws {
        let scratch = try TemporaryFolder()
        let cycle = """
            1 1 2
            5 0
            1 2 0 0.5 1 0
            3 4 0 0.5 1 0
            0 0 0 -1 1 0
            1 4 0 0.5 1 0
            0 0 0 -1 1 0

            """
        let path = try scratch.write(cycle, "forest.txt")
        let text = refusal { _ = try ModelImporter.run(request(scratch, path, .grf)) }
        #expect(text.contains("\(path): tree 0, node 3 leads to node 1, which another path reaches too"), "\(text)")
    }

    @Test func featureNamesMustBeThoseOfTheForest() throws {
        #expect(try message({ _ in }, ask: { $0.featureNames = ["age", "spend"] }) == "nothing was refused")
        let other = try message({ _ in }, ask: { $0.featureNames = ["age", "clicks", "money"] })
        #expect(other.contains("import_features: FILE: the forest was fitted on 2 features that are not the 3"))
        #expect(other.contains("the specification lacks spend; the forest has no clicks, money"), "\(other)")
        let order = try message({ _ in }, ask: { $0.featureNames = ["spend", "age"] })
        #expect(order.contains("the order differs: feature 1 of the forest is age, of the specification spend"))
        let unnamed = try message { $0["metadata"] = nil }
        #expect(unnamed.contains("does not name its features"), "\(unnamed)")
        let count = try message(
            {
                $0["metadata"] = nil
                $0.set("feature_importance", double: [0.5, 0.5])
            }, ask: { $0.featureNames = ["age"] })
        #expect(count.contains("the forest has 2 features, the specification 1"), "\(count)")
    }

    @Test func outcomesAreChosenOrRenamedAndTreatmentsRenamed() throws {
        let scratch = try TemporaryFolder()
        var request = request(scratch, resourcePath("econml-two-outcomes-no-intercept.npz"))
        request.outcomes = ["spend"]
        #expect(try ModelImporter.run(request).outcomes == ["spend"])
        let chosen = try Model.open(path: request.output)
        request.outcomes = nil
        #expect(try ModelImporter.run(request).outcomes == ["visit", "spend"])
        let both = try Model.open(path: request.output)
        let row = [[0.5, -1, 2, 0.25, 1]]
        #expect(score(chosen, row)[0][0] == score(both, row)[0][1])
        #expect(score(chosen, row)[0][0] != score(both, row)[0][0])

        request.outcomes = ["a", "b"]
        request.treatments = ["ad"]
        let renamed = try ModelImporter.run(request)
        #expect(renamed.outcomes == ["a", "b"] && renamed.treatments == ["ad"])
        request.outcomes = ["sales"]
        #expect(refusal { _ = try ModelImporter.run(request) }.contains("the outcome sales is not in it; it has visit"))
        request.outcomes = nil
        request.treatments = ["ad", "mail"]
        #expect(refusal { _ = try ModelImporter.run(request) }.contains("the forest has 1 treatments: 1"))
    }

    @Test func grfNamesComeFromTheHeaderOrAreNumbered() throws {
        let scratch = try TemporaryFolder()
        let named = try scratch.write(GRFSourceTests.header + GRFSourceTests.forest, "named.txt")
        let summary = try ModelImporter.run(request(scratch, named, .grf))
        #expect(summary.features == ["age", "money spent"] && summary.treatments == ["ad"])
        #expect(summary.outcomes == ["visit"] && summary.nodes == 4)
        let bare = try scratch.write(GRFSourceTests.forest, "bare.txt")
        #expect(try ModelImporter.run(request(scratch, bare, .grf)).features == ["X1", "X2"])
        var asked = request(scratch, bare, .grf)
        asked.featureNames = ["one"]
        #expect(refusal { _ = try ModelImporter.run(asked) }.contains("the forest has 2 features, the specification 1"))
    }
}
