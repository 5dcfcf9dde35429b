import Base
import Foundation
import Kafka
import Sinks
import TestSupport
import Testing

/// The reader on librdkafka's mock cluster: what is read is stored once, whatever goes away meanwhile.
@Suite("Log store reader") struct LogStoreReaderTests {
    func scores(_ offsets: Range<Int64>, partitions: Int32 = 3) -> [TestScore] {
        offsets.map { offset in
            var generator = SeededGenerator(seed: UInt64(offset))
            return TestScore.random(partition: Int32(offset) % partitions, offset: offset, using: &generator)
        }
    }

    @Test("Every score once, also after a restart; what is not a score is recorded", arguments: DatabaseKind.available)
    func everything(_ kind: DatabaseKind) throws {
        let mock = try MockCluster()
        let fixture = try LogStoreReaderFixture(mock: mock)
        let database = try TestDatabase(kind)
        let hostile: [[UInt8]] = [
            [], Array("{".utf8), Array("[]".utf8), Array(#"{"user_id":"u"}"#.utf8), [0xFF, 0xFE],
            TestScore(offset: 9_999, user: "zero\u{0}byte").json, TestScore(offset: 9_999, user: "").json,
            TestScore(offset: 9_999, user: String(repeating: "x", count: 5_000)).json,
            TestScore(offset: 9_999, uplift: .infinity).json,
        ]
        let first = scores(0..<3_000)
        let producer = try fixture.producer()
        for (i, score) in first.enumerated() {
            if i % 300 == 7 {
                try fixture.send(key: nil, value: hostile[i / 300 % hostile.count], partition: 1, with: producer)
            }
            try fixture.send([score], with: producer)
        }
        try fixture.send(key: Array("u".utf8), value: nil, partition: 2, with: producer)
        try producer.flush()

        let reader = try fixture.reader(database)
        #expect(LogStoreReaderFixture.eventually { reader.counters.rows == 3_000 && reader.counters.rejected == 10 })
        #expect(LogStoreReaderFixture.eventually { reader.counters.lag == 0 })
        #expect(reader.counters.phase == .reading)
        reader.stop(within: 10)
        try reader.wait()
        #expect(reader.counters.phase == .stopped)
        #expect(reader.counters.tombstonesPassed == 1)
        #expect(try database.scores() == first.sorted())
        let codes = try database.query("SELECT code FROM impactiq_rejected ORDER BY kafka_offset").compactMap { $0[0] }
        #expect(
            codes == [
                "empty_message", "invalid_json", "invalid_json", "missing_field", "invalid_json", "zero_byte",
                "key_length", "key_length", "missing_field", "empty_message",
            ])

        // The next reader goes on where the first has stopped, and reads to the end though it is stopped at once.
        let more = scores(3_000..<4_000)
        try fixture.publish(more)
        let second = try fixture.reader(database)
        #expect(LogStoreReaderFixture.eventually { second.counters.phase == .reading })
        second.stop(within: 20)
        try second.wait()
        #expect(second.counters.rows == 1_000)
        #expect(second.counters.duplicates == 0)
        #expect(try database.scores() == (first + more).sorted())
    }

    @Test("Asked to stop before it has begun, it reads to the end all the same", arguments: DatabaseKind.available)
    func stoppedEarly(_ kind: DatabaseKind) throws {
        let mock = try MockCluster()
        let fixture = try LogStoreReaderFixture(mock: mock)
        let database = try TestDatabase(kind)
        let all = scores(0..<2_000)
        try fixture.publish(all)
        // A process may have done its work and be asked to leave before its reader has found the topic.
        let reader = try fixture.reader(database, stopWithin: 60)
        try reader.wait()
        #expect(reader.counters.rows == 2_000)
        #expect(reader.counters.unread == 0)
        #expect(try database.scores() == all.sorted())
        // Without time there is nothing it could do, and it does not claim to have done it.
        try fixture.publish(scores(2_000..<2_100))
        let hurried = try fixture.reader(database, stopWithin: 0)
        try hurried.wait()
        #expect(hurried.counters.unread == nil)
        #expect(try database.scores() == all.sorted())
    }

    @Test("A topic that is not there yet is waited for")
    func missingTopic() throws {
        let mock = try MockCluster()
        // The mock makes a topic when it is asked for one it does not know, unless its name is refused.
        let fixture = try LogStoreReaderFixture(mock: mock, partitions: nil)
        let database = try TestDatabase(.sqlite)
        let reader = try fixture.reader(database)
        let waits = LogStoreReaderFixture.eventually(3) { reader.counters.phase == .waitingForTopic }
        if waits {
            try fixture.create(partitions: 2)
        } else {
            #expect(reader.counters.phase == .reading)
        }
        try fixture.publish(scores(0..<100, partitions: 2))
        #expect(LogStoreReaderFixture.eventually { reader.counters.rows == 100 })
        reader.stop(within: 5)
        try reader.wait()
    }

    @Test("A broker that goes away and comes back", arguments: DatabaseKind.available)
    func brokerAway(_ kind: DatabaseKind) throws {
        let mock = try MockCluster()
        let fixture = try LogStoreReaderFixture(mock: mock)
        let database = try TestDatabase(kind)
        try fixture.publish(scores(0..<500))
        mock.setBroker(isUp: false)
        let reader = try fixture.reader(database)
        #expect(LogStoreReaderFixture.eventually { reader.counters.retries > 0 })
        mock.setBroker(isUp: true)
        #expect(LogStoreReaderFixture.eventually { reader.counters.rows == 500 })
        mock.setBroker(isUp: false)
        Thread.sleep(forTimeInterval: 0.5)
        mock.setBroker(isUp: true)
        try fixture.publish(scores(500..<900))
        #expect(LogStoreReaderFixture.eventually { reader.counters.rows == 900 })
        reader.stop(within: 5)
        try reader.wait()
        #expect(try database.scores() == scores(0..<900).sorted())
    }

    @Test("A tombstone erases what came before it, and nothing after", arguments: DatabaseKind.available)
    func tombstones(_ kind: DatabaseKind) throws {
        let mock = try MockCluster()
        let fixture = try LogStoreReaderFixture(mock: mock, partitions: 1)
        let database = try TestDatabase(kind)
        let all = scores(0..<600, partitions: 1)
        let producer = try fixture.producer()
        var expected: [TestScore] = []
        for (i, score) in all.enumerated() {
            try fixture.send([score], with: producer)
            expected.append(score)
            guard i % 100 == 50 else { continue }
            for user in ["user-\(i / 100)", "user-10"] {
                try fixture.send(key: Array(user.utf8), value: nil, partition: 0, with: producer)
                expected.removeAll { $0.user == user }
            }
        }
        try fixture.send(key: nil, value: nil, partition: 0, with: producer)
        try producer.flush()
        let reader = try fixture.reader(database) { $0.erasesOnTombstone = true }
        #expect(LogStoreReaderFixture.eventually { reader.counters.rejected == 1 })
        reader.stop(within: 10)
        try reader.wait()
        #expect(try database.scores() == expected)
        #expect(reader.counters.rows == 600)
        #expect(reader.counters.erased == 600 - expected.count)
        #expect(try database.query("SELECT code FROM impactiq_rejected") == [["null_key"]])
    }

    @Test("Two readers of one topic into one database double nothing", arguments: DatabaseKind.available)
    func twoReaders(_ kind: DatabaseKind) throws {
        let mock = try MockCluster()
        let fixture = try LogStoreReaderFixture(mock: mock)
        let database = try TestDatabase(kind)
        let all = scores(0..<5_000)
        try fixture.publish(all)
        let readers = try (0..<2).map { _ in try fixture.reader(database) { $0.batchRows = 100 } }
        #expect(LogStoreReaderFixture.eventually { readers.reduce(0) { $0 + $1.counters.rows } >= 5_000 })
        for reader in readers { reader.stop(within: 10) }
        for reader in readers { try reader.wait() }
        #expect(readers.reduce(0) { $0 + $1.counters.rows } == 5_000)
        #expect(readers.reduce(0) { $0 + $1.counters.duplicates } == 0)
        #expect(try database.scores() == all.sorted())
    }

    @Test("A database filled from another cluster is refused")
    func otherCluster() throws {
        let database = try TestDatabase(.sqlite)
        let store = try database.open()
        let other = FollowedTopic(cluster: "elsewhere", topic: "uplift-scores")
        _ = try store.append(ScoreBatch(scores(0..<10), from: nil, next: 10, source: other))
        let mock = try MockCluster()
        let fixture = try LogStoreReaderFixture(mock: mock)
        let reader = try fixture.reader(database)
        let error = #expect(throws: ImpactError.self) { try reader.wait() }
        #expect(error?.code == "log_store_other_cluster")
        #expect(reader.counters.phase == .failed)
        #expect(try store.rowCount(user: nil) == 10)
    }

    @Test("A database that cannot be used ends the reader with its reason")
    func unusable() throws {
        let mock = try MockCluster()
        let fixture = try LogStoreReaderFixture(mock: mock)
        let reader = try fixture.reader { () throws(LogStoreError) in SQLiteLogStore(path: "/nowhere/at/all.db") }
        let error = #expect(throws: ImpactError.self) { try reader.wait() }
        #expect(error?.code == "log_store_open")
        #expect(error?.kind == .badConfiguration)
    }

    @Test("Stops within its time while broker and database are away")
    func stopsWhileAway() throws {
        let mock = try MockCluster()
        let fixture = try LogStoreReaderFixture(mock: mock)
        mock.setBroker(isUp: false)
        let database = try TestDatabase(.sqlite)
        let reader = try fixture.reader(database)
        #expect(LogStoreReaderFixture.eventually { reader.counters.phase == .waitingForBroker })
        reader.stop(within: 1)
        try reader.wait()
        let lost = try fixture.reader { () throws(LogStoreError) in
            try PostgreSQLLogStore(url: "postgresql://nobody@127.0.0.1:1/none")
        }
        #expect(LogStoreReaderFixture.eventually { lost.counters.phase == .waitingForDatabase })
        lost.stop(within: 1)
        try lost.wait()
    }
}
