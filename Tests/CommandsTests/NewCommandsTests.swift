import Commands
import Foundation
import TestSupport
import Testing

/// The propensity commands, the registry, explanations and completion, on small files of their own.
@Suite("impact, quadrants, models, model explain and completion", .serialized)
struct NewCommandsTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder("commands") }

    private func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    private func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

    private func object(_ text: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    /// Customers `1` … `400` whose purchases follow `pages`, and a device as text.
    private func customers() throws -> String {
        var generator = SeededGenerator.announced("newCommands")
        var lines = "customer_id,minutes,pages,device,p,u,purchase\n"
        for customer in 1...400 {
            let pages = Int.random(in: 1...20, using: &generator)
            let minutes = Double.random(in: 1...60, using: &generator)
            let device = ["phone", "desktop"].randomElement(using: &generator) ?? "phone"
            let bought = Double.random(in: 0..<1, using: &generator) < Double(pages) / 21 ? 1 : 0
            let number = customer % 4
            let (propensity, uplift) = (number < 2 ? 0.2 : 0.8, number == 0 ? 0.1 : number == 3 ? -0.1 : 0)
            lines += "\(customer),\(minutes),\(pages),\(device),\(propensity),\(uplift),\(bought)\n"
        }
        return try folder.write(lines, "customers.csv")
    }

    /// A logistic model of the purchase.
    private func model(_ customers: String, version: String, l2: String = "1") throws -> String {
        let path = folder.file("purchase-\(version)-\(l2).model")
        let words = [
            "train", customers, "--kind", "response", "--outcome", "purchase", "--id", "customer_id", "--ignore", "p",
            "--ignore", "u", "--learner", "logistic", "--replicates", "20", "--name", "purchase", "--version", version,
            "--l2", l2, "--out", path,
        ]
        try #require(CommandLineTool.run(words) == 0)
        return path
    }

    @Test(
        "train --kind response: what is misspelt, or means nothing to it, is an error; rows of one customer stay together"
    )
    func responseOptions() throws {
        let rows = try customers()
        func train(_ words: [String], _ rows: String) -> Int32 {
            CommandLineTool.run(
                [
                    "train", rows, "--kind", "response", "--outcome", "purchase", "--learner", "logistic",
                    "--replicates",
                    "5", "--out", folder.file("o.model"),
                ] + words)
        }
        let id = ["--id", "customer_id"]
        #expect(train(id, rows) == 0)
        for words in [
            ["--treatment", "p"], ["--monotone", "pages:+"], ["--mtry", "2"], ["--refute"], ["--compare"], ["--tune"],
            ["--cost", "1"], ["--save-nuisances", "n.csv"], ["--subsample", "0.5"], ["--trees", "0"], ["--trees", "9"],
            ["--outcome-name", "a", "--outcome-name", "b"], ["--name", "a b"],
        ] { #expect(train(id + words, rows) == 64, "\(words)") }
        for words in [
            ["--id", "customer"], ["--ignore", "page"], ["--weight", "w"], ["--category", "x"], ["--feature", "x"],
        ] {
            #expect(train(id + words, rows) == 65, "\(words)")
        }
        #expect(CommandLineTool.run(["train", rows, "--treatment", "device", "--out", "x.model", "--l2", "3"]) == 64)
        #expect(train(["--id", "customer_id", "--weight", "p", "--outcome-name", "buys"], rows) == 0)
        let whole = try text(rows)
        let spoilt = try folder.write(whole.replacing("\n17,", with: "\n17,x"), "spoilt.csv")
        #expect(train(id, spoilt) == 65)
        #expect(train(id + ["--category", "minutes"], spoilt) == 0, "said otherwise")
        // Each customer twice: no part of the split shares one with another.
        let body = whole.split(separator: "\n")
        let double = try folder.write(
            (body + body.dropFirst()).joined(separator: "\n") + "\n", "double.csv")
        let split = folder.file("split.csv")
        #expect(train(id + ["--save-split", split], double) == 0)
        var parts: [Int: Set<String>] = [:]
        for line in try text(split).split(separator: "\n").dropFirst() {
            let fields = line.split(separator: ",")
            parts[(Int(fields[0]) ?? 0) % 400, default: []].insert(String(fields[1]))
        }
        #expect(parts.count == 400 && parts.values.allSatisfy { $0.count == 1 })
        // A row without an outcome is left out; the split counts rows as the file does.
        let missing = try folder.write(
            whole.split(separator: "\n").enumerated().map { $0 == 3 ? String($1.dropLast()) : String($1) }
                .joined(separator: "\n") + "\n", "missing.csv")
        #expect(train(id + ["--save-split", split], missing) == 0)
        let numbers = try text(split).split(separator: "\n").dropFirst().compactMap { Int($0.prefix { $0 != "," }) }
        #expect(numbers == (0..<400).filter { $0 != 2 })
    }

    @Test("impact: a page, a history that grows, and what is wrong with the input")
    func impact() throws {
        let rows = try customers()
        let model = try model(rows, version: "1")
        let weights = try folder.write(
            """
            {"features":[{"name":"pages","baseline":8,"weight":0.5},{"name":"device","baseline":"tablet","weight":0.25}]}
            """, "weights.json")
        let history = folder.file("history.jsonl")
        let page = folder.file("why.html")
        let base = ["impact", rows, "--weights", weights]
        #expect(CommandLineTool.run(base) == 0)
        #expect(CommandLineTool.run(base + ["--model", model, "--history", history, "--report", page]) == 0)
        #expect(CommandLineTool.run(base + ["--customer", "7", "--history", history, "--json"]) == 0)
        let lines = try text(history).split(separator: "\n").map(String.init)
        try #require(lines.count == 401)
        let table = try text(rows).split(separator: "\n").map { $0.split(separator: ",").map(String.init) }
        for (index, line) in lines.prefix(400).enumerated() {
            let customer = try object(line)
            let fields = table[index + 1]
            #expect(customer["customer_id"] as? String == fields[0])
            let impacts = try #require(customer["impacts"] as? [[String: Any]])
            try #require(impacts.count == 2)
            let pages = try #require(Double(fields[2]))
            let impact = try #require(impacts[0]["impact"] as? Double)
            #expect(abs(impact - (pages - 8) * 0.5) < 1e-12)
            #expect(impacts[1]["impact"] as? Double == 0.25)
            // The model's own reasons sum to its log odds.
            let probability = try #require(customer["probability"] as? Double)
            let contributions = try #require(customer["contributions"] as? [[String: Any]])
            var odds = try #require(customer["base"] as? Double)
            for contribution in contributions { odds += try #require(contribution["contribution"] as? Double) }
            #expect(abs(1 / (1 + exp(-odds)) - probability) < 1e-4)
        }
        let last = try object(lines[400])
        #expect(last["customer_id"] as? String == "7")
        #expect(last["probability"] == nil)
        let html = try text(page)
        #expect(html.hasPrefix("<!DOCTYPE html>") && !html.contains("src=\"http"))
        for file in [history, page] { #expect(try mode(file) == 0o600, "\(file) holds customers' data") }
        #expect(CommandLineTool.run(base + ["--customer", "7", "--customer", "nobody"]) == 65)
        #expect(CommandLineTool.run(base + ["--id", "name"]) == 65)
        #expect(CommandLineTool.run(["impact", rows]) == 64, "no weights")
        #expect(CommandLineTool.run(["impact", rows, "--weights", folder.file("none.json")]) == 65)
        let other = try folder.write(#"{"features":[{"name":"clicks","baseline":1,"weight":1}]}"#, "other.json")
        #expect(CommandLineTool.run(["impact", rows, "--weights", other]) == 65)
        let causal = SharedMaterial.repository.appending(path: "examples/demo/demo.model").path
        #expect(CommandLineTool.run(base + ["--model", causal]) == 64)
    }

    @Test("quadrants: of columns and of a model; what is not a probability is refused")
    func quadrants() throws {
        let rows = try customers()
        let model = try model(rows, version: "1")
        let page = folder.file("quadrants.html")
        let columns = ["quadrants", rows, "--propensity", "p", "--uplift", "u"]
        #expect(CommandLineTool.run(columns + ["--report", page]) == 0)
        let html = try text(page)
        #expect(html.hasPrefix("<!DOCTYPE html>") && html.contains("persuadables: 100, sure things: 100"))
        #expect(html.contains("lost causes: 100, sleeping dogs: 100"))
        #expect(CommandLineTool.run(["quadrants", rows, "--propensity-model", model, "--uplift", "u", "--json"]) == 0)
        #expect(CommandLineTool.run(columns + ["--cut", "1.5"]) == 64)
        #expect(CommandLineTool.run(columns + ["--effect", "-0.1"]) == 64)
        #expect(CommandLineTool.run(["quadrants", rows, "--propensity", "pages", "--uplift", "u"]) == 65)
        #expect(CommandLineTool.run(["quadrants", rows, "--propensity", "device", "--uplift", "u"]) == 65)
        #expect(CommandLineTool.run(["quadrants", rows, "--propensity", "p", "--uplift-model", model]) == 64)
        #expect(CommandLineTool.run(["quadrants", rows, "--propensity", "p"]) == 64, "no uplift")
        #expect(CommandLineTool.run(columns + ["--propensity-model", model]) == 64, "twice")
    }

    @Test("models: added, promoted, rolled back; a stage stands for a path")
    func registry() throws {
        let rows = try customers()
        let models = folder.file("models")
        let place = ["--models", models]
        let (first, second) = (try model(rows, version: "1"), try model(rows, version: "2"))
        func production() throws -> String? {
            let stages = try object(try text("\(models)/purchase/stages.json"))["stages"] as? [String: String]
            return stages?["production"]
        }
        #expect(CommandLineTool.run(["models", "list"] + place) == 0, "an empty registry")
        #expect(CommandLineTool.run(["models", "add", first] + place) == 0)
        #expect(CommandLineTool.run(["models", "add", first] + place) == 0, "the same again")
        #expect(CommandLineTool.run(["models", "add", second] + place) == 0)
        #expect(CommandLineTool.run(["models", "add", try model(rows, version: "2", l2: "50")] + place) == 65, "taken")
        #expect(CommandLineTool.run(["models", "add", rows] + place) == 65, "not a model")
        for (version, file) in [("1", first), ("2", second)] {
            let copy = "\(models)/purchase/\(version).model"
            let isEqual = FileManager.default.contentsEqual(atPath: copy, andPath: file)
            #expect(isEqual)
            #expect(try mode(copy) == 0o600)
        }
        #expect(CommandLineTool.run(["models", "promote", "purchase@1"] + place) == 0)
        #expect(CommandLineTool.run(["models", "rollback", "purchase"] + place) == 65, "the first version")
        #expect(CommandLineTool.run(["models", "promote", "purchase@2"] + place) == 0)
        #expect(try production() == "2")
        // Promoting once more is not a step that a rollback takes back.
        #expect(CommandLineTool.run(["models", "promote", "purchase@2"] + place) == 0)
        #expect(CommandLineTool.run(["models", "list"] + place) == 0)
        #expect(CommandLineTool.run(["models", "list", "--json"] + place) == 0)
        #expect(CommandLineTool.run(["models", "rollback", "purchase"] + place) == 0)
        #expect(try production() == "1")
        #expect(CommandLineTool.run(["models", "promote", "purchase@production", "--stage", "staging"] + place) == 0)
        #expect(CommandLineTool.run(["models", "promote", "purchase@1", "--stage", "2"] + place) == 64, "a version")
        #expect(CommandLineTool.run(["models", "promote", "purchase@9"] + place) == 65)
        #expect(CommandLineTool.run(["models", "promote", "purchase"] + place) == 64)
        #expect(CommandLineTool.run(["models", "promote", "purchase@1", "--stage", "../x"] + place) == 65)
        #expect(CommandLineTool.run(["models", "rollback", "nobody"] + place) == 65)
        #expect(try production() == "1")
    }

    @Test("model sign and model verify: a changed byte is found, a missing key is named")
    func signature() throws {
        // A pair for this test only, as openssl genpkey makes them.
        let privateKey = try folder.write(
            "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIEU8iN0et2g9UFrtgYD/doUPbcIai7BcpafpxEpk9E3u\n-----END PRIVATE KEY-----\n",
            "private.pem")
        let publicKey = try folder.write(
            "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAXJ1GwsMifz64v4fRQSHUcnTDbnRghyLwchebqABIGP0=\n-----END PUBLIC KEY-----\n",
            "public.pem")
        let model = folder.file("signed.model")
        let source = SharedMaterial.repository.appending(path: "examples/demo/demo.model").path
        try FileManager.default.copyItem(atPath: source, toPath: model)
        let verify = ["model", "verify", model, "--public-key", publicKey]
        #expect(CommandLineTool.run(verify) == 65, "no signature")
        #expect(CommandLineTool.run(["model", "sign", model, "--key", folder.file("none.pem")]) == 65)
        #expect(CommandLineTool.run(["model", "sign", model, "--key", privateKey]) == 0)
        #expect(CommandLineTool.run(verify) == 0)
        var bytes = try Data(contentsOf: URL(filePath: model + ".sig"))
        bytes[0] ^= 1
        try bytes.write(to: URL(filePath: model + ".sig"))
        #expect(CommandLineTool.run(verify) == 65, "another signature")
    }

    @Test("model explain: text and JSON of a forest and of response models")
    func explain() throws {
        let events = folder.file("events.jsonl")
        let causal = SharedMaterial.repository.appending(path: "examples/demo/demo.model").path
        let rows = folder.file("rows.csv")
        #expect(
            CommandLineTool.run(["generate", "--events", "2000", "--users", "200", "--seed", "5", "--to", events]) == 0)
        #expect(CommandLineTool.run(["rows", "--input", events, "--model", causal, "--out", rows]) == 0)
        let base = ["model", "explain", "--model", causal, rows]
        #expect(CommandLineTool.run(base + ["--rows", "2", "--top", "3"]) == 0)
        #expect(CommandLineTool.run(base + ["--background", "none", "--json"]) == 0)
        #expect(CommandLineTool.run(base + ["--background", rows, "--threads", "2"]) == 0)
        #expect(CommandLineTool.run(base + ["--treatment", "mail"]) == 64)
        #expect(CommandLineTool.run(["model", "explain", rows]) == 64, "no model")
        #expect(CommandLineTool.run(["model", "explain", "--model", causal, folder.file("none.csv")]) == 65)
        let customers = try customers()
        let response = try model(customers, version: "1")
        #expect(CommandLineTool.run(["model", "explain", "--model", response, customers]) == 0)
        let boosted = folder.file("boosted.model")
        #expect(
            CommandLineTool.run(
                [
                    "train", customers, "--kind", "response", "--outcome", "purchase", "--id", "customer_id",
                    "--ignore",
                    "p", "--ignore", "u", "--learner", "boosted", "--out", boosted,
                ]) == 0)
        #expect(CommandLineTool.run(["model", "explain", "--model", boosted, customers, "--json"]) == 0)
        #expect(CommandLineTool.run(["model", "inspect", boosted, "--check", customers]) == 0)
    }

    @Test("completion: every shell's script; bash reads its own")
    func completion() throws {
        for shell in ["bash", "zsh", "fish"] { #expect(CommandLineTool.run(["completion", shell]) == 0) }
        #expect(CommandLineTool.run(["completion", "csh"]) == 64)
        #expect(CommandLineTool.run(["completion"]) == 64)
        let program = SharedMaterial.repository.appending(path: ".build/release/impactiq").path
        guard FileManager.default.isExecutableFile(atPath: program) else {
            print("skipped: what completion writes needs \(program)")
            return
        }
        let script = try Spawn.run([program, "completion", "bash"])
        let file = try folder.write(
            script.text + "COMP_WORDS=(impactiq models pro); COMP_CWORD=2; _impactiq; echo \"${COMPREPLY[@]}\"\n",
            "completion.bash")
        let answer = try Spawn.run(["/bin/bash", file])
        #expect(answer.status == 0, "\(answer.errors)")
        #expect(answer.text == "promote\n")
    }
}
