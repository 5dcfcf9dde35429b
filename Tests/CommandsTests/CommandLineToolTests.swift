import Commands
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
    }
}
