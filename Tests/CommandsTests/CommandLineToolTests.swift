import Commands
import Foundation
import TestSupport
import Testing

@Suite("Command line")
struct CommandLineToolTests {
    @Test("Exit statuses follow the contract")
    func exitStatuses() {
        #expect(CommandLineTool.run(["--help"]) == 0)
        #expect(CommandLineTool.run(["--version"]) == 0)
        #expect(CommandLineTool.run(["config", "--json"]) == 0)
        #expect(CommandLineTool.run(["confg"]) == 64)
        #expect(CommandLineTool.run(["config", "--jsn"]) == 64)
        #expect(CommandLineTool.run(["config", "--set", "workers=0"]) == 78)
        #expect(CommandLineTool.run(["config", "--config", "/nowhere.properties"]) == 78)
        #expect(CommandLineTool.run(["model", "inspect", "/nowhere.model"]) == 65)
        #expect(CommandLineTool.run(["model", "score", "--model", "/nowhere.model", "rows.csv"]) == 65)
        #expect(CommandLineTool.run(["config", "--set", "kafka.security.protocol=none"]) == 78)
        #expect(CommandLineTool.run(["config", "--set", "kafka.no.such.key=1"]) == 78)
    }

    @Test("model import: a fitted forest into a model file; what is none is refused")
    func modelImport() throws {
        let folder = try TemporaryFolder("import")
        let forest = SharedMaterial.repository.appending(path: "Tests/ScoringTests/Resources/econml-two-arms.npz").path
        let model = folder.file("two.model")
        #expect(CommandLineTool.run(["model", "import", "econml", forest, "--out", model, "--json"]) == 0)
        #expect(CommandLineTool.run(["model", "inspect", model]) == 0)
        #expect(CommandLineTool.run(["model", "import", "grf", forest, "--out", folder.file("x.model")]) == 65)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["two.model"])
    }

    @Test("Commands whose work has tests of its own say what is wrong with their input")
    func refusals() throws {
        let folder = try TemporaryFolder("refusals")
        let out = folder.file("x.model")
        #expect(CommandLineTool.run(["train", "/nowhere.csv", "--out", out]) == 65)
        #expect(CommandLineTool.run(["serve", "--model", "/nowhere.model"]) == 65)
        #expect(CommandLineTool.run(["attribute", "fit-ihc", "/nowhere.json"]) != 0)
        #expect(
            CommandLineTool.run(["attribute", "call-ihc", "--source", "x.csv", "--url", "http://127.0.0.1:1"]) != 0)
    }

    @Test("demo, and the rows of its model")
    func demo() throws {
        let folder = try TemporaryFolder("demo")
        let root = SharedMaterial.repository.path
        let model = "\(root)/examples/demo/demo.model"
        #expect(CommandLineTool.run(["demo", "--for", "1s", "--json", "--listen", "none", "--model", model]) == 0)
        let rows = ["--rows", "50", "--users", "500", "--features", "\(root)/examples/demo/features.json"]
        #expect(CommandLineTool.run(["demo", "rows", "--out", folder.file("rows.csv")] + rows) == 0)
        let text = try String(contentsOfFile: folder.file("rows.csv"), encoding: .utf8)
        #expect(text.split(separator: "\n").count == 51)
    }
}
