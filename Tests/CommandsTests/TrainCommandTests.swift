import Commands
import Foundation
import Scoring
import TestSupport
import Testing

/// `impactiq train` from end to end, small.
@Suite("train", .serialized)
struct TrainCommandTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder("train") }

    private static let root = SharedMaterial.repository.path

    /// The options of a script that trains an example's model: what stands between `train` and `--out`, but for its rows.
    private func options(_ script: String) throws -> [String] {
        let text = try String(contentsOfFile: "\(Self.root)/\(script)", encoding: .utf8)
        let command = try #require(text.components(separatedBy: "\"$program\" train ").last)
        let words = command.replacing("\\\n", with: " ").split(separator: " ").map(String.init)
        return words.dropFirst().prefix { $0 != "--out" }.map { $0.replacing("\"", with: "") }
    }

    @Test(
        "the demo's model: the documented command on fewer rows; the same bytes for the same seed; it finds who gains")
    func demo() throws {
        let features = "\(Self.root)/examples/demo/features.json"
        let rows = folder.file("rows.csv")
        #expect(
            CommandLineTool.run([
                "demo", "rows", "--features", features, "--seed", "11", "--users", "3000", "--rows", "8000", "--out",
                rows,
            ]) == 0)
        let options = try options("examples/demo/train").map { $0.replacing("$here/features.json", with: features) }
        #expect(options.contains("--leaf") && options.contains(features))
        var digests: Set<String> = []
        for (number, threads) in ["1", "2"].enumerated() {
            let model = folder.file("\(number).model")
            #expect(CommandLineTool.run(["train", rows] + options + ["--threads", threads, "--out", model]) == 0)
            digests.insert(try Model.open(path: model).sha256)
        }
        #expect(digests.count == 1)
        let model = try Model.open(path: folder.file("0.model"))
        #expect(model.treatments == ["ad"] && model.outcomes == ["conversion"] && model.specification != nil)
        #expect(model.provenance.contains("\"ranking\":[{"), "held-out metrics are in the file")
        // Newsletter readers without a phone are the simulation's sleeping dogs, others on a phone its persuadables.
        func effect(mobile: Float, newsletter: Float) throws -> Double {
            var row = [Float](repeating: 0, count: model.rowStride)
            for (name, value) in [("mobile", mobile), ("newsletter", newsletter), ("recency", 20), ("tenure", 365)] {
                row[try #require(model.featureNames.firstIndex(of: name))] = Float(value)
            }
            var estimates = [Estimate(effect: 0, standardError: 0)]
            Scorer(model: model, maxRows: 1).score(rows: row, stride: model.rowStride, count: 1, into: &estimates)
            return estimates[0].effect
        }
        let (gains, loses) = (
            try effect(mobile: 1, newsletter: 0), try effect(mobile: 0, newsletter: 1)
        )
        #expect(gains > loses + 0.03, "\(gains) \(loses)")
    }

    @Test("the models of the examples come from this trainer, with the features of their specifications")
    func examples() throws {
        for name in ["demo", "hillstrom"] {
            let model = try Model.open(path: "\(Self.root)/examples/\(name)/\(name).model")
            #expect(model.provenance.contains("\"trained_by\":\"impactiq"), "\(name)")
            #expect(
                model.provenance.contains("\"ranking\":[{") && model.hasStandardErrors && model.specification != nil)
        }
    }

    @Test("what would be lost, cannot be written, or means nothing is refused before the work")
    func refusals() throws {
        let text =
            "x,z,y,t,n\n"
            + (0..<300).map { "\($0 % 17),\($0 % 5),\($0 % 3),\($0 % 2),\(Double($0 % 7) / 2)\n" }.joined()
        let rows = try folder.write(text, "small.csv")
        try FileManager.default.createSymbolicLink(atPath: folder.file("link.csv"), withDestinationPath: rows)
        func train(_ words: [String], out: String = "small.model") -> Int32 {
            CommandLineTool.run(
                ["train", rows, "--outcome", "y", "--treatment", "t", "--trees", "10", "--out", folder.file(out)]
                    + words)
        }
        let model = folder.file("small.model")
        #expect(train(["--propensity", "0.5", "--ignore", "n"]) == 0)
        let before = try Data(contentsOf: URL(filePath: model))
        // Files.
        #expect(train([], out: "small.csv") == 64 && train([], out: "link.csv") == 64)
        #expect(train([], out: "nowhere/x.model") == 64 && train([], out: ".") == 64)
        for option in ["--report", "--save-nuisances"] {
            for path in [model, rows, folder.file("nowhere/x")] {
                #expect(train([option, path]) == 64, "\(option) \(path)")
            }
        }
        // Options.
        for words in [
            ["--monotone", "x:+", "--monotone", "x:-"], ["--kind", "t-learner", "--monotone", "x:+"],
            ["--kind", "r-learner", "--leaf", "30"], ["--continuous", "--control", "0"],
            ["--residuals", "--propensity", "0.5"],
            ["--no-diagnostics", "--refute"], ["--mtry", "9"], ["--outcome", "t"], ["--weight", "t"],
            ["--feature", "y"],
            ["--feature", "x", "--ignore", "x"], ["--propensity-of-treatment"], ["--cost", "other=1"],
        ] { #expect(train(words) == 64, "\(words)") }
        #expect(
            CommandLineTool.run([
                "train", rows, "--outcome", "y", "--treatment", "n", "--continuous", "--ignore", "t", "--cost", "1",
                "--out",
                model,
            ]) == 64)
        // Few numbers that are not whole: arms or an amount?
        #expect(
            CommandLineTool.run(["train", rows, "--outcome", "y", "--treatment", "n", "--ignore", "t", "--out", model])
                == 65)
        #expect(try String(contentsOfFile: rows, encoding: .utf8) == text)
        #expect(try Data(contentsOf: URL(filePath: model)) == before)
    }

    @Test("response models: equal rows, options and seeds give equal files")
    func response() throws {
        var generator = SeededGenerator.announced("train")
        var text = "id,pages,device,bought\n"
        for row in 0..<400 {
            let pages = Int.random(in: 1...20, using: &generator)
            let bought = Int.random(in: 0..<21, using: &generator) < pages ? 1 : 0
            text += "\(row),\(pages),\(["phone", "desktop"][row % 2]),\(bought)\n"
        }
        let rows = try folder.write(text, "sessions.csv")
        var digests: Set<String> = []
        for threads in ["1", "2"] {
            let model = folder.file("\(threads).response")
            #expect(
                CommandLineTool.run([
                    "train", rows, "--kind", "response", "--outcome", "bought", "--id", "id", "--name", "m",
                    "--threads",
                    threads, "--out", model,
                ]) == 0)
            digests.insert(try Model.open(path: model).sha256)
        }
        #expect(digests.count == 1)
    }
}
