import Foundation
import Kafka
import Reliability
import TestSupport
import Testing

/// Every command that works with a broker, as a user runs it: one application from its topics to its end.
@Suite("Every command", .serialized)
struct EveryCommandTests {
    @Test("From topics create to reset")
    func inTurn() throws {
        guard let broker = TestBroker.start() else { return }
        let application = try CommandRun(broker)
        let (site, folder, topics) = (application.site, application.folder, [application.input, application.output])
        func run(_ words: [String], expecting status: Int32 = 0, _ comment: Comment? = nil) throws -> Spawn.Result {
            try application.run(
                words, set: ["log.store=sqlite:\(folder.file("scores.db"))"], expecting: status, comment)
        }

        #expect(try run(["config", "--json"]).text.contains("\"application.id\""))
        _ = try run(["topics", "check"], expecting: 1)
        #expect(try run(["topics", "create", "--partitions", "2"]).text.contains("created"))
        #expect(try run(["topics", "check", "--json"]).text.contains("\"input_partitions\":2"))
        _ = try run([
            "generate", "--events", "400", "--users", "20", "--invalid", "0.05", "--to", "topic:\(topics[0])",
        ])
        let file = folder.file("events.jsonl")
        let generate = [site.program, "generate", "--events", "100", "--users", "20", "--seed", "2", "--to", file]
        #expect(try Spawn.run(generate, environment: site.environment()).status == 0)
        _ = try run(["load", file])
        #expect(try run(["run", "--for", "8s"]).errors.contains("messages"))

        let letters = try run(["dead-letter", "list", "--json"]).text.split(separator: "\n")
        #expect(!letters.isEmpty)
        _ = try run(["dead-letter", "replay", "--code", "missing_field"])

        // As events come, in two lives, and all at once; before anybody is erased, of whom only the follower knew.
        let (followed, whole) = ("sqlite:" + folder.file("followed.db"), "sqlite:" + folder.file("whole.db"))
        _ = try run(["attribute", "run", "--source", "topic", "--out", whole])
        let report = try run(["attribute", "report", "--source", whole, "--json"]).text
        #expect(report.contains("channel_name"))
        // As many lives as a slow machine needs, two at the least.
        var inPieces = ""
        for life in 0..<20 where life < 2 || inPieces != report {
            _ = try run(["attribute", "follow", "--out", followed, "--for", "1s"])
            inPieces = try run(["attribute", "report", "--source", followed, "--json"]).text
        }
        #expect(inPieces == report)

        let line = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n").first ?? ""
        let event = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        let user = try #require(event?["user_id"] as? String)
        #expect(try run(["state", "get", user, "--json"]).text.contains("\"features\""))
        _ = try run(["state", "get", "nobody"], expecting: 1)
        #expect(try run(["state", "verify", "--json"]).text.contains("partition"))
        #expect(try run(["state", "delete", user]).text.contains("nothing was done"))
        #expect(try run(["state", "delete", user, "--yes"]).text.contains("user.delete"))

        #expect(try run(["state", "placement", "--json"]).text.contains("\"partitions\":2"))
        #expect(try run(["state", "align"]).text.contains("nothing was done"))
        #expect(try run(["state", "align", "--yes", "--json"]).text.contains("\"done\":true"))
        _ = try run(["state", "align", "--to", "nowhere"], expecting: 64)

        _ = try run(["log-store", "--for", "2s"])
        _ = try run(["replay", "--out", folder.file("replayed.jsonl"), "--against", topics[1]])
        _ = try run([
            "rows", "--features", "\(SharedMaterial.repository.path)/examples/demo/features.json", "--out",
            folder.file("rows.csv"),
        ])
        _ = try run(["run", "--for", "8s"])
        _ = try run(["topics", "grow", "--partitions", "1", "--yes"], expecting: 64)
        #expect(try run(["topics", "grow", "--partitions", "3"]).text.contains("nothing was done"))
        #expect(try run(["topics", "grow", "--partitions", "3", "--yes", "--json"]).text.contains("\"done\":true"))
        #expect(try run(["topics", "check", "--json"]).text.contains("\"input_partitions\":3"))
        #expect(try run(["state", "placement", "--json"]).text.contains("\"split\":0"))
        #expect(try run(["reset"]).text.contains("nothing was done"))
        for file in ["scores.db", "replayed.jsonl", "rows.csv", "followed.db"] {
            let mode = try FileManager.default.attributesOfItem(atPath: folder.file(file))[.posixPermissions] as? Int
            #expect(mode == 0o600, "\(file) holds users' data")
        }
    }
}
