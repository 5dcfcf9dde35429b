import CRdkafka
import Consumer
import Foundation
import Kafka
import TestSupport
import Testing

/// Two topics on the embedded broker, with records of known times, merged.
private final class MergedTopics: AssignmentHandler {
    static let topics = ["a", "b"]
    let cluster: MockCluster
    let consumer: EventConsumer
    let merger: TopicMerger
    /// What is in the logs, as the merge should give it: by partition, sorted by time, topic, offset.
    private(set) var expected: [Int32: [String]] = [:]

    /// - Parameter times: for each topic and partition the records' times, in the order of their offsets.
    init(_ times: [[[Int64]]], wait: Int, laneRecords: Int = 8_192) throws {
        cluster = try MockCluster()
        for topic in Self.topics { try cluster.create(topic: topic, partitions: times[0].count) }
        var options = ConsumerOptions()
        options.fetchWaitMilliseconds = 5
        options.reportsPartitionEnd = true
        consumer = try EventConsumer(
            properties: ["bootstrap.servers": cluster.bootstrap], topics: Self.topics, options: options)
        merger = TopicMerger(consumer, wait: wait, laneRecords: laneRecords)
        consumer.handler = self
        for (topic, partitions) in times.enumerated() {
            for (number, times) in partitions.enumerated() { try produce(topic, Int32(number), times) }
        }
        for number in times[0].indices {
            let records = times.enumerated().flatMap { topic, partitions in
                partitions[number].enumerated().map { (time: $1, topic: topic, offset: $0) }
            }
            expected[Int32(number)] = records.sorted { ($0.time, $0.topic, $0.offset) < ($1.time, $1.topic, $1.offset) }
                .map { "\($0.topic)/\($0.offset)" }
        }
    }

    func produce(_ topic: Int, _ partition: Int32, _ times: [Int64]) throws {
        let handle = try KafkaHandle(
            .producer, properties: ["bootstrap.servers": cluster.bootstrap], component: "filler")
        let target = rd_kafka_topic_new(handle.pointer, Self.topics[topic], nil)
        for time in times {
            #expect(
                crdkafka_produce(handle.pointer, target, partition, time, nil, 0, [120], 1)
                    == RD_KAFKA_RESP_ERR_NO_ERROR)
        }
        #expect(rd_kafka_flush(handle.pointer, 10_000) == RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_topic_destroy(target)
        #expect(handle.close())
    }

    func assignAll() throws {
        let places = Self.topics.flatMap { topic in expected.keys.map { TopicPartition(topic, $0) } }
        merger.add(places)
        try consumer.assign(Dictionary(uniqueKeysWithValues: places.map { ($0, .beginning) }))
    }

    /// Reads until `count` records have come, in batches of random size.
    func read(_ count: Int, _ random: inout SeededGenerator, rewindingAt rewind: Int = -1) throws -> [Int32: [String]] {
        var found: [Int32: [String]] = [:]
        var total = 0
        var left = rewind
        let deadline = Date() + 60
        while total < count, Date() < deadline {
            let batch = try merger.poll(max: Int.random(in: 1...50, using: &random), timeoutMilliseconds: 20)
            for i in 0..<batch.count {
                found[batch[i].partition, default: []].append("\(batch[i].topic)/\(batch[i].offset)")
            }
            total += batch.count
            if left >= 0, total > left {
                left = -1
                (found, total) = ([:], 0)
                try goBack()
            }
        }
        return found
    }

    /// Back to the beginning, as after an aborted transaction.
    private func goBack() throws {
        try merger.rewind()
        let places = Self.topics.flatMap { topic in expected.keys.map { TopicPartition(topic, $0) } }
        try consumer.seek(Dictionary(uniqueKeysWithValues: places.map { ($0, .beginning) }))
    }

    func close() -> Bool {
        merger.remove(Self.topics.flatMap { topic in expected.keys.map { TopicPartition(topic, $0) } })
        return consumer.close()
    }

    func assigned(_ partitions: [TopicPartition]) {}
    func revoked(_ partitions: [TopicPartition]) {}
    func lost(_ partitions: [TopicPartition]) {}
    func reachedEnd(of partition: TopicPartition, at offset: Int64) { merger.reachedEnd(of: partition, at: offset) }
}

@Suite("Merging co-partitioned topics", .serialized)
struct TopicMergerTests {
    /// Rising times with repeats, more in one topic than in the other.
    private static func times(_ random: inout SeededGenerator) -> [[[Int64]]] {
        [700, 90].map { count in
            (0..<2).map { _ in
                var time: Int64 = 1_000
                return (0..<count).map { _ in
                    time += Int64.random(in: 0...(2_000 / Int64(count)), using: &random)
                    return time
                }
            }
        }
    }

    @Test("Each partition comes by time, topic and offset, whatever the batches, also when lanes are paused for room")
    func order() throws {
        var random = SeededGenerator.announced()
        for laneRecords in [8_192, 8] {
            let times = Self.times(&random)
            let topics = try MergedTopics(times, wait: 1_500, laneRecords: laneRecords)
            try topics.assignAll()
            let found = try topics.read(1_580, &random)
            #expect(found == topics.expected)
            #expect(topics.merger.lateRecords == 0)
            #expect(topics.merger.waiting == 0)
            #expect(topics.close())
        }
    }

    @Test("After going back to the beginning the order is the same, and no record is lost or doubled")
    func rewind() throws {
        var random = SeededGenerator.announced()
        let topics = try MergedTopics(Self.times(&random), wait: 1_500, laneRecords: 64)
        try topics.assignAll()
        let found = try topics.read(1_580, &random, rewindingAt: 400)
        #expect(found == topics.expected)
        #expect(topics.close())
    }

    @Test("A topic that is silent is waited for, not for ever, and what comes too late is counted")
    func late() throws {
        var random = SeededGenerator.announced()
        let topics = try MergedTopics([[[10, 20, 30]], [[]]], wait: 50)
        try topics.assignAll()
        #expect(try topics.read(3, &random) == [0: ["0/0", "0/1", "0/2"]])
        try topics.produce(1, 0, [15, 40])
        #expect(try topics.read(2, &random) == [0: ["1/0", "1/1"]])
        #expect(topics.merger.lateRecords == 1)
        #expect(topics.close())
    }

    @Test("Records that wait when partitions go away are given back: the client can end")
    func removal() throws {
        var random = SeededGenerator.announced()
        let topics = try MergedTopics([[[10, 20, 30]], [[]]], wait: 60_000)
        try topics.assignAll()
        let deadline = Date() + 30
        while topics.merger.waiting < 3, Date() < deadline { _ = try topics.read(0, &random); try poll(topics) }
        #expect(topics.merger.waiting == 3)
        #expect(topics.close())
    }

    private func poll(_ topics: MergedTopics) throws {
        let isEmpty = try topics.merger.poll(max: 10, timeoutMilliseconds: 10).isEmpty
        #expect(isEmpty)
    }
}
