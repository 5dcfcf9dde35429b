import Base
import CSQLite
import Foundation
import Kafka
import Pipeline
import Settings
import Sinks
import Synchronization
import TestSupport
import Testing

/// `user.delete` end to end: state, changelog, local copy, output topic, log store.
@Suite("Erasure", .serialized)
struct ErasureTests {
    private static let time: Int64 = 1_767_225_600_000

    /// Events of two users; "gone" is erased in the middle and comes back.
    private static func messages(erases: Bool) -> [(key: [UInt8]?, value: [UInt8]?)] {
        var messages: [(key: [UInt8]?, value: [UInt8]?)] = []
        for i in 0..<40 {
            let user = i % 2 == 0 ? "gone" : "stays"
            messages.append(
                StateRun.event(user, "page_view", time: time + Int64(i) * 1_000, ",\"channel\":\"c\(i % 5)\""))
            messages.append(StateRun.event(user, "ad_view", time: time + Int64(i) * 1_000 + 1))
        }
        if erases { messages.append(StateRun.event("gone", "user.delete", time: time + 50_000)) }
        return messages
    }

    private static let later = [
        StateRun.event("gone", "page_view", time: time + 60_000),
        StateRun.event("gone", "ad_view", time: time + 60_001),
        StateRun.event("stays", "ad_view", time: time + 60_002),
    ]

    private func uplifts(_ run: StateRun, of user: String) throws -> [Double?] {
        try run.harness.scores.filter { $0.key == Array(user.utf8) }.map { record in
            record.value == nil ? nil : try ScoreText(record).uplift
        }
    }

    @Test("An erased user begins anew; the tombstone stands between the scores before and after")
    func beginsAnew() throws {
        guard let broker = TestBroker.start() else { return }
        let run = try StateRun(broker, partitions: 1, settings: ["log.store.erase=true"])
        // All in one batch, so that the order within a batch is put to the test.
        try run.harness.produce(Self.messages(erases: true) + Self.later)
        let metrics = try run.harness.run(until: 84)
        #expect(metrics.erasures.value == 1)
        let fresh = try StateRun(broker, partitions: 1)
        try fresh.harness.produce(Self.later)
        try fresh.harness.run(until: 3)
        let all = try StateRun(broker, partitions: 1)
        try all.harness.produce(Self.messages(erases: false) + Self.later)
        try all.harness.run(until: 83)

        let before = try uplifts(all, of: "gone")
        let afresh = try uplifts(fresh, of: "gone")
        #expect(before.last != afresh.last, "the features must tell an erased user from one with a past")
        #expect(try uplifts(run, of: "gone") == before.dropLast() + [nil] + afresh)
        #expect(try uplifts(run, of: "stays") == uplifts(all, of: "stays"))
        #expect(try run.changelog()[Array("gone".utf8)] == fresh.changelog()[Array("gone".utf8)])
    }

    @Test("Nothing of an erased user is left: changelog, local copy, look-up; a restart does not bring it back")
    func nothingLeft() throws {
        guard let broker = TestBroker.start() else { return }
        let run = try StateRun(broker, partitions: 1)
        let gone = Array("gone".utf8)
        try run.harness.produce(Self.messages(erases: false))
        try run.harness.run(until: 80)
        #expect(try run.localCopy()[gone] != nil || run.verify().first?.inTail ?? 0 > 0)
        #expect(try UserLookup.find("gone", configuration: run.harness.configuration).map(\.events) == [40])
        try run.harness.produce([StateRun.event("gone", "user.delete", time: Self.time + 50_000)])
        try run.harness.run(until: 1)
        let records = try run.harness.read(run.harness.configuration.changelogTopic).filter { $0.key == gone }
        #expect(records.last.map { $0.value == nil } == true)
        #expect(try UserLookup.find("gone", configuration: run.harness.configuration).isEmpty)
        #expect(try UserLookup.find("stays", configuration: run.harness.configuration).count == 1)
        #expect(try run.verify().allSatisfy { $0.differing == 0 })
        // Another restart, with somebody else's event: the copy must be complete by then.
        try run.harness.produce([StateRun.event("stays", "ad_view", time: Self.time + 70_000)])
        try run.harness.run(until: 1)
        #expect(try run.localCopy()[gone] == nil)
        // The topic is not compacted, so it gets no tombstone.
        #expect(try run.harness.scores.allSatisfy { $0.value != nil })
    }

    @Test("A compacted output topic gets a tombstone")
    func compactedOutput() throws {
        guard let broker = TestBroker.start() else { return }
        let run = try StateRun(broker, partitions: 1)
        let admin = try Admin(properties: ["bootstrap.servers": broker.bootstrap])
        defer { admin.close() }
        let name = run.harness.configuration.outputTopic
        try admin.delete(topics: [name])
        var created = false
        for _ in 0..<100 where !created {
            // Deletion is not at once.
            let result = try? admin.create([TopicPlan(name, partitions: 1, settings: ["cleanup.policy": "compact"])])
            created = result?[name] == .created
            if !created { Thread.sleep(forTimeInterval: 0.1) }
        }
        try #require(created)
        try run.harness.produce(Self.messages(erases: true))
        try run.harness.run(until: 81)
        let scores = try run.harness.scores
        #expect(scores.filter { $0.value == nil }.map(\.key) == [Array("gone".utf8)])
    }

    @Test("With log.store.erase the log store keeps one row a score of the others, and none of the erased user")
    func logStore() throws {
        guard let broker = TestBroker.start() else { return }
        let run = try StateRun(broker, partitions: 1, settings: ["log.store.erase=true"])
        try run.harness.produce(Self.messages(erases: true) + Self.later)
        try run.harness.run(until: 84)
        let path = run.harness.folder.appending(path: "scores.db").path
        var options = LogStoreReaderOptions(topic: run.harness.configuration.outputTopic)
        options.erasesOnTombstone = run.harness.configuration.erasesLogStore
        let reader = LogStoreReader(properties: ["bootstrap.servers": broker.bootstrap], options: options) {
            () throws(LogStoreError) -> any LogStore in SQLiteLogStore(path: path)
        }
        reader.start()
        let deadline = ContinuousClock.now + .seconds(60)
        while reader.counters.rows < 42, ContinuousClock.now < deadline { Thread.sleep(forTimeInterval: 0.05) }
        reader.stop(within: 20)
        _ = try reader.wait(within: 25)
        #expect(reader.counters.erased == 20)
        #expect(try rows(path, "stays") == 21)
        #expect(try rows(path, "gone") == 1)
    }

    private func rows(_ path: String, _ user: String) throws -> Int {
        var database: OpaquePointer?
        try #require(sqlite3_open(path, &database) == SQLITE_OK)
        defer { sqlite3_close(database) }
        var statement: OpaquePointer?
        try #require(
            sqlite3_prepare_v2(database, "SELECT count(*) FROM scores WHERE user_id = ?", -1, &statement, nil)
                == SQLITE_OK)
        defer { sqlite3_finalize(statement) }
        // SQLITE_TRANSIENT: the library copies the text.
        sqlite3_bind_text(statement, 1, user, -1, unsafeBitCast(-1, to: sqlite3_destructor_type.self))
        try #require(sqlite3_step(statement) == SQLITE_ROW)
        return Int(sqlite3_column_int64(statement, 0))
    }
}
