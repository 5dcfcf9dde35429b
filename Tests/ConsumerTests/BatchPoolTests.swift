import CRdkafka
import Consumer
import Foundation
import Kafka
import TestSupport
import Testing

/// The way of messages back to librdkafka. Its client's destruction waits for each that was lost, and the address sanitizer
/// finds each that was given back twice.
@Suite("Messages on their way back", .serialized)
struct BatchPoolTests {
    private func read(_ consumer: EventConsumer, _ count: Int, keeping kept: Int) throws {
        var read = 0
        let deadline = Date() + 30
        while read < count, Date() < deadline {
            let batch = try consumer.poll(max: 10, timeoutMilliseconds: 20)
            read += batch.count
            #expect(consumer.pool.lent == 1)
            #expect(consumer.pool.waiting <= kept)
        }
        #expect(read == count)
    }

    @Test("What waits stays within the bounds, goes back with the next fetch, and is gone after the close")
    func bounds() throws {
        let cluster = try MockCluster()
        try cluster.create(topic: "t", partitions: 1)
        try fill(cluster, "t", (0..<500).map { "value \($0)" })
        let bounds = [
            BatchPool.Bounds(batches: 3), .init(messages: 25), .init(bytes: 200), .init(batches: 0), BatchPool.Bounds(),
        ]
        for (bound, kept) in zip(bounds, [30, 25, 28, 0, 500]) {
            let consumer = try EventConsumer(
                properties: ["bootstrap.servers": cluster.bootstrap], topics: ["t"], options: quick(), bounds: bound)
            try consumer.assign([TopicPartition("t", 0): .beginning])
            try read(consumer, 500, keeping: kept)
            // An empty fetch comes back every 10 ms.
            let deadline = Date() + 30
            while consumer.pool.waiting > 0, Date() < deadline { usleep(1_000) }
            #expect(consumer.pool.waiting == 0)
            #expect(consumer.close())
            #expect(consumer.pool.lent == 0)
        }
    }

    @Test("Messages wait while no fetch comes back, and a close gives them back")
    func close() throws {
        let cluster = try MockCluster()
        try cluster.create(topic: "t", partitions: 1)
        try fill(cluster, "t", (0..<100).map { "value \($0)" })
        let slow = quick { $0.fetchWaitMilliseconds = 60_000 }
        let consumer = try EventConsumer(
            properties: ["bootstrap.servers": cluster.bootstrap, "socket.timeout.ms": "70000"], topics: ["t"],
            options: slow)
        try consumer.assign([TopicPartition("t", 0): .beginning])
        try read(consumer, 100, keeping: 100)
        // All came with one fetch, and the next waits for a minute.
        #expect(consumer.pool.waiting > 0)
        #expect(consumer.close())
        #expect(consumer.pool.waiting == 0)
    }

    @Test("A batch beyond the bounds gives back all that waits, though no fetch comes")
    func beyond() throws {
        let cluster = try MockCluster()
        try cluster.create(topic: "t", partitions: 1)
        try fill(cluster, "t", (0..<400).map { "value \($0)" })
        let slow = quick { $0.fetchWaitMilliseconds = 60_000 }
        let consumer = try EventConsumer(
            properties: ["bootstrap.servers": cluster.bootstrap, "socket.timeout.ms": "70000"], topics: ["t"],
            options: slow, bounds: .init(batches: 3))
        try consumer.assign([TopicPartition("t", 0): .beginning])
        // A fetch may come back at any moment, if seldom, and give back what waits; there is no other way from 30.
        var before = 0
        var fallsAtTheBound = 0
        for _ in 0..<40 {
            try read(consumer, 10, keeping: 30)
            let waiting = consumer.pool.waiting
            #expect([0, 10].contains(waiting) || (waiting == before + 10 && before < 30))
            if before == 30, waiting == 0 { fallsAtTheBound += 1 }
            before = waiting
        }
        #expect(fallsAtTheBound > 0)
        #expect(consumer.close())
    }

    @Test("Arrays are lent again, and one too small is not")
    func arrays() throws {
        let cluster = try MockCluster()
        try cluster.create(topic: "t", partitions: 1)
        let consumer = try EventConsumer(
            properties: ["bootstrap.servers": cluster.bootstrap], topics: ["t"], options: quick())
        let first = consumer.lendStorage(for: 10)
        _ = MessageBatch(first, count: 0)
        let again = consumer.lendStorage(for: 8)
        #expect(again === first)
        let second = consumer.lendStorage(for: 8)
        #expect(second !== first)
        #expect(consumer.pool.lent == 2)
        _ = MessageBatch(again, count: 0)
        _ = MessageBatch(second, count: 0)
        let large = consumer.lendStorage(for: 11)
        #expect(large.capacity == 11)
        _ = MessageBatch(large, count: 0)
        #expect(consumer.close())
    }
}
