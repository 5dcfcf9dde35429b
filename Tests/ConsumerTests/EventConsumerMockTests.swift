import Base
import CRdkafka
import Consumer
import Foundation
import Kafka
import TestSupport
import Testing

/// Fills a topic of the mock cluster through the C library, since the producer is downstream of this module. The cluster
/// answers a fetch with one batch of a partition, so a batch is sent when it is full, or at the end.
func fill(_ cluster: MockCluster, _ topic: String, _ values: [String], inBatchesOf size: Int = 10_000) throws {
    let properties: KafkaProperties = [
        "bootstrap.servers": cluster.bootstrap, "batch.num.messages": "\(size)", "linger.ms": "10000",
    ]
    let handle = try KafkaHandle(.producer, properties: properties, component: "filler")
    let target = rd_kafka_topic_new(handle.pointer, topic, nil)
    // What is produced before the partitions are known reaches them piecemeal.
    var metadata: UnsafePointer<rd_kafka_metadata>?
    #expect(rd_kafka_metadata(handle.pointer, 0, target, &metadata, 10_000) == RD_KAFKA_RESP_ERR_NO_ERROR)
    metadata.map(rd_kafka_metadata_destroy)
    for (i, value) in values.enumerated() {
        let bytes = Array(value.utf8)
        #expect(
            crdkafka_produce(handle.pointer, target, 0, Int64(i + 1), nil, 0, bytes, bytes.count)
                == RD_KAFKA_RESP_ERR_NO_ERROR)
    }
    #expect(rd_kafka_flush(handle.pointer, 10_000) == RD_KAFKA_RESP_ERR_NO_ERROR)
    rd_kafka_topic_destroy(target)
    #expect(handle.close())
}

func quick(_ change: (inout ConsumerOptions) -> Void = { _ in }) -> ConsumerOptions {
    var options = ConsumerOptions()
    options.fetchWaitMilliseconds = 10
    change(&options)
    return options
}

/// Polls until `count` values are there or the time is up.
private func read(_ consumer: EventConsumer, _ count: Int, max: Int = 7, seconds: Double = 30) throws -> [String] {
    var values: [String] = []
    let deadline = Date() + seconds
    while values.count < count && Date() < deadline {
        let batch = try consumer.poll(max: max, timeoutMilliseconds: 20)
        for i in 0..<batch.count {
            values.append(batch[i].payloadBuffer.map { String(decoding: $0, as: UTF8.self) } ?? "(null)")
        }
    }
    return values
}

@Suite("The consumer on a mock cluster", .serialized)
struct EventConsumerMockTests {
    @Test("Reads all in order, in batches of any size, and gives all messages back")
    func reads() throws {
        let cluster = try MockCluster()
        try cluster.create(topic: "t", partitions: 1)
        let values = (0..<500).map { "value \($0)" }
        try fill(cluster, "t", values)
        for max in [1, 7, 100, 10_000] {
            let consumer = try EventConsumer(
                properties: ["bootstrap.servers": cluster.bootstrap], topics: ["t"], options: quick())
            try consumer.assign([TopicPartition("t", 0): .beginning])
            #expect(try read(consumer, 500, max: max) == values)
            // The client's destruction waits for every message that was not given back.
            #expect(consumer.close())
        }
    }

    @Test("A reader that has drained what was fetched, though there is more, wakes librdkafka; at the end it does not")
    func wakes() throws {
        let cluster = try MockCluster()
        try cluster.create(topic: "t", partitions: 1)
        let values = (0..<200).map { "value \($0)" }
        try fill(cluster, "t", values, inBatchesOf: 10)
        let consumer = try EventConsumer(
            properties: ["bootstrap.servers": cluster.bootstrap, "max.partition.fetch.bytes": "500"], topics: ["t"],
            options: quick())
        try consumer.assign([TopicPartition("t", 0): .beginning])
        let first = try read(consumer, 5, max: 5)
        // From here on each fetch takes far longer than the reader's patience.
        cluster.setRoundTrip(milliseconds: 40)
        #expect(try first + read(consumer, 195, max: 5) == values)
        let wakes = consumer.wakes
        #expect(wakes > 0)
        for _ in 0..<10 { _ = try consumer.poll(max: 5, timeoutMilliseconds: 20) }
        #expect(consumer.wakes == wakes)
        #expect(consumer.close())
    }

    @Test("A batch is never larger than asked, and an empty one comes when the time is up")
    func bounds() throws {
        let cluster = try MockCluster()
        try cluster.create(topic: "t", partitions: 1)
        try fill(cluster, "t", (0..<100).map { "\($0)" })
        let consumer = try EventConsumer(
            properties: ["bootstrap.servers": cluster.bootstrap], topics: ["t"], options: quick())
        try consumer.assign([TopicPartition("t", 0): .offset(90)])
        var total = 0
        for _ in 0..<100 where total < 10 {
            let count = try consumer.poll(max: 3, timeoutMilliseconds: 100).count
            #expect(count <= 3)
            total += count
        }
        #expect(total == 10)
        let isEmpty = try consumer.poll(max: 3, timeoutMilliseconds: 30).isEmpty
        #expect(isEmpty)
        #expect(consumer.positions([TopicPartition("t", 0)]) == [TopicPartition("t", 0): 100])
        #expect(consumer.close())
    }

    @Test("A broker that is away at the start or in mid-stream is not an error: reading goes on when it is back")
    func brokerAway() throws {
        let cluster = try MockCluster()
        try cluster.create(topic: "t", partitions: 1)
        let values = (0..<50).map { "\($0)" }
        try fill(cluster, "t", values)
        cluster.setBroker(isUp: false)
        let consumer = try EventConsumer(
            properties: ["bootstrap.servers": cluster.bootstrap], topics: ["t"], options: quick())
        try consumer.assign([TopicPartition("t", 0): .beginning])
        #expect(try read(consumer, 1, seconds: 1) == [])
        #expect(consumer.handle.isBrokerAway)
        cluster.setBroker(isUp: true)
        #expect(try read(consumer, 50) == values)
        cluster.setBroker(isUp: false)
        #expect(try read(consumer, 1, seconds: 1) == [])
        cluster.setBroker(isUp: true)
        try fill(cluster, "t", values)
        #expect(try read(consumer, 50) == values)
        // Reported within two of the two-second reports.
        let deadline = Date() + 30
        while consumer.handle.isBrokerAway && Date() < deadline {
            _ = try consumer.poll(max: 1, timeoutMilliseconds: 50)
        }
        #expect(!consumer.handle.isBrokerAway)
        #expect(consumer.close())
    }

    @Test("Closing ends within its time when no broker answers")
    func closeWithoutBroker() throws {
        let cluster = try MockCluster()
        try cluster.create(topic: "t", partitions: 1)
        let consumer = try EventConsumer(
            properties: ["bootstrap.servers": cluster.bootstrap], topics: ["t"],
            options: quick { $0.group = "g" })
        try consumer.subscribe()
        cluster.setBroker(isUp: false)
        _ = try consumer.poll(max: 1, timeoutMilliseconds: 200)
        let started = Date()
        consumer.close(timeoutMilliseconds: 3_000)
        #expect(Date().timeIntervalSince(started) < 10)
    }

    @Test("A missing right is an error with its place, and reading goes on when it is given")
    func authorization() throws {
        let cluster = try MockCluster()
        try cluster.create(topic: "t", partitions: 1)
        try fill(cluster, "t", ["a"])
        cluster.push([RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED], on: .fetch)
        let consumer = try EventConsumer(
            properties: ["bootstrap.servers": cluster.bootstrap], topics: ["t"], options: quick())
        try consumer.assign([TopicPartition("t", 0): .beginning])
        let refused = #expect(throws: KafkaError.self) { try read(consumer, 1) }
        #expect(refused?.isAuthorization == true)
        #expect(refused?.message.contains("t [0]") == true)
        #expect(try read(consumer, 1) == ["a"])
        #expect(consumer.close())
    }

    @Test("What the guarantees rest on cannot be set otherwise, everything else can")
    func fixedOptions() {
        let properties = ConsumerOptions(group: "g").properties([
            "enable.auto.commit": "true", "partition.assignment.strategy": "cooperative-sticky",
            "fetch.wait.max.ms": "7", "client.id": "mine",
        ])
        #expect(properties["enable.auto.commit"] == "false")
        #expect(properties["partition.assignment.strategy"] == "range")
        #expect(properties["fetch.wait.max.ms"] == "7")
        #expect(properties["client.id"] == "mine")
        #expect(properties["isolation.level"] == "read_committed")
    }
}
