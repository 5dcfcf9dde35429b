import Consumer
import Engine
import Foundation
import Kafka
import Sinks
import TestSupport
import Testing

/// A record as the test wants it back.
private struct Record: Equatable {
    var key: [UInt8]?
    var value: [UInt8]?
    var headers: [RecordHeader]
    var timestamp: Int64

    init(key: [UInt8]?, value: [UInt8]?, headers: [RecordHeader] = [], timestamp: Int64) {
        self.key = key
        self.value = value
        self.headers = headers
        self.timestamp = timestamp
    }

    init(_ message: borrowing Message) {
        key = message.keyBuffer.map { Array($0) }
        value = message.payloadBuffer.map { Array($0) }
        headers = message.headers
        timestamp = message.timestamp
    }
}

@Suite("Records on a real broker", .serialized)
struct ProducerRecordTests {
    @Test("Null and empty, headers, and any timestamp come back as they were written")
    func roundTrip() throws {
        guard let fixture = try ConsumerFixture(plan: TopicPlan.scores) else { return }
        let now = Int64(Date().timeIntervalSince1970 * 1000)
        let records = [
            Record(key: nil, value: nil, timestamp: now),
            Record(key: [], value: [], timestamp: now),
            Record(key: [1], value: nil, timestamp: 1),
            Record(key: nil, value: [0, 255], timestamp: 86_400_000),
            // Days ahead of the broker's clock: refused unless the topic is set as the plan says.
            Record(key: [7], value: [8], timestamp: now + 30 * 86_400_000),
            Record(
                key: [2], value: [3],
                headers: [
                    RecordHeader("a", text: "x"), RecordHeader("a", []), RecordHeader("null", nil),
                    RecordHeader(nameBytes: [0xFF, 0xC0], [0, 1, 2]),
                ], timestamp: now),
        ]
        let producer = try fixture.producer()
        let target = try producer.topic(fixture.topic)
        for record in records { try write(record, target, producer) }
        try producer.flush()
        // The batch call writes the same.
        let bytes: [UInt8] = [1, 2, 3, 4]
        let flat = [
            OutputRecord(key: 0..<2, value: 2..<4, timestamp: now),
            OutputRecord(key: nil, value: nil, timestamp: 0),
            OutputRecord(key: 1..<1, value: 4..<4, timestamp: 5),
        ]
        try flat.withUnsafeBufferPointer { flat in
            try bytes.withUnsafeBytes { try producer.produceBatch(target, partition: 0, flat, bytes: $0) }
        }
        try producer.flush()
        producer.close()
        let expected =
            records + [
                Record(key: [1, 2], value: [3, 4], timestamp: now), Record(key: nil, value: nil, timestamp: 1),
                Record(key: [], value: [], timestamp: 5),
            ]
        #expect(try fixture.read { Record($0) } == [expected])
    }

    private func write(_ record: Record, _ topic: OutputTopic, _ producer: OutputProducer) throws {
        try (record.value ?? []).withUnsafeBytes { value in
            try (record.key ?? []).withUnsafeBytes { key in
                try producer.produce(
                    topic, partition: 0, key: record.key == nil ? nil : key, value: record.value == nil ? nil : value,
                    headers: record.headers, timestamp: record.timestamp)
            }
        }
    }

    @Test("A full buffer is waited for: far more bytes than it holds arrive, in order")
    func backPressure() throws {
        guard let fixture = try ConsumerFixture() else { return }
        var options = ProducerOptions()
        options.bufferBytes = 1  // Raised to the least there is: 32 MiB.
        let producer = try OutputProducer(properties: fixture.properties, options: options)
        let target = try producer.topic(fixture.topic)
        let arena = [UInt8](repeating: 65, count: 1 << 16)
        let count = 1600
        let records = (0..<count).map { OutputRecord(key: nil, value: 0..<arena.count, timestamp: Int64($0 + 1)) }
        try records.withUnsafeBufferPointer { records in
            try arena.withUnsafeBytes { try producer.produceBatch(target, partition: 0, records, bytes: $0) }
        }
        try producer.flush()
        producer.close()
        let isInOrder = try fixture.read { $0.timestamp } == [(1...count).map { Int64($0) }]
        #expect(isInOrder)
    }

    @Test("The batch stamped with the present: bytes as given, in order, through a buffer too small for it")
    func batchNow() throws {
        guard let fixture = try ConsumerFixture() else { return }
        var options = ProducerOptions(transactionalID: TestBroker.unique("tx"))
        options.bufferBytes = 1
        let producer = try OutputProducer(properties: fixture.properties, options: options)
        let target = try producer.topic(fixture.topic)
        producer.start()
        producer.begin()
        let started = Int64(Date().timeIntervalSince1970 * 1000)
        // Values of 0 … 40,000 bytes at their number's place, every tenth null.
        let arena = (0..<60_000).map { UInt8(truncatingIfNeeded: $0) }
        let count = 3000
        let lengths = (0..<count).map { ($0 * 7919) % 40_000 }
        let records = (0..<count).map { i in
            OutputRecord(
                key: i..<(i + 2), value: i % 10 == 0 ? nil : i..<(i + lengths[i]), timestamp: 5)
        }
        try records.withUnsafeBufferPointer { records in
            try arena.withUnsafeBytes { try producer.produceBatchNow(target, partition: 0, records, bytes: $0) }
        }
        #expect(producer.commit() == .committed)
        producer.close()
        let found = try fixture.read { Record($0) }[0]
        #expect(found.count == count)
        var wrong = 0
        for (i, record) in found.enumerated() {
            let value = i % 10 == 0 ? nil : Array(arena[i..<(i + lengths[i])])
            if record.key != Array(arena[i..<(i + 2)]) || record.value != value || record.timestamp < started {
                wrong += 1
            }
        }
        #expect(wrong == 0)
    }

    @Test("A dead letter of 10 MB is whole on a topic as planned, in parts on a default one, and never lost")
    func deadLetters() throws {
        guard let input = try ConsumerFixture(plan: TopicPlan.events),
            let planned = try ConsumerFixture(plan: TopicPlan.deadLetter),
            let small = try ConsumerFixture()
        else { return }
        let now = Int64(Date().timeIntervalSince1970 * 1000)
        var random = SeededGenerator.announced()
        let big = Record(
            key: [1, 2, 3], value: (0..<10_000_000).map { _ in UInt8.random(in: 0...255, using: &random) },
            headers: [RecordHeader("trace", text: "t"), RecordHeader("none", nil)], timestamp: now)
        let records = [
            Record(key: nil, value: nil, timestamp: now - 1), big, Record(key: [], value: [], timestamp: now + 1),
        ]
        let writer = try input.producer()
        let source = try writer.topic(input.topic)
        for record in records { try write(record, source, writer) }
        try writer.flush()
        writer.close()

        let limits = [
            (planned, TopicPlan.inputRecordBytes + TopicPlan.deadLetterOverheadBytes), (small, 1_048_588),
            // What the topic takes is not known: found out by the broker's refusal.
            (small, TopicPlan.inputRecordBytes),
        ]
        for (fixture, limit) in limits {
            let before = try fixture.read { _ in () }[0].count
            try rewrite(from: input, to: fixture, limit: limit)
            let letters = Array(try fixture.read { Record($0) }[0].dropFirst(before))
            if fixture.topic == planned.topic { #expect(letters.count == 3) } else { #expect(letters.count > 3) }
            let (found, reasons) = try joined(letters)
            let isEqual = found == records  // Outside the macro, which would print 10 MB.
            #expect(isEqual)
            #expect(reasons.map { $0[DeadLetterWriter.offsetHeader] } == ["0", "1", "2"])
            for reason in reasons {
                #expect(reason[DeadLetterWriter.codeHeader] == "invalid_json")
                #expect(reason[DeadLetterWriter.messageHeader] == "at byte 0")
                #expect(reason[DeadLetterWriter.topicHeader] == input.topic)
                #expect(reason[DeadLetterWriter.partitionHeader] == "0")
                #expect(reason[DeadLetterWriter.applicationHeader] == "app")
            }
        }
    }

    /// Every record of the input becomes a dead letter, in one transaction that is repeated until it is committed.
    private func rewrite(from input: ConsumerFixture, to output: ConsumerFixture, limit: Int) throws {
        let consumer = try input.consumer()
        defer { consumer.close() }
        let producer = try output.producer(TestBroker.unique("tx"))
        defer { producer.close() }
        producer.start()
        let letters = DeadLetterWriter(
            producer: producer, topic: try producer.topic(output.topic), partitions: 1, maxRecordBytes: limit,
            application: "app")
        for _ in 0..<10 {
            try consumer.assign([input.partition(0): .beginning])
            producer.begin()
            var outcome: TransactionOutcome?
            var read = 0
            try poll(consumer, until: { read == 3 || outcome != nil }) { batch in
                do throws(KafkaError) {
                    for i in 0..<batch.count {
                        try letters.write(batch[i], topic: input.topic, code: "invalid_json", reason: "at byte 0")
                    }
                    read += batch.count
                } catch {
                    outcome = producer.recover(from: error)
                }
            }
            if outcome ?? producer.commit() == .committed { return }
        }
        Issue.record("no transaction with the dead letters was committed")
    }

    /// The records with their parts joined and the error headers taken off, and those headers.
    private func joined(_ letters: [Record]) throws -> ([Record], [[String: String?]]) {
        var records: [Record] = []
        var reasons: [[String: String?]] = []
        var parts: [UInt8] = []
        for letter in letters {
            let mine = letter.headers.filter { $0.name.hasPrefix("impactiq.") }
            let named = Dictionary(mine.map { ($0.name, $0.text) }, uniquingKeysWith: { $1 })
            if let count = named[DeadLetterWriter.partCountHeader] ?? nil {
                parts += letter.value ?? []
                guard named[DeadLetterWriter.partIndexHeader] == "\((Int(count) ?? 0) - 1)" else { continue }
                let whole = try DeadLetterEnvelope(decoding: parts)
                parts = []
                records.append(
                    Record(key: whole.key, value: whole.value, headers: whole.headers, timestamp: whole.timestamp))
            } else {
                var record = letter
                record.headers.removeAll { $0.name.hasPrefix("impactiq.") }
                records.append(record)
            }
            reasons.append(named)
        }
        return (records, reasons)
    }
}
