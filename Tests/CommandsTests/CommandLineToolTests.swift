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

    @Test("config refuses what run would refuse of HTTP, before any broker")
    func configChecksHTTP() throws {
        let folder = try TemporaryFolder("config-http")
        let (token, open, short) = (folder.file("token"), folder.file("open"), folder.file("short"))
        for (path, text, mode) in [
            (token, "correct-horse-battery\n", 0o600), (open, "correct-horse-battery\n", 0o644),
            (short, "abc\n", 0o600),
        ] as [(String, String, mode_t)] {
            try text.write(toFile: path, atomically: false, encoding: .utf8)
            chmod(path, mode)
        }
        func status(_ settings: String...) -> Int32 {
            CommandLineTool.run(["config", "--json"] + settings.flatMap { ["--set", $0] })
        }
        let anywhere = "http.listen=0.0.0.0:8080"
        #expect(status(anywhere) == 78)
        #expect(status(anywhere, "http.auth=none") == 0)
        #expect(status(anywhere, "http.token.file=\(token)") == 0)
        #expect(status("http.listen=none", "http.token.file=/nowhere") == 0)
        #expect(status("http.token.file=/nowhere") == 78)
        #expect(status("http.token.file=\(open)") == 78)
        #expect(status("http.token.file=\(short)") == 78)
        #expect(status("http.token.file=\(token)", "http.auth=none") == 78)
        #expect(status("http.tls.certificate=\(token)") == 78)
        #expect(status("http.tls.certificate=\(token)", "http.tls.key=\(token)") == 78)
        #expect(status("http.tls.certificate=/nowhere", "http.tls.key=/nowhere") == 78)
        #expect(status("http.hosts=a b") == 78)
        #expect(status("http.cors.origins=example.com") == 78)
        // Weights beside a model without probabilities, and those that do not exist.
        let model = SharedMaterial.repository.appending(path: "examples/demo/demo.model").path
        #expect(status("impact.weights=/nowhere.json", "model.path=\(model)") == 78)
        #expect(status("log.store=sqlite:\(folder.file("scores.db"))") == 0)
        #expect(status("log.store=sqlite:\(folder.file("missing/scores.db"))") == 78)
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

    @Test("Settings of the server that cannot work are refused at once")
    func serverSettings() throws {
        let folder = try TemporaryFolder("server")
        let model = SharedMaterial.repository.path + "/examples/demo/demo.model"
        let token = try folder.write("0123456789abcdef\n", "token")
        chmod(token, 0o600)
        let weights = try folder.write("{\"features\":[]}", "weights.json")
        func serve(_ words: String...) -> Int32 {
            Int32(CommandLineTool.run(["serve", "--model", model, "--for", "1ms", "--listen", "127.0.0.1:0"] + words))
        }
        #expect(serve() == 0)
        #expect(serve("--cors", "https://ads.example", "--hosts", "api.example,[::1]") == 0)
        for origin in ["*", "ads.example", "https://ads.example/", "https://ads.example/x", "ftp://ads.example"] {
            #expect(serve("--cors", origin) == 78, "\(origin)")
        }
        for host in ["*", "*.example", "api.example:80", "https://api.example"] {
            #expect(serve("--hosts", host) == 78, "\(host)")
        }
        #expect(serve("--token-file", token) == 0)
        #expect(serve("--token-file", token, "--no-auth") == 78)
        #expect(serve("--log-store", "sqlite:" + folder.file("nowhere/scores.db")) != 0)
        #expect(serve("--impact-weights", weights) == 78)
        #expect(CommandLineTool.run(["serve", "--model", model, "--listen", "none"]) == 78)
    }

    @Test("run answers before a broker does: health, readiness with the reason, metrics, pages")
    func brokerAway() throws {
        let folder = try TemporaryFolder("away")
        let model = SharedMaterial.repository.path + "/examples/demo/demo.model"
        let port = try #require(Spawn.freePort())
        let words = [
            "run", "--model", model, "--set", "bootstrap.servers=127.0.0.1:1", "--set", "http.listen=127.0.0.1:\(port)",
            "--set", "state.dir=\(folder.path)", "--set", "application.id=away", "--for", "20s",
        ]
        let ended = DispatchSemaphore(value: 0)
        Thread {
            _ = CommandLineTool.run(words)
            ended.signal()
        }.start()
        func ask(_ path: String) -> LoopbackClient.Answer? { LoopbackClient(port: port)?.request("GET", path) }
        var ready: LoopbackClient.Answer?
        for _ in 0..<1_500 where ready?.text.contains("no broker answers") != true {
            ready = ask("/ready")
            usleep(10_000)
        }
        #expect(ready?.status == 503 && ready?.text.contains("no broker answers") == true)
        #expect(ask("/health")?.status == 200)
        #expect(ask("/metrics")?.text.contains("impactiq_ready 0\n") == true)
        #expect(ask("/metrics")?.text.contains("impactiq_dead_letters_total{code=\"poison\"} 0\n") == true)
        #expect(ask("/")?.status == 200)
        #expect(ask("/v1/users/u")?.status == 503)
        ended.wait()
        // Ended: the server is gone with it.
        #expect(LoopbackClient(port: port) == nil)
    }
}
