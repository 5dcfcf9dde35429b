import Base
import Commands
import Events
import Foundation
import Pipeline
import Settings
import Sinks
import TestSupport
import Testing

/// `user.consent` end to end: what a user refuses is neither scored nor stored, across restarts, restores and replays.
@Suite("Consent", .serialized)
struct ConsentTests {
    private static let time: Int64 = 1_767_225_600_000

    private static func views(_ user: String, _ count: Int, from second: Int64) -> [(key: [UInt8]?, value: [UInt8]?)] {
        (0..<count).flatMap { i in
            let at = time + (second + Int64(i)) * 1_000
            return [
                StateRun.event(user, "page_view", time: at, ",\"channel\":\"c\(i % 5)\""),
                StateRun.event(user, "ad_view", time: at + 1),
            ]
        }
    }

    private static func consent(_ user: String, _ properties: String, at second: Int64) -> (
        key: [UInt8]?, value: [UInt8]?
    ) {
        StateRun.event(user, Purposes.eventType, time: time + second * 1_000, ",\"properties\":{\(properties)}")
    }

    private func uplifts(_ run: StateRun, of user: String) throws -> [Double?] {
        try run.harness.scores.filter { $0.key == Array(user.utf8) }.map { record in
            record.value == nil ? nil : try ScoreText(record).uplift
        }
    }

    @Test(
        "Who asks a running pipeline hears what a user refuses, and nothing of one who was erased, also when no event follows"
    )
    func asked() throws {
        guard let broker = TestBroker.start() else { return }
        let run = try StateRun(broker, partitions: 1)
        let events =
            Self.views("u", 3, from: 0) + Self.views("v", 3, from: 0) + Self.views("w", 3, from: 0) + [
                Self.consent("u", "\"scoring\":false", at: 20), Self.consent("v", "\"storing\":false", at: 20),
            ]
        try run.harness.produce(events)
        // The stop writes the local copy, which has all of them.
        try run.harness.run(until: events.count)
        try run.harness.produce([StateRun.event("w", "user.delete", time: Self.time + 35_000)])
        let application = try Application(configuration: run.harness.configuration, isStopped: { false })
        application.start()
        defer { application.stop() }
        let deadline = ContinuousClock.now + .seconds(60)
        while application.context.metrics.erasures.value < 1, !application.isStopping, ContinuousClock.now < deadline {
            Thread.sleep(forTimeInterval: 0.02)
        }
        let users = ["u", "v", "w"].map { Array($0.utf8) }
        let found = try #require(application.context.live.find(users, within: 30))
        #expect(found[users[0]]?.refuses == .scoring && found[users[0]]?.isShown == true)
        #expect(found[users[0]]?.events == 6)
        #expect(found[users[1]]?.isShown != true && found[users[2]] == nil)
        application.stop()
        try application.wait()
    }

    @Test(
        "Refusals hold across restarts with and without the local copy; a replay makes the same",
        arguments: [true, false])
    func refusals(keepsCopy: Bool) throws {
        guard let broker = TestBroker.start() else { return }
        let run = try StateRun(broker, partitions: 1, settings: ["log.store.erase=true"])
        let before = Self.views("u", 5, from: 0) + Self.views("v", 5, from: 0) + Self.views("w", 5, from: 0)
        let refusals = [
            Self.consent("u", "\"scoring\":false", at: 20), Self.consent("v", "\"storing\":false", at: 20),
        ]
        let between = Self.views("u", 3, from: 30) + Self.views("v", 3, from: 30) + Self.views("w", 3, from: 30)
        let allowed = [
            Self.consent("u", "\"scoring\":true", at: 40), Self.consent("v", "\"storing\":true", at: 40),
        ]
        let after = Self.views("u", 2, from: 50) + Self.views("v", 2, from: 50) + Self.views("w", 2, from: 50)

        try run.harness.produce(before + refusals)
        let first = try run.harness.run(until: before.count + refusals.count)
        #expect(first.erasures.value == 1)
        if !keepsCopy { try FileManager.default.removeItem(atPath: run.storePath) }
        try run.harness.produce(between)
        let second = try run.harness.run(until: between.count)
        #expect(second.refused.value == 6 + 3, "six events of v are not stored, three of u not scored")
        let found = try UserLookup.find("v", configuration: run.harness.configuration)
        #expect(found.map(\.events) == [0] && found.map(\.refuses) == [["storing"]])
        #expect(try UserLookup.find("u", configuration: run.harness.configuration).map(\.refuses) == [["scoring"]])
        // Erased meanwhile: the refusal stays.
        try run.harness.produce([StateRun.event("v", "user.delete", time: Self.time + 35_000)])
        try run.harness.run(until: 1)
        if !keepsCopy { try FileManager.default.removeItem(atPath: run.storePath) }
        try run.harness.produce(allowed + after)
        try run.harness.run(until: allowed.count + after.count)

        let all = try StateRun(broker, partitions: 1)
        try all.harness.produce(before + between + after)
        try all.harness.run(until: before.count + between.count + after.count)
        let fresh = try StateRun(broker, partitions: 1)
        try fresh.harness.produce(after)
        try fresh.harness.run(until: after.count)
        let u = try uplifts(all, of: "u")
        #expect(try uplifts(run, of: "u") == Array(u[..<5]) + Array(u[8...]))
        let v = try uplifts(all, of: "v")
        let anew = try uplifts(fresh, of: "v")
        #expect(try uplifts(run, of: "v") == Array(v[..<5]) + [nil] + anew)
        #expect(try uplifts(run, of: "w") == uplifts(all, of: "w"))
        #expect(Array(v.suffix(2)) != anew, "the features must tell who begins anew")
        #expect(try run.verify().allSatisfy { $0.differing == 0 })

        let c = run.harness.configuration
        let settings = [
            "bootstrap.servers=\(broker.bootstrap)", "input.topics=\(c.inputTopics[0])", "model.path=\(c.modelPath)",
            "event.time.max.ahead.ms=2000000000000",
        ]
        #expect(
            CommandLineTool.run(["replay"] + settings.flatMap { ["--set", $0] } + ["--against", c.outputTopic]) == 0)
    }
}
