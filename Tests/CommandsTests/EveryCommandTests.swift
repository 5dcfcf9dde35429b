import Commands
import Foundation
import TestSupport
import Testing

/// The ratchet: a command that no test runs fails this one. `IntegrationTests/EveryCommandTests` runs those that need a broker.
@Suite("Every command has a test")
struct EveryCommandTests {
    @Test("Each command's words stand in a test's command line")
    func isRun() throws {
        let root = SharedMaterial.repository.appending(path: "Tests")
        var sources = ""
        let files = FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil)
        while let file = files?.nextObject() as? URL {
            if file.pathExtension == "swift" { sources += try String(contentsOf: file, encoding: .utf8) }
        }
        #expect(CommandLineTool.commandPaths.count > 15)
        for path in CommandLineTool.commandPaths {
            let words = path.map { "\"\(NSRegularExpression.escapedPattern(for: $0))\"" }.joined(separator: #",\s*"#)
            #expect(sources.range(of: #"[\[(]\s*"# + words, options: .regularExpression) != nil, "\(path)")
        }
    }

    @Test("Each command's help has an example, and is there by --help")
    func help() {
        for path in CommandLineTool.commandPaths {
            #expect(CommandLineTool.help(path)?.contains("Example") == true, "\(path)")
            #expect(CommandLineTool.run(path + ["--help"]) == 0)
        }
    }

    @Test("Output to a full device is an error")
    func fullDevice() throws {
        let program = SharedMaterial.repository.appending(path: ".build/release/impactiq").path
        guard FileManager.default.isExecutableFile(atPath: program) else {
            print("skipped: fullDevice needs \(program)")
            return
        }
        for words in [["config"], ["--help"], ["model", "inspect", "examples/demo/demo.model"]] {
            let shell =
                "cd '\(SharedMaterial.repository.path)' && '\(program)' \(words.joined(separator: " ")) >/dev/full"
            let result = try Spawn.run(["/bin/sh", "-c", shell])
            #expect(result.status == 1, "\(words)")
            #expect(result.errors.contains("No space left"), "\(words): \(result.errors)")
        }
    }
}
