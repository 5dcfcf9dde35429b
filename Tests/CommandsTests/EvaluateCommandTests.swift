import Commands
import Foundation
import TestSupport
import Testing

@Suite("evaluate, replay and rows on the command line")
struct EvaluateCommandTests {
    private let scratch: TemporaryFolder
    private var folder: String { scratch.path }

    init() throws { scratch = try TemporaryFolder("cli") }

    private func write(_ text: String, _ name: String) throws -> String {
        try text.write(toFile: "\(folder)/\(name)", atomically: false, encoding: .utf8)
        return "\(folder)/\(name)"
    }

    @Test("evaluate: exit statuses, and a page that needs nothing else")
    func evaluate() throws {
        var generator = SeededGenerator.announced("evaluate")
        var text = "uplift,arm,visit,position,p\n"
        for _ in 0..<400 {
            let score = Double.random(in: -0.1...0.3, using: &generator)
            let arm = ["ad", "control"].randomElement(using: &generator) ?? "ad"
            let chance = 0.2 + (arm == "ad" ? score : 0)
            let visit = Double.random(in: 0..<1, using: &generator) < chance ? 1 : 0
            text += "\(score),\(arm),\(visit),\(Int.random(in: 1...3, using: &generator)),0.5\n"
        }
        let path = try write(text, "trial.csv")
        let base = ["evaluate", path, "--treatment", "arm", "--outcome", "visit", "--replicates", "20"]
        #expect(CommandLineTool.run(base + ["--treated", "ad", "--report", "\(folder)/r.html", "--plot"]) == 0)
        let html = try String(contentsOfFile: "\(folder)/r.html", encoding: .utf8)
        #expect(html.hasPrefix("<!DOCTYPE html>") && !html.contains("src=\"http") && html.contains("trial.csv"))
        #expect(CommandLineTool.run(base + ["--treated", "ad", "--json"]) == 0)
        #expect(CommandLineTool.run(base + ["--treated", "nobody"]) == 65)
        #expect(CommandLineTool.run(base + ["--treated", "ad", "--score", "uplft"]) == 65)
        #expect(CommandLineTool.run(base + ["--treated", "ad", "--k", "1.5"]) == 64)
        #expect(CommandLineTool.run(base + ["--treated", "ad", "--weights", "odd"]) == 64)
        #expect(CommandLineTool.run(["evaluate", "\(folder)/nowhere.csv"]) == 65)
        #expect(CommandLineTool.run(["evaluate"]) == 64)
        let policy = ["evaluate", path, "--action", "arm", "--outcome", "visit", "--propensity", "p"]
        #expect(CommandLineTool.run(policy + ["--policy", "uniform"]) == 0)
        #expect(CommandLineTool.run(policy + ["--policy", "always:ad", "--stratum", "position", "--json"]) == 0)
        #expect(CommandLineTool.run(policy + ["--policy", "best"]) == 64)
        #expect(CommandLineTool.run(policy + ["--policy", "always:Ad"]) == 65, "an action that nobody took")
        #expect(CommandLineTool.run(policy + ["--policy", "uniform", "--plot"]) == 64)
        #expect(CommandLineTool.run(policy) == 64)
    }

    @Test("replay and rows of a file: exit statuses and outputs")
    func files() throws {
        let events = "\(folder)/events.jsonl"
        #expect(
            CommandLineTool.run(["generate", "--events", "3000", "--users", "200", "--seed", "5", "--to", events]) == 0)
        let model = SharedMaterial.repository.appending(path: "examples/demo/demo.model").path
        let replay = ["replay", "--input", events, "--model", model]
        #expect(CommandLineTool.run(replay + ["--out", "\(folder)/s.jsonl"]) == 0)
        let scores = try String(contentsOfFile: "\(folder)/s.jsonl", encoding: .utf8)
        #expect(scores.split(separator: "\n").count > 100)
        #expect(!FileManager.default.fileExists(atPath: "\(folder)/s.jsonl.replay"))
        #expect(CommandLineTool.run(replay) == 64, "no --out")
        #expect(CommandLineTool.run(replay + ["--out", "\(folder)/t", "--from", "2026-01-01T00:00:00Z"]) == 64)
        #expect(
            CommandLineTool.run(["replay", "--input", "\(folder)/no", "--model", model, "--out", "\(folder)/t"]) == 65)
        #expect(CommandLineTool.run(["replay", "--input", events, "--out", "\(folder)/t"]) == 78, "no model")
        let cut = try write("{\"user_id\":\"a\",\"type\":\"click\",\"time\":1}", "one.jsonl")
        #expect(CommandLineTool.run(["replay", "--input", cut, "--model", model, "--out", "\(folder)/t"]) == 0)

        let rows = ["rows", "--input", events, "--model", model, "--out", "\(folder)/rows.csv"]
        #expect(CommandLineTool.run(rows + ["--outcome-window", "1d"]) == 0)
        let text = try String(contentsOfFile: "\(folder)/rows.csv", encoding: .utf8)
        #expect(text.split(separator: "\n").count > 100)
        let sidecar = try String(contentsOfFile: "\(folder)/rows.csv.json", encoding: .utf8)
        #expect(sidecar.contains("\"specification_sha256\":\"") && sidecar.contains("\"rows\":"))
        #expect(CommandLineTool.run(rows + ["--outcome", "nonsense"]) == 64)
        #expect(CommandLineTool.run(["rows", "--input", events, "--out", "\(folder)/x.csv"]) == 64, "no features")
        #expect(
            CommandLineTool.run(["rows", "--input", events, "--features", "\(folder)/no.json", "--out", "\(folder)/x"])
                == 65
        )
    }
}
