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

    @Test("With --json an error is an object, the last line of standard error, and the status stays")
    func errorsForMachines() throws {
        let program = SharedMaterial.repository.appending(path: ".build/release/impactiq").path
        guard FileManager.default.isExecutableFile(atPath: program) else {
            print("skipped: errorsForMachines needs \(program)")
            return
        }
        func check(_ words: [String], _ status: Int32, _ code: String) throws {
            let result = try Spawn.run([program] + words)
            #expect(result.status == status && result.output.isEmpty, "\(words)")
            let line = result.errors.split(separator: "\n").last ?? ""
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: [String: Any]]
            let error = try #require(object?["error"], "\(words)")
            #expect(error["code"] as? String == code && error["status"] as? Int32 == status, "\(words): \(line)")
            #expect((error["message"] as? String)?.isEmpty == false)
        }
        for path in CommandLineTool.commandPaths {
            try check(path + ["--json", "--no-such-option"], 64, "unknown_option")
        }
        try check(["train", "/nowhere.csv", "--out", "/nowhere.model", "--json"], 65, "csv_open")
        try check(["model", "inspect", "/nowhere.model", "--json"], 65, "file_not_readable")
        try check(["config", "--json", "--set", "workers=0"], 78, "bad_value")
        // Whoever did not ask for it reads a sentence; after -- stand arguments.
        for words in [["model", "inspect", "/nowhere.model"], ["model", "inspect", "--", "--json"]] {
            #expect(try Spawn.run([program] + words).errors.hasPrefix("impactiq: "), "\(words)")
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
