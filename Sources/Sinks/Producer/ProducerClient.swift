import Base
import CRdkafka
import Consumer
import Engine
import Foundation
import Kafka
import Synchronization

/// The librdkafka producer of one ``OutputProducer``: hands records over, knows which were given up, and can be made anew.
/// Knows nothing of transactions. Belongs to one thread, except ``interrupt()``.
///
/// A record that carries a time of its own goes through one `rd_kafka_producev`: `rd_kafka_produce_batch` stamps all
/// records with the present and takes no headers. Measured with 2.0.2 (186-byte values, transactional, five interleaved
/// rounds): 167–210 ns of the calling thread per record in batches of 1,000, 254–323 ns one by one, 245–289 ns by
/// `rd_kafka_produceva`, which however allocates an error whenever the buffer is full.
final class ProducerClient {
    private let properties: KafkaProperties
    private let component: String
    private(set) var handle: KafkaHandle
    private var topicNames: [String] = []
    /// The library's topic objects by ``OutputTopic/index``; made anew with the producer.
    private let topics: UnsafeMutablePointer<OpaquePointer?>
    private static let maxTopics = 64
    /// Scratch for ``produceBatchNow(_:partition:_:bytes:)``.
    private let batch: UnsafeMutablePointer<rd_kafka_message_t>
    private static let batchCapacity = 1024
    private let interruption = Atomic<Bool>(false)
    /// What the library gave up; see ``DeliveryFailures``.
    var failures = DeliveryFailures()

    init(properties: KafkaProperties, component: String) throws(ImpactError) {
        self.properties = properties
        self.component = component
        handle = try KafkaHandle(.producer, properties: properties, component: component)
        topics = .allocate(capacity: Self.maxTopics)
        topics.initialize(repeating: nil, count: Self.maxTopics)
        batch = .allocate(capacity: Self.batchCapacity)
        batch.initialize(repeating: rd_kafka_message_t(), count: Self.batchCapacity)
        listen()
    }

    deinit {
        close(timeoutMilliseconds: 5_000)
        topics.deallocate()
        batch.deallocate()
    }

    func interrupt() { interruption.store(true, ordering: .relaxed) }
    var isInterrupted: Bool { interruption.load(ordering: .relaxed) }

    func topic(_ name: String) throws(ImpactError) -> OutputTopic {
        if let index = topicNames.firstIndex(of: name) { return OutputTopic(index: index) }
        guard topicNames.count < Self.maxTopics, let pointer = rd_kafka_topic_new(handle.pointer, name, nil) else {
            throw ImpactError(.badConfiguration, code: "kafka_topic", "a topic cannot be named \"\(name)\"")
        }
        topics[topicNames.count] = pointer
        topicNames.append(name)
        return OutputTopic(index: topicNames.count - 1)
    }

    func close(timeoutMilliseconds: Int) {
        handle.context.onDeliveryFailure = nil
        releaseTopics()
        handle.close(timeoutMilliseconds: timeoutMilliseconds)
    }

    /// Destroys the library's producer and makes another one with the same properties and topics.
    func recreate() {
        Log.warning(component, "the producer cannot go on and is made anew")
        handle.context.onDeliveryFailure = nil
        releaseTopics()
        handle.close()
        while true {
            do {
                handle = try KafkaHandle(.producer, properties: properties, component: component)
                break
            } catch {
                // The same properties worked before: only a lack of memory or threads is left as a reason.
                Log.error(component, "\(error.message)")
                usleep(1_000_000)
            }
        }
        for (i, name) in topicNames.enumerated() { topics[i] = rd_kafka_topic_new(handle.pointer, name, nil) }
        listen()
    }

    private func releaseTopics() {
        for i in 0..<topicNames.count {
            if let topic = topics[i] { rd_kafka_topic_destroy(topic) }
            topics[i] = nil
        }
    }

    private func listen() {
        handle.context.onDeliveryFailure = { [unowned self] message in
            let topic = topicNames.indices.first { topics[$0] == message.pointee.rkt }
            failures.add(
                message.pointee.err, topic: topic,
                name: "\(topic.map { topicNames[$0] } ?? "?") [\(message.pointee.partition)]")
        }
    }

    // MARK: Records

    /// Hands records to the library, which copies them. Waits while its buffer is full.
    ///
    /// - Parameter bytes: what the records' ranges mean.
    /// - Throws: why a record was not taken; the transaction lacks it, so ``recover(from:)`` is next.
    func produceBatch(
        _ topic: OutputTopic, partition: Int32, _ records: UnsafeBufferPointer<OutputRecord>,
        bytes: UnsafeRawBufferPointer
    ) throws(KafkaError) {
        let client = handle.pointer
        guard let target = topics[topic.index] else { throw KafkaError(RD_KAFKA_RESP_ERR__DESTROY) }
        for record in records {
            let key = Self.range(record.keyStart, record.keyCount, in: bytes)
            let value = Self.range(record.valueStart, record.valueCount, in: bytes)
            let time = record.timestamp == 0 ? 1 : record.timestamp
            while true {
                let code = crdkafka_produce(
                    client, target, partition, time, key, max(0, Int(record.keyCount)), value,
                    max(0, Int(record.valueCount)))
                if code == RD_KAFKA_RESP_ERR_NO_ERROR { break }
                try makeRoom(after: code, topic, partition)
            }
        }
        handle.poll()
    }

    /// The same, each record with the headers of its message that go on.
    ///
    /// - Parameter batch: the messages that the records' tags number.
    func produceBatch(
        _ topic: OutputTopic, partition: Int32, _ records: UnsafeBufferPointer<OutputRecord>,
        bytes: UnsafeRawBufferPointer, forwarding headers: ForwardedHeaders, of batch: borrowing MessageBatch
    ) throws(KafkaError) {
        var first = 0
        for i in 0..<records.count where records[i].tag >= 0 && Int(records[i].tag) < batch.count {
            guard let list = headers.list(of: batch[Int(records[i].tag)]) else { continue }
            // What came before it first: the order of the events is the order of the scores.
            if first < i {
                do throws(KafkaError) {
                    try produceBatch(
                        topic, partition: partition, UnsafeBufferPointer(rebasing: records[first..<i]), bytes: bytes)
                } catch {
                    rd_kafka_headers_destroy(list)
                    throw error
                }
            }
            first = i + 1
            let record = records[i]
            let key = Self.range(record.keyStart, record.keyCount, in: bytes)
            let value = Self.range(record.valueStart, record.valueCount, in: bytes)
            try produce(
                topic, partition, key.map { UnsafeRawBufferPointer(start: $0, count: Int(record.keyCount)) },
                value.map { UnsafeRawBufferPointer(start: $0, count: Int(record.valueCount)) }, list, record.timestamp)
        }
        guard first < records.count else { return handle.poll() }
        try produceBatch(topic, partition: partition, UnsafeBufferPointer(rebasing: records[first...]), bytes: bytes)
    }

    /// Hands records to the library like ``produceBatch(_:partition:_:bytes:)``, stamped with the present whatever they
    /// say: a third cheaper, for records whose time nobody reads (the changelog).
    func produceBatchNow(
        _ topic: OutputTopic, partition: Int32, _ records: UnsafeBufferPointer<OutputRecord>,
        bytes: UnsafeRawBufferPointer
    ) throws(KafkaError) {
        guard let target = topics[topic.index] else { throw KafkaError(RD_KAFKA_RESP_ERR__DESTROY) }
        var first = 0
        while first < records.count {
            let count = min(Self.batchCapacity, records.count - first)
            for i in 0..<count {
                let record = records[first + i]
                // The library copies both and only reads them.
                batch[i].key = UnsafeMutableRawPointer(
                    mutating: Self.range(record.keyStart, record.keyCount, in: bytes))
                batch[i].key_len = max(0, Int(record.keyCount))
                batch[i].payload = UnsafeMutableRawPointer(
                    mutating: Self.range(record.valueStart, record.valueCount, in: bytes))
                batch[i].len = max(0, Int(record.valueCount))
            }
            var taken = 0
            while taken < count {
                let good = rd_kafka_produce_batch(
                    target, partition, Int32(RD_KAFKA_MSG_F_COPY), batch + taken, Int32(count - taken))
                if good == count - taken { break }
                // A full buffer refuses all that follow, so what was taken is a prefix; any other error is thrown.
                let failed = (taken..<count).first { batch[$0].err != RD_KAFKA_RESP_ERR_NO_ERROR } ?? taken
                try makeRoom(after: batch[failed].err, topic, partition)
                taken = failed
            }
            first += count
        }
        handle.poll()
    }

    /// The same, with headers on the last record.
    func produceBatchNow(
        _ topic: OutputTopic, partition: Int32, _ records: UnsafeBufferPointer<OutputRecord>,
        bytes: UnsafeRawBufferPointer, lastHeaders: [RecordHeader]
    ) throws(KafkaError) {
        guard let last = records.last else { return }
        try produceBatchNow(
            topic, partition: partition, UnsafeBufferPointer(rebasing: records.dropLast()), bytes: bytes)
        let key = Self.range(last.keyStart, last.keyCount, in: bytes)
        let value = Self.range(last.valueStart, last.valueCount, in: bytes)
        try produce(
            topic, partition: partition,
            key: key.map { UnsafeRawBufferPointer(start: $0, count: Int(last.keyCount)) },
            value: value.map { UnsafeRawBufferPointer(start: $0, count: Int(last.valueCount)) }, headers: lastHeaders,
            timestamp: Int64(Date().timeIntervalSince1970 * 1_000))
        handle.poll()
    }

    /// Hands over one record, with headers. Partition −1 places it by its key as the Java clients do (murmur2).
    func produce(
        _ topic: OutputTopic, partition: Int32, key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?,
        headers: [RecordHeader], timestamp: Int64
    ) throws(KafkaError) {
        try produce(topic, partition, key, value, Self.list(headers), timestamp)
    }

    /// Hands over a consumed record as it is, byte for byte, with further headers behind its own.
    func produce(
        _ topic: OutputTopic, partition: Int32, copyOf message: borrowing Message, adding headers: [RecordHeader]
    ) throws(KafkaError) {
        let list = message.headerList.map { rd_kafka_headers_copy($0) } ?? rd_kafka_headers_new(headers.count)
        Self.append(headers, to: list)
        try produce(topic, partition, message.keyBuffer, message.payloadBuffer, list, message.timestamp)
    }

    /// Takes over the list.
    private func produce(
        _ topic: OutputTopic, _ partition: Int32, _ key: UnsafeRawBufferPointer?, _ value: UnsafeRawBufferPointer?,
        _ headers: OpaquePointer?, _ timestamp: Int64
    ) throws(KafkaError) {
        let keyStart = key.map { $0.baseAddress ?? Self.nothing }
        let valueStart = value.map { $0.baseAddress ?? Self.nothing }
        do throws(KafkaError) {
            guard let target = topics[topic.index] else { throw KafkaError(RD_KAFKA_RESP_ERR__DESTROY) }
            while true {
                let code = crdkafka_produce_with_headers(
                    handle.pointer, target, partition, timestamp == 0 ? 1 : timestamp, keyStart, key?.count ?? 0,
                    valueStart, value?.count ?? 0, headers)
                if code == RD_KAFKA_RESP_ERR_NO_ERROR { return }
                try makeRoom(after: code, topic, partition)
            }
        } catch {
            rd_kafka_headers_destroy(headers)
            throw error
        }
    }

    private static func list(_ headers: [RecordHeader]) -> OpaquePointer? {
        let list = rd_kafka_headers_new(headers.count)
        append(headers, to: list)
        return list
    }

    private static func append(_ headers: [RecordHeader], to list: OpaquePointer?) {
        for header in headers {
            header.nameBytes.withUnsafeBytes { name in
                let nameStart = name.assumingMemoryBound(to: CChar.self).baseAddress
                guard let value = header.value else {
                    rd_kafka_header_add(list, nameStart, name.count, nil, 0)
                    return
                }
                _ = value.withUnsafeBytes {
                    // A null pointer would make the value null; an empty array may have no address.
                    rd_kafka_header_add(list, nameStart, name.count, $0.baseAddress ?? Self.nothing, $0.count)
                }
            }
        }
    }

    /// The address of an empty text: not null, never read.
    private static var nothing: UnsafeRawPointer { UnsafeRawPointer(bitPattern: 1).unsafelyUnwrapped }

    @inline(__always)
    private static func range(_ start: Int, _ count: Int32, in bytes: UnsafeRawBufferPointer) -> UnsafeRawPointer? {
        if count < 0 { return nil }
        precondition(start >= 0 && start + Int(count) <= bytes.count, "a record's range is outside its buffer")
        return bytes.baseAddress.map { $0 + start } ?? nothing
    }

    /// A full buffer is back-pressure: serves deliveries for a moment. Anything else is thrown.
    private func makeRoom(
        after code: rd_kafka_resp_err_t, _ topic: OutputTopic, _ partition: Int32
    ) throws(KafkaError) {
        if code == RD_KAFKA_RESP_ERR__QUEUE_FULL {
            if isInterrupted {
                throw KafkaError(RD_KAFKA_RESP_ERR__INTR, "interrupted while the producer's buffer was full")
            }
            handle.poll(timeoutMilliseconds: 10)
            return
        }
        if code == RD_KAFKA_RESP_ERR__FATAL, let fatal = handle.fatalError { throw fatal }
        throw failures.last
            ?? KafkaError(
                code,
                "writing to \(topicNames[topic.index]) [\(partition)]: \(String(cString: rd_kafka_err2str(code)))",
                requiresAbort: true)
    }

    /// Waits until every record handed over is acknowledged.
    ///
    /// - Throws: the last record's failure when any was given up since the last flush; a timeout is retriable.
    func flush(timeoutMilliseconds: Int) throws(KafkaError) {
        let deadline = DispatchTime.now() + .milliseconds(timeoutMilliseconds)
        while true {
            let code = rd_kafka_flush(handle.pointer, 200)
            if code == RD_KAFKA_RESP_ERR_NO_ERROR { break }
            if isInterrupted {
                throw KafkaError(RD_KAFKA_RESP_ERR__INTR, "interrupted while records were not acknowledged")
            }
            if DispatchTime.now() >= deadline {
                throw KafkaError(
                    RD_KAFKA_RESP_ERR__TIMED_OUT,
                    "\(rd_kafka_outq_len(handle.pointer)) records are not acknowledged after \(timeoutMilliseconds) ms",
                    isRetriable: true)
            }
        }
        if let failure = failures.take() { throw failure }
    }

    /// Waits until all records of the transaction are acknowledged; returns why one was not.
    ///
    /// `rd_kafka_commit_transaction` does the same, but does not notice a failed record before the others' timeout.
    func settle() -> KafkaError? {
        while rd_kafka_flush(handle.pointer, 100) != RD_KAFKA_RESP_ERR_NO_ERROR && failures.isEmpty {
            if let fatal = handle.fatalError { return fatal }
            if isInterrupted {
                return KafkaError(RD_KAFKA_RESP_ERR__INTR, "interrupted while records were not acknowledged")
            }
        }
        if failures.isEmpty { return nil }
        var failure = failures.last ?? KafkaError(RD_KAFKA_RESP_ERR__FAIL)
        failure.requiresAbort = true
        return failure
    }
}
