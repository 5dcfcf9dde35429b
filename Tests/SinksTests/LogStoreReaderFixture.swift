import Base
import CRdkafka
import Events
import Foundation
import JSON
import Kafka
import Sinks
import TestSupport

/// A topic to write scores to, on a mock cluster or a real broker, and readers of it.
struct LogStoreReaderFixture {
    let properties: KafkaProperties
    let topic: String
    private let mock: MockCluster?

    /// On a mock cluster of its own.
    init(mock: MockCluster, topic: String = "uplift-scores", partitions: Int? = 3) throws {
        self.mock = mock
        self.topic = topic
        properties = ["bootstrap.servers": mock.bootstrap]
        if let partitions { try mock.create(topic: topic, partitions: partitions) }
    }

    /// On a real broker; the topic is made when `partitions` is given.
    init(broker: TestBroker, partitions: Int? = 3) throws {
        mock = nil
        topic = TestBroker.unique("scores")
        properties = ["bootstrap.servers": broker.bootstrap]
        if let partitions { try create(partitions: partitions) }
    }

    func create(partitions: Int) throws {
        if let mock { return try mock.create(topic: topic, partitions: partitions) }
        let admin = try Admin(properties: properties, timeoutMilliseconds: 30_000)
        // A topic that was just deleted is there for a moment longer.
        for _ in 0..<100 {
            if try admin.create([TopicPlan(topic, partitions: partitions)])[topic] == .created { return }
            Thread.sleep(forTimeInterval: 0.1)
        }
    }

    /// Adds partitions to the topic on a real broker.
    func grow(partitions: Int) throws {
        var change = rd_kafka_NewPartitions_new(topic, partitions, nil, 0)
        defer { rd_kafka_NewPartitions_destroy(change) }
        let admin = try Admin(properties: properties, timeoutMilliseconds: 30_000)
        try admin.request(RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, doing: "adding partitions") { client, options, queue in
            rd_kafka_CreatePartitions(client, &change, 1, options, queue)
        } read: { _ in
        }
        _ = try LogStoreReaderFixture.eventually { try admin.describe(topic)?.partitions == partitions }
    }

    /// Deletes the records of partition 0 before an offset, as retention does.
    func deleteRecords(before offset: Int64) throws {
        let list = rd_kafka_topic_partition_list_new(1)
        rd_kafka_topic_partition_list_add(list, topic, 0).pointee.offset = offset
        defer { rd_kafka_topic_partition_list_destroy(list) }
        var request = rd_kafka_DeleteRecords_new(list)
        defer { rd_kafka_DeleteRecords_destroy(request) }
        let admin = try Admin(properties: properties, timeoutMilliseconds: 30_000)
        try admin.request(RD_KAFKA_ADMIN_OP_DELETERECORDS, doing: "deleting records") { client, options, queue in
            rd_kafka_DeleteRecords(client, &request, 1, options, queue)
        } read: { _ in
        }
        _ = try LogStoreReaderFixture.eventually {
            try admin.watermarks(of: TopicPartition(topic, 0)).low == offset
        }
    }

    func producer(transactionalID: String? = nil) throws -> OutputProducer {
        try OutputProducer(properties: properties, options: ProducerOptions(transactionalID: transactionalID))
    }

    func send(_ scores: [TestScore], with producer: OutputProducer) throws {
        for score in scores {
            try send(key: Array(score.user.utf8), value: score.json, partition: score.partition, with: producer)
        }
    }

    func send(key: [UInt8]?, value: [UInt8]?, partition: Int32, with producer: OutputProducer) throws {
        let topic = try producer.topic(topic)
        func lend(_ bytes: [UInt8]?, _ body: (UnsafeRawBufferPointer?) throws -> Void) throws {
            guard let bytes else { return try body(nil) }
            try bytes.withUnsafeBytes { try body($0) }
        }
        try lend(key) { key in
            try lend(value) { value in
                try producer.produce(topic, partition: partition, key: key, value: value, timestamp: 1_700_000_000_000)
            }
        }
    }

    /// Writes scores and waits until the broker has them.
    func publish(_ scores: [TestScore]) throws {
        let producer = try producer()
        try send(scores, with: producer)
        try producer.flush()
        producer.close()
    }

    /// A reader that is running.
    ///
    /// - Parameter stopWithin: asks it to stop before it begins.
    func reader(
        _ database: TestDatabase, stopWithin: Double? = nil,
        _ change: (inout LogStoreReaderOptions) -> Void = { _ in }
    ) throws -> LogStoreReader {
        let store = try LogStoreAddress(parsing: database.address)
        return try reader(stopWithin: stopWithin, change) { () throws(LogStoreError) in
            try store.make()
        }
    }

    func reader(
        stopWithin: Double? = nil, _ change: (inout LogStoreReaderOptions) -> Void = { _ in },
        make: @escaping @Sendable () throws(LogStoreError) -> any LogStore
    ) throws -> LogStoreReader {
        var options = LogStoreReaderOptions(topic: topic)
        options.batchRows = 500
        options.flushMilliseconds = 50
        options.retrySeconds = 0.05...0.2
        options.refreshSeconds = 0.5
        change(&options)
        let reader = LogStoreReader(properties: properties, options: options, makeStore: make)
        if let stopWithin { reader.stop(within: stopWithin) }
        reader.start()
        return reader
    }

    /// Waits until the condition holds; false after a time that no working system needs.
    static func eventually(_ seconds: Double = 60, _ condition: () throws -> Bool) rethrows -> Bool {
        let end = Date().addingTimeInterval(seconds)
        while Date() < end {
            if try condition() { return true }
            Thread.sleep(forTimeInterval: 0.02)
        }
        return try condition()
    }
}

extension TestDatabase {
    /// As `log.store` has it.
    var address: String { kind == .sqlite ? "sqlite:\(name)" : url }
}

extension TestScore {
    /// The score as the output topic holds it.
    var json: [UInt8] {
        let out = ByteBuffer()
        func text(_ name: StaticString, _ value: String?) {
            out.append(name)
            if let value { out.appendJSONString(value) } else { out.append("null") }
        }
        func number(_ name: StaticString, _ value: Double?) {
            out.append(name)
            out.append(value ?? .nan)
        }
        text(#"{"user_id":"#, user)
        out.append(#","time":"#)
        out.append(time)
        text(#","event_type":"#, eventType)
        text(#","treatment":"#, treatment)
        text(#","outcome":"#, outcome)
        number(#","uplift":"#, uplift)
        number(#","std_error":"#, standardError)
        number(#","ci_lower":"#, lower)
        number(#","ci_upper":"#, upper)
        number(#","ci_level":"#, level)
        text(#","decision":"#, decision)
        text(#","model":"#, model)
        text(#","model_version":"#, version)
        text(#","model_sha256":"#, sha256)
        text(#","source":{"topic":"#, topic)
        out.append(#","partition":"#)
        out.append(Int64(partition))
        out.append(#","offset":"#)
        out.append(offset)
        out.append("}")
        if let effects {
            out.append(#","effects":"#)
            out.append(Array(effects.utf8))
        }
        out.append("}")
        return Array(out.bytes)
    }
}
