import Consumer
import Engine
import Foundation
import Kafka
import Sinks
import TestSupport
import Testing

@Suite("Transactions on a real broker", .serialized)
struct ProducerTransactionTests {
    @Test("Committed records are visible, aborted ones are not, and both are in the log")
    func commitAndAbort() throws {
        guard let fixture = try ConsumerFixture(partitions: 2) else { return }
        let producer = try fixture.producer(TestBroker.unique("tx"))
        #expect(producer.start() == .ready)
        #expect(producer.begin() == .ready)
        try fixture.write(0..<10, with: producer)
        #expect(producer.commit() == .committed)
        producer.begin()
        try fixture.write(10..<20, with: producer)
        try producer.flush()
        #expect(producer.abort() == .aborted(nil))
        producer.begin()
        try fixture.write(20..<30, with: producer)
        #expect(producer.commit() == .committed)
        producer.close()
        let expected = (0..<2).map { p in
            (Array(0..<10) + Array(20..<30)).filter { $0 % 2 == p }.map { "\($0)" }
        }
        #expect(try fixture.values() == expected)
        let all = try fixture.values(isolation: .readUncommitted).map { $0.compactMap(Int.init) }
        #expect(all == (0..<2).map { p in (0..<30).filter { $0 % 2 == p } })
    }

    @Test("Consume, transform, produce: with random aborts and restarts each input gives one output, in order")
    func exactlyOnce() throws {
        guard let input = try ConsumerFixture(partitions: 3), let output = try ConsumerFixture(partitions: 3) else {
            return
        }
        var random = SeededGenerator.announced()
        try input.fill(0..<3000)
        let group = TestBroker.unique("group")
        let identity = TestBroker.unique("tx")
        var done = 0
        var consumer = try input.consumer(group: group)
        var producer = try output.producer(identity)
        try consumer.subscribe()
        producer.start()
        var target = try producer.topic(output.topic)
        let deadline = Date() + 120
        while done < 3000 && Date() < deadline {
            var next: [TopicPartition: Int64] = [:]
            // A batch ends with its function, before the consumer may be closed.
            let count = try transform(
                try consumer.poll(max: Int.random(in: 1...200, using: &random), timeoutMilliseconds: 50), input,
                target, producer, &next)
            if count == 0 { continue }
            switch Int.random(in: 0..<10, using: &random) {
            case 0, 1:
                #expect(producer.abort() == .aborted(nil))
                try consumer.seekToCommitted()
            case 2:
                // A restart in the middle of a transaction: a new producer of the same identity ends it.
                consumer.close()
                producer.close()
                consumer = try input.consumer(group: group)
                producer = try output.producer(identity)
                try consumer.subscribe()
                #expect(producer.start() == .ready)
                target = try producer.topic(output.topic)
            default:
                #expect(producer.commit(offsets: next, group: try consumer.groupMetadata()) == .committed)
                done += count
            }
        }
        #expect(consumer.close())
        producer.close()
        #expect(try output.values() == (0..<3).map { p in (0..<3000).filter { $0 % 3 == p }.map { "\($0)" } })
        let committed = try Admin(properties: input.properties).committedOffsets(ofGroup: group)
        #expect(committed == Dictionary(uniqueKeysWithValues: (0..<3).map { (input.partition($0), 1000) }))
    }

    /// Begins a transaction and writes the batch to it, byte for byte. Returns the count of records.
    private func transform(
        _ batch: consuming MessageBatch, _ input: ConsumerFixture, _ target: OutputTopic, _ producer: OutputProducer,
        _ next: inout [TopicPartition: Int64]
    ) throws -> Int {
        if batch.isEmpty { return 0 }
        producer.begin()
        for i in 0..<batch.count {
            try producer.produce(target, partition: batch[i].partition, copyOf: batch[i], adding: [])
            next[input.partition(batch[i].partition)] = batch[i].offset + 1
        }
        return batch.count
    }

    @Test("A second producer of the same identity fences the first, whose open transaction never shows")
    func zombie() throws {
        guard let fixture = try ConsumerFixture() else { return }
        let identity = TestBroker.unique("tx")
        let zombie = try fixture.producer(identity)
        zombie.start()
        zombie.begin()
        try fixture.write(0..<10, prefix: "zombie", with: zombie)
        try zombie.flush()
        let living = try fixture.producer(identity)
        #expect(living.start() == .ready)
        living.begin()
        try fixture.write(0..<10, prefix: "living", with: living)
        #expect(living.commit() == .committed)
        guard case .fenced = zombie.commit() else {
            Issue.record("the zombie was not told that it is fenced")
            return
        }
        // Once fenced it stays so, whatever it is asked.
        guard case .fenced = zombie.begin() else {
            Issue.record("the zombie went on")
            return
        }
        zombie.close()
        living.close()
        #expect(try fixture.values() == [(0..<10).map { "living\($0)" }])
    }

    @Test("A member that the group has left behind cannot commit offsets: its transaction is aborted")
    func staleGeneration() throws {
        guard let input = try ConsumerFixture(), let output = try ConsumerFixture() else { return }
        try input.fill(0..<10)
        let group = TestBroker.unique("group")
        let consumer = try input.consumer(group: group)
        try consumer.subscribe()
        try poll(consumer, until: { !consumer.assignment.owned.isEmpty })
        let stale = try consumer.groupMetadata()
        consumer.close()
        let successor = try input.consumer(group: group)
        try successor.subscribe()
        try poll(successor, until: { !successor.assignment.owned.isEmpty })
        let producer = try output.producer(TestBroker.unique("tx"))
        producer.start()
        producer.begin()
        try output.write(0..<5, with: producer)
        guard case .aborted(let cause?) = producer.commit(offsets: [input.partition(0): 5], group: stale) else {
            Issue.record("a stale member's commit was not aborted")
            return
        }
        #expect(cause.requiresAbort)
        // The producer is whole: the next transaction works.
        producer.begin()
        try output.write(5..<10, with: producer)
        #expect(
            producer.commit(offsets: [input.partition(0): 7], group: try successor.groupMetadata()) == .committed)
        #expect(try successor.committed([input.partition(0)]) == [input.partition(0): 7])
        successor.close()
        producer.close()
        #expect(try output.values() == [(5..<10).map { "\($0)" }])
    }
}
