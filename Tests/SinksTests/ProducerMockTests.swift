import Base
import CRdkafka
import Consumer
import Foundation
import Kafka
import Sinks
import TestSupport
import Testing

/// Faults on librdkafka's mock cluster, which knows transactions up to their errors (not their visibility).
@Suite("The producer under faults", .serialized)
struct ProducerMockTests {
    private func producer(_ cluster: MockCluster, _ identity: String? = "tx") throws -> OutputProducer {
        var options = ProducerOptions(transactionalID: identity)
        options.transactionTimeoutMilliseconds = 20_000
        return try OutputProducer(
            properties: ["bootstrap.servers": cluster.bootstrap, "retry.backoff.ms": "20"], options: options)
    }

    private func write(_ count: Int, _ producer: OutputProducer) throws {
        let topic = try producer.topic("t")
        let bytes = Array("value".utf8)
        for i in 0..<count {
            try bytes.withUnsafeBytes {
                try producer.produce(topic, partition: 0, key: nil, value: $0, timestamp: Int64(i + 1))
            }
        }
    }

    @Test("A coordinator that is not ready is asked again until it is")
    func retriable() throws {
        let cluster = try MockCluster()
        try cluster.create(topic: "t", partitions: 1)
        cluster.push(
            [RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, RD_KAFKA_RESP_ERR_NOT_COORDINATOR], on: .initProducerID)
        let producer = try producer(cluster)
        #expect(producer.start() == .ready)
        #expect(producer.begin() == .ready)
        try write(10, producer)
        cluster.push([RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS], on: .endTransaction)
        #expect(producer.commit() == .committed)
    }

    @Test("A record that the broker refuses aborts the transaction; the producer goes on")
    func abortable() throws {
        let cluster = try MockCluster()
        try cluster.create(topic: "t", partitions: 1)
        let producer = try producer(cluster)
        #expect(producer.start() == .ready)
        producer.begin()
        cluster.push([RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE], on: .produce)
        try write(10, producer)
        guard case .aborted(let cause?) = producer.commit() else {
            Issue.record("the transaction was not aborted")
            return
        }
        #expect(cause.code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
        #expect(cause.message.contains("t [0]"))
        // The mock, unlike a real broker, misses the record that it refused and refuses what follows it once more.
        var outcome = TransactionOutcome.ready
        for _ in 0..<5 where outcome != .committed {
            #expect(producer.begin() == .ready)
            try write(10, producer)
            outcome = producer.commit()
        }
        #expect(outcome == .committed)
    }

    @Test("A fatal error makes a new producer, which goes on with the same topics")
    func fatal() throws {
        let cluster = try MockCluster()
        try cluster.create(topic: "t", partitions: 1)
        let producer = try producer(cluster)
        #expect(producer.start() == .ready)
        producer.begin()
        try write(10, producer)
        cluster.push([RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED], on: .endTransaction)
        guard case .reinitialised = producer.commit() else {
            Issue.record("the producer was not made anew")
            return
        }
        #expect(producer.begin() == .ready)
        try write(10, producer)
        #expect(producer.commit() == .committed)
    }

    @Test("A fenced producer says so and stays so")
    func fenced() throws {
        let cluster = try MockCluster()
        try cluster.create(topic: "t", partitions: 1)
        let producer = try producer(cluster)
        #expect(producer.start() == .ready)
        producer.begin()
        try write(1, producer)
        cluster.push([RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH], on: .endTransaction)
        for outcome in [producer.commit(), producer.begin(), producer.start()] {
            guard case .fenced = outcome else {
                Issue.record("not fenced but \(outcome)")
                return
            }
        }
    }

    @Test("A broker that goes away and comes back in the middle loses nothing, in both guarantees")
    func brokerAway() throws {
        for identity in [nil, "tx"] {
            let cluster = try MockCluster()
            try cluster.create(topic: "t", partitions: 1)
            let producer = try producer(cluster, identity)
            #expect(producer.start() == .ready)
            producer.begin()
            try write(100, producer)
            cluster.setBroker(isUp: false)
            try write(100, producer)
            // The broker is back while the commit waits for it.
            Thread.detachNewThread {
                usleep(1_500_000)
                cluster.setBroker(isUp: true)
            }
            #expect(producer.commit() == .committed)
            #expect(producer.failedRecords == 0)
            producer.close()
            let admin = try Admin(properties: ["bootstrap.servers": cluster.bootstrap])
            #expect(try admin.watermarks(of: TopicPartition("t", 0)).high >= 200)
        }
    }

    @Test("A wait for a broker that is not there can be interrupted")
    func interrupted() throws {
        let cluster = try MockCluster()
        cluster.setBroker(isUp: false)
        let producer = try producer(cluster)
        let started = Date()
        nonisolated(unsafe) let waiting = producer  // `interrupt` is the one call that any thread may make.
        Thread.detachNewThread {
            usleep(200_000)
            waiting.interrupt()
        }
        #expect(producer.start() == .interrupted)
        #expect(Date().timeIntervalSince(started) < 30)
        producer.close()
    }
}
