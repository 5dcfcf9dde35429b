import Base
import Foundation
import Kafka
import Sinks
import TestSupport
import Testing

/// The reader against a real broker: transactions, and topics that change under it.
@Suite("Log store on a broker") struct LogStoreBrokerTests {
    func scores(_ offsets: Range<Int64>, partitions: Int32 = 3) -> [TestScore] {
        offsets.map { TestScore(partition: Int32($0) % partitions, offset: $0, user: "user-\($0 % 10)") }
    }

    @Test("Only committed scores, each once; stopping reads to the committed end")
    func transactions() throws {
        guard let broker = TestBroker.start() else { return }
        let fixture = try LogStoreReaderFixture(broker: broker)
        let database = try TestDatabase(.sqlite)
        let producer = try fixture.producer(transactionalID: TestBroker.unique("tx"))
        #expect(producer.start() == .ready)
        let reader = try fixture.reader(database)
        var expected: [TestScore] = []
        for round in 0..<20 as Range<Int64> {
            let batch = scores(round * 100..<round * 100 + 100)
            #expect(producer.begin() == .ready)
            try fixture.send(batch, with: producer)
            if round % 3 == 1 {
                try producer.flush()
                #expect(producer.abort() == .aborted(nil))
            } else {
                #expect(producer.commit() == .committed)
                expected += batch
            }
        }
        reader.stop(within: 30)
        try reader.wait()
        #expect(try database.scores() == expected.sorted())
        #expect(reader.counters.rows == expected.count)
        // An open transaction holds the end; its rows come with its commit.
        #expect(producer.begin() == .ready)
        let late = scores(5_000..<5_050)
        try fixture.send(late, with: producer)
        try producer.flush()
        let second = try fixture.reader(database)
        #expect(LogStoreReaderFixture.eventually { second.counters.phase == .reading })
        #expect(LogStoreReaderFixture.eventually { second.counters.lag == 0 })
        #expect(second.counters.rows == 0)
        #expect(producer.commit() == .committed)
        #expect(LogStoreReaderFixture.eventually { second.counters.rows == 50 })
        second.stop(within: 30)
        try second.wait()
        #expect(try database.scores() == (expected + late).sorted())
    }

    @Test("Stopping waits for a commit that is under way, and not for ever")
    func openTransaction() throws {
        guard let broker = TestBroker.start() else { return }
        let fixture = try LogStoreReaderFixture(broker: broker)
        let database = try TestDatabase(.sqlite)
        let producer = try fixture.producer(transactionalID: TestBroker.unique("tx"))
        #expect(producer.start() == .ready)
        #expect(producer.begin() == .ready)
        let first = scores(0..<60)
        try fixture.send(first, with: producer)
        try producer.flush()
        let reader = try fixture.reader(database) { $0.openTransactionSeconds = 300 }
        #expect(LogStoreReaderFixture.eventually { reader.counters.phase == .reading })
        reader.stop(within: 300)
        #expect(LogStoreReaderFixture.eventually { reader.counters.unread.map { $0 > 0 } ?? false })
        #expect(producer.commit() == .committed)
        try reader.wait()
        #expect(reader.counters.unread == 0)
        #expect(try database.scores() == first.sorted())

        #expect(producer.begin() == .ready)
        try fixture.send(scores(60..<120), with: producer)
        try producer.flush()
        let impatient = try fixture.reader(database, stopWithin: 300) { $0.openTransactionSeconds = 0.2 }
        try impatient.wait()
        #expect(impatient.counters.unread.map { $0 > 0 } == true)
        #expect(impatient.counters.rows == 0)
        #expect(producer.abort() == .aborted(nil))
    }

    @Test("A topic that is made later, and partitions that are added later")
    func growing() throws {
        guard let broker = TestBroker.start() else { return }
        let fixture = try LogStoreReaderFixture(broker: broker, partitions: nil)
        let database = try TestDatabase(.sqlite)
        let reader = try fixture.reader(database)
        #expect(LogStoreReaderFixture.eventually { reader.counters.phase == .waitingForTopic })
        try fixture.create(partitions: 1)
        try fixture.publish(scores(0..<100, partitions: 1))
        #expect(LogStoreReaderFixture.eventually { reader.counters.rows == 100 })
        try fixture.grow(partitions: 4)
        try fixture.publish(scores(100..<500, partitions: 4))
        #expect(LogStoreReaderFixture.eventually { reader.counters.rows == 500 })
        reader.stop(within: 30)
        try reader.wait()
        #expect(try database.scores() == (scores(0..<100, partitions: 1) + scores(100..<500, partitions: 4)).sorted())
    }

    @Test("A topic that was made anew is noticed, and the message's remedy works")
    func recreated() throws {
        guard let broker = TestBroker.start() else { return }
        let fixture = try LogStoreReaderFixture(broker: broker, partitions: 2)
        let database = try TestDatabase(.sqlite)
        try fixture.publish(scores(0..<100, partitions: 2))
        let reader = try fixture.reader(database)
        #expect(LogStoreReaderFixture.eventually { reader.counters.rows == 100 })
        reader.stop(within: 10)
        try reader.wait()
        let admin = try Admin(properties: fixture.properties, timeoutMilliseconds: 30_000)
        try admin.delete(topics: [fixture.topic])
        // The controller answers before the broker has forgotten the topic.
        #expect(try LogStoreReaderFixture.eventually { try admin.describe(fixture.topic) == nil })
        try fixture.create(partitions: 2)
        #expect(try LogStoreReaderFixture.eventually { try admin.describe(fixture.topic)?.partitions == 2 })
        try fixture.publish(scores(100..<120, partitions: 2))
        let second = try fixture.reader(database)
        let error = #expect(throws: ImpactError.self) { try second.wait() }
        #expect(error?.code == "log_store_topic_recreated")
        let remedy = "DELETE FROM impactiq_positions WHERE topic = '\(fixture.topic)'"
        #expect(error?.message.contains(remedy) == true)
        #expect(try database.scores().count == 100)
        try database.execute(remedy)
        let third = try fixture.reader(database)
        #expect(LogStoreReaderFixture.eventually { third.counters.rows == 20 })
        third.stop(within: 10)
        try third.wait()
        #expect(try database.scores() == scores(0..<120, partitions: 2).sorted())
    }

    @Test("Records that retention deleted are told, and reading goes on")
    func retention() throws {
        guard let broker = TestBroker.start() else { return }
        let fixture = try LogStoreReaderFixture(broker: broker, partitions: 1)
        let database = try TestDatabase(.sqlite)
        try fixture.publish(scores(0..<10, partitions: 1))
        let reader = try fixture.reader(database)
        #expect(LogStoreReaderFixture.eventually { reader.counters.rows == 10 })
        reader.stop(within: 10)
        try reader.wait()
        try fixture.publish(scores(10..<100, partitions: 1))
        try fixture.deleteRecords(before: 60)
        let second = try fixture.reader(database)
        #expect(LogStoreReaderFixture.eventually { second.counters.rows == 40 })
        second.stop(within: 10)
        try second.wait()
        #expect(try database.scores().map(\.offset) == Array(0..<10) + Array(60..<100))
    }
}
