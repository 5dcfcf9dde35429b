import Base
import Foundation
import Pipeline
import Settings
import StateStore
import Synchronization
import TestSupport
import Testing

/// Two processes' worth of pipelines in one group: state that moves, state that is kept warm, state that spills.
@Suite("State in a group", .serialized)
struct StateGroupTests {
    private static func wait(for what: String, seconds: Double = 90, until isTrue: () throws -> Bool) rethrows {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while try !isTrue() {
            guard ContinuousClock.now < deadline else {
                Issue.record("waited \(seconds) s in vain for \(what)")
                return
            }
            Thread.sleep(forTimeInterval: 0.02)
        }
    }

    private func start(_ run: StateRun) throws -> Application {
        let application = try Application(configuration: run.harness.configuration, isStopped: { false })
        application.start()
        return application
    }

    private func messages(_ application: Application) -> Int {
        application.context.metrics.messages.value
    }

    @Test("A partition that moves is restored while the others go on, and one that comes back is not restored")
    func moving() throws {
        guard let broker = TestBroker.start() else { return }
        let messages = try StateRun.trial(6_000, users: 400, seed: 21)
        let whole = try StateRun(broker, settings: ["state.store=none"])
        try whole.harness.produce(messages)
        try whole.harness.run(until: 6_000)

        let run = try StateRun(broker)
        let first = try start(run)
        try run.harness.produce(Array(messages[..<2_000]))
        Self.wait(for: "the first part") { self.messages(first) >= 2_000 }
        let second = try start(run)
        // A rebalance revokes all and gives most back.
        try run.harness.produce(Array(messages[2_000..<4_000]))
        Self.wait(for: "the second part") { self.messages(first) + self.messages(second) >= 4_000 }
        second.stop()
        try second.wait()
        let restored = first.context.metrics.restoredUsers.value
        let replayed = first.context.metrics.replayedRecords.value
        try run.harness.produce(Array(messages[4_000...]))
        Self.wait(for: "the last part") { self.messages(first) + self.messages(second) >= 6_000 }
        first.stop()
        try first.wait()
        print("the first process restored \(restored) users, replayed \(replayed) records before the second left")
        #expect(try run.scores() == whole.scores())
        #expect(try run.changelog() == whole.changelog())
        #expect(try run.verify().reduce(0) { $0 + $1.differing } == 0)
    }

    @Test("Of three partitions two go on at once when the third comes: only that one is restored")
    func comingBack() throws {
        guard let broker = TestBroker.start() else { return }
        let run = try StateRun(broker, settings: ["state.store=none"])
        let first = try start(run)
        try run.harness.produce(try StateRun.trial(3_000, users: 300, seed: 22))
        Self.wait(for: "the events") { self.messages(first) >= 3_000 }
        #expect(first.context.metrics.replayedRecords.value == 0)
        let second = try start(run)
        Self.wait(for: "the second process to take a share") {
            second.context.metrics.replayedRecords.value > 0
        }
        // What stayed with the first process was not read again.
        #expect(first.context.metrics.replayedRecords.value == 0)
        second.stop()
        try second.wait()
        let moved = second.context.metrics.replayedRecords.value
        Self.wait(for: "the first process to have it all again") {
            first.context.metrics.replayedRecords.value > 0
        }
        first.stop()
        try first.wait()
        #expect(first.context.metrics.replayedRecords.value <= moved)
    }

    @Test("With a standby copy a failover loads what is there and replays a tail")
    func standby() throws {
        guard let broker = TestBroker.start() else { return }
        let settings = ["num.standby.replicas=1"]
        let messages = try StateRun.trial(4_000, users: 300, seed: 23)
        let whole = try StateRun(broker, settings: ["state.store=none"])
        try whole.harness.produce(messages)
        try whole.harness.run(until: 4_000)
        let run = try StateRun(broker, settings: settings)
        let first = try start(run)
        try run.harness.produce(Array(messages[..<2_000]))
        Self.wait(for: "the first part") { self.messages(first) >= 2_000 }
        let second = try start(run)
        let topic = run.harness.configuration.changelogTopic
        // Both processes' stores together: each partition twice, once with its owner, once warm.
        try Self.wait(for: "warm copies") {
            let copies = try LocalCopies(stateDirectory: run.harness.folder.path, topic: topic)
            defer { copies.close() }
            let counts = Dictionary(grouping: copies.copies, by: \.partition).mapValues(\.count)
            return counts.count == run.harness.partitions && counts.values.allSatisfy { $0 >= 2 }
        }
        let before = second.context.metrics.restoredUsers.value
        first.stop()
        try first.wait()
        try run.harness.produce(Array(messages[2_000...]))
        Self.wait(for: "the second part") { self.messages(first) + self.messages(second) >= 4_000 }
        let loaded = second.context.metrics.restoredUsers.value - before
        second.stop()
        try second.wait()
        print("the failover loaded \(loaded) users from warm copies")
        #expect(loaded > 0)
        #expect(try run.scores() == whole.scores())
        #expect(try run.changelog() == whole.changelog())
        #expect(try run.verify().reduce(0) { $0 + $1.differing } == 0)
    }

    @Test("With a tiny memory bound the same scores leave, and the bound holds across restarts")
    func spilling() throws {
        guard let broker = TestBroker.start() else { return }
        // Few users per event, so that users go and come back.
        let messages = try StateRun.trial(120_000, users: 40_000, seed: 24)
        let whole = try StateRun(broker, settings: ["state.store=none"])
        try whole.harness.produce(messages)
        try whole.harness.run(until: messages.count)
        let run = try StateRun(
            broker,
            settings: [
                "state.cache.bytes=1048576", "state.memory.bytes=\((1 << 20) + (2 << 20) + (8 << 20))",
                "commit.interval.ms=50",
            ])
        var evicted = 0
        var reloaded = 0
        for piece in 0..<2 {
            try run.harness.produce(Array(messages[piece * 60_000..<(piece + 1) * 60_000]))
            let metrics = try run.harness.run(until: 60_000)
            evicted += metrics.evictedUsers.value
            reloaded += metrics.reloadedUsers.value
        }
        print("evicted \(evicted), brought back \(reloaded)")
        #expect(evicted > 0)
        #expect(reloaded > 0)
        #expect(try run.scores() == whole.scores())
        #expect(try run.changelog() == whole.changelog())
        #expect(try run.verify().reduce(0) { $0 + $1.differing } == 0)
    }
}
