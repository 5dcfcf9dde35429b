import AttributionStore
import Base
import Foundation
import Reliability
import Settings
import TestSupport
import Testing

/// `attribute follow` while its broker and its database come and go: nothing is lost, nothing counts twice.
@Suite("attribute follow", .serialized)
struct FollowTests {
    private static let program = SharedMaterial.repository.appending(path: ".build/release/impactiq").path

    /// Journeys of a few users, with scores of theirs in no other order than the events.
    private static func events(_ round: Int) -> [(key: [UInt8]?, value: [UInt8]?)] {
        (0..<200).map { index in
            let user = "u\(index % 23)"
            let time = 1_767_225_600_000 + Int64(round * 1_000 + index) * 600_000
            let type = index % 11 == 10 ? "purchase" : index % 3 == 0 ? "click" : "ad_view"
            return StateRun.event(user, type, time: time, ",\"channel\":\"c\(index % 5)\",\"value\":\(index % 7 + 1)")
        }
    }

    private func credit(_ place: String) throws -> [String] {
        let database = try SQLPlace.open(place, creates: false)
        var lines: [String] = []
        for sql in [
            "SELECT conv_id, session_id, ihc, 0, 0 FROM attribution_customer_journey",
            "SELECT channel_name, date, cost, ihc, ihc_revenue FROM channel_reporting",
        ] {
            let rows = try database.query(sql, [])
            while try rows.next() {
                // Numbers as numbers: the databases write them differently.
                let numbers = (2..<5).map { "\(rows.double($0) ?? .nan)" }
                lines.append("\(rows.text(0) ?? "") \(rows.text(1) ?? "") " + numbers.joined(separator: " "))
            }
        }
        return lines.sorted()
    }

    private func read(_ place: String) -> Int {
        guard let database = try? SQLPlace.open(place, creates: false) else { return 0 }
        return (try? database.value("SELECT sum(next) FROM impactiq_event_positions")).flatMap { $0 }.flatMap {
            Int($0)
        } ?? 0
    }

    /// Waits until so many records were read; false after two minutes.
    private func awaits(_ count: Int, _ place: String, _ follower: ChildProcess) -> Bool {
        let end = ContinuousClock.now + .seconds(120)
        while ContinuousClock.now < end, follower.isRunning {
            if read(place) >= count { return true }
            usleep(50_000)
        }
        return read(place) >= count
    }

    @Test("A broker that is paused and killed, a database that is locked and moved away")
    func trouble() throws {
        guard FileManager.default.isExecutableFile(atPath: Self.program) else {
            print("skipped: needs the program impactiq beside the tests")
            return
        }
        guard let broker = TestBroker.own() else { return }
        let harness = try PipelineHarness(broker, model: "none.model", partitions: 2)
        try FileManager.default.createDirectory(at: harness.folder, withIntermediateDirectories: true)
        let settings = [
            "--set", "bootstrap.servers=\(broker.bootstrap)", "--set",
            "input.topics=\(harness.configuration.inputTopics[0])",
        ]
        let path = harness.folder.appending(path: "followed.db").path
        let place = "sqlite:\(path)"
        let command =
            [Self.program, "attribute", "follow", "--out", place, "--every", "100ms", "--lock-wait", "200ms"]
            + settings
        let follower = try ChildProcess(
            command, environment: ProcessInfo.processInfo.environment, log: harness.folder.appending(path: "log").path)
        try harness.produce(Self.events(0))
        #expect(awaits(200, place, follower), "\(follower.tail)")

        #expect(broker.node("pause"))
        #expect(follower.says("trying again", seconds: 90), "\(follower.tail)")
        #expect(broker.node("resume"))
        #expect(follower.says("works again after", seconds: 90), "\(follower.tail)")
        try harness.produce(Self.events(1))
        #expect(awaits(400, place, follower), "\(follower.tail)")

        do {
            let lock = try SQLiteDatabase(path: path, creates: false)
            try lock.begin(writing: true)
            try harness.produce(Self.events(2))
            #expect(follower.says("is locked by another process", seconds: 60), "\(follower.tail)")
            #expect(read(place) == 400)
            lock.rollback()
        }
        #expect(awaits(600, place, follower), "\(follower.tail)")

        #expect(broker.node("kill"))
        usleep(500_000)
        #expect(broker.node("restart"))
        try harness.produce(Self.events(3))
        #expect(awaits(800, place, follower), "\(follower.tail)")

        // Moved away and back: a file of the same name is never made beside it.
        try FileManager.default.moveItem(atPath: path, toPath: path + ".away")
        try harness.produce(Self.events(4))
        #expect(follower.says("is gone", seconds: 60), "\(follower.tail)")
        usleep(300_000)
        #expect(!FileManager.default.fileExists(atPath: path))
        try FileManager.default.moveItem(atPath: path + ".away", toPath: path)
        #expect(awaits(1_000, place, follower), "\(follower.tail)")

        follower.signal(SIGTERM)
        #expect(follower.wait(seconds: 60) == .exited(0), "\(follower.tail)")
        try expectBatch(place, harness, settings, rows: 50)
    }

    /// Many steps' worth of events of many users, a third of them late.
    private static func many(_ round: Int, _ generator: inout SeededGenerator) -> [(key: [UInt8]?, value: [UInt8]?)] {
        (0..<15_000).map { index in
            let user = "u\(Int.random(in: 0..<3_000, using: &generator))"
            let late =
                Int.random(in: 0..<3, using: &generator) == 0 ? Int64.random(in: 0..<9_000_000, using: &generator) : 0
            let time = 1_767_225_600_000 + Int64(round * 15_000 + index) * 600 - late
            let kind = Int.random(in: 0..<40, using: &generator)
            let type = kind == 0 ? "refund" : kind < 4 ? "purchase" : kind < 16 ? "click" : "ad_view"
            return StateRun.event(user, type, time: time, ",\"channel\":\"c\(index % 5)\",\"value\":\(index % 7 + 1)")
        }
    }

    /// Every conversion's credit is 1, and the report's sums are those of the credit.
    private func expectWhole(_ place: String) throws {
        let database = try SQLPlace.open(place, creates: false)
        guard try !database.columns(of: "channel_reporting").isEmpty else { return }
        let odd = try database.value(
            "SELECT count(*) FROM (SELECT 1 FROM attribution_customer_journey GROUP BY conv_id HAVING sum(ihc) <> 1)")
        #expect(odd == "0")
        let conversions = try database.value("SELECT count(DISTINCT conv_id) FROM attribution_customer_journey")
        let sum = try database.value("SELECT coalesce(sum(ihc), 0) FROM channel_reporting")
        #expect(sum.flatMap { Double($0) } == conversions.flatMap { Double($0) })
    }

    /// What was followed is what a batch over the same topic gives, of more than so many rows.
    private func expectBatch(_ place: String, _ harness: PipelineHarness, _ settings: [String], rows: Int) throws {
        let whole = "sqlite:" + harness.folder.appending(path: "whole.db").path
        let batch = try Spawn.run(
            [Self.program, "attribute", "run", "--source", "topic", "--out", whole] + settings)
        #expect(batch.status == 0, "\(batch.errors)")
        #expect(try credit(place).count > rows)
        #expect(try credit(place) == credit(whole))
    }

    @Test("Killed at random moments: what is left is whole, and in the end what a batch gives")
    func kills() throws {
        guard FileManager.default.isExecutableFile(atPath: Self.program) else { return }
        guard let broker = TestBroker.start() else { return }
        var generator = SeededGenerator.announced("follow kills")
        let harness = try PipelineHarness(broker, model: "none.model", partitions: 2)
        try FileManager.default.createDirectory(at: harness.folder, withIntermediateDirectories: true)
        let settings = [
            "--set", "bootstrap.servers=\(broker.bootstrap)", "--set",
            "input.topics=\(harness.configuration.inputTopics[0])",
        ]
        let place = "sqlite:" + harness.folder.appending(path: "killed.db").path
        let command = [Self.program, "attribute", "follow", "--out", place, "--every", "10ms"] + settings
        let environment = ProcessInfo.processInfo.environment
        var (rounds, before, inside) = (0, 0, 0)
        for kill in 0..<24 {
            if kill % 3 == 0 {
                try harness.produce(Self.many(rounds, &generator))
                rounds += 1
            }
            let follower = try ChildProcess(
                command, environment: environment, log: harness.folder.appending(path: "log").path)
            usleep(UInt32.random(in: 20_000..<900_000, using: &generator))
            follower.signal(SIGKILL)
            _ = follower.wait(seconds: 60)
            let done = read(place)
            #expect(done >= before)
            if done < rounds * 15_000 { inside += 1 }
            before = done
            try expectWhole(place)
        }
        print("follow kills: \(inside) of 24 before all was attributed")
        // Something to wait for: a signal must not come before the program listens to it.
        try harness.produce(Self.many(rounds, &generator))
        rounds += 1
        let follower = try ChildProcess(
            command, environment: environment, log: harness.folder.appending(path: "log").path)
        #expect(awaits(rounds * 15_000, place, follower), "\(follower.tail)")
        follower.signal(SIGTERM)
        #expect(follower.wait(seconds: 60) == .exited(0), "\(follower.tail)")
        try expectBatch(place, harness, settings, rows: 10_000)
    }

    @Test("PostgreSQL that crashes while it is followed into")
    func postgreSQL() throws {
        guard FileManager.default.isExecutableFile(atPath: Self.program) else { return }
        guard let broker = TestBroker.start(), let server = TestPostgres() else { return }
        let harness = try PipelineHarness(broker, model: "none.model", partitions: 2)
        try FileManager.default.createDirectory(at: harness.folder, withIntermediateDirectories: true)
        let settings = [
            "--set", "bootstrap.servers=\(broker.bootstrap)", "--set",
            "input.topics=\(harness.configuration.inputTopics[0])",
        ]
        try PostgreSQLDatabase(url: server.url(schema: "public")).execute("CREATE SCHEMA followed")
        let place = server.url(schema: "followed")
        let follower = try ChildProcess(
            [Self.program, "attribute", "follow", "--out", place, "--every", "100ms"] + settings,
            environment: ProcessInfo.processInfo.environment, log: harness.folder.appending(path: "log").path)
        try harness.produce(Self.events(0))
        #expect(awaits(200, place, follower), "\(follower.tail)")
        for round in 1...2 {
            #expect(server.crash())
            try harness.produce(Self.events(round))
            #expect(follower.says("trying again", seconds: 60), "\(follower.tail)")
            #expect(server.start())
            #expect(awaits(200 * (round + 1), place, follower), "\(follower.tail)")
        }
        follower.signal(SIGTERM)
        #expect(follower.wait(seconds: 60) == .exited(0), "\(follower.tail)")
        let text = try String(contentsOfFile: follower.log, encoding: .utf8)
        #expect(!text.contains("s3cret"))
        let whole = "sqlite:" + harness.folder.appending(path: "whole.db").path
        let batch = try Spawn.run(
            [Self.program, "attribute", "run", "--source", "topic", "--out", whole] + settings)
        #expect(batch.status == 0, "\(batch.errors)")
        let (found, expected) = (try credit(place), try credit(whole))
        #expect(found.count > 30 && found.count == expected.count)
        #expect(found == expected)
    }
}
