import Base
import Consumer
import Kafka

/// Why a record was rejected, and where it stood.
package struct DeadLetterReason: Sendable, Equatable {
    /// Stable, snake_case: one for each kind of invalidity.
    package var code: String
    package var message: String
    package var topic: String
    package var partition: Int32
    package var offset: Int64

    package init(code: String, message: String, topic: String, partition: Int32, offset: Int64) {
        self.code = code
        self.message = message
        self.topic = topic
        self.partition = partition
        self.offset = offset
    }

    /// What a dead letter has beside the record's own headers.
    package func headers(application: String) -> [RecordHeader] {
        [
            RecordHeader(DeadLetterWriter.codeHeader, text: code),
            RecordHeader(DeadLetterWriter.messageHeader, Array(message.utf8.prefix(Self.maxMessageBytes))),
            RecordHeader(DeadLetterWriter.topicHeader, text: topic),
            RecordHeader(DeadLetterWriter.partitionHeader, text: "\(partition)"),
            RecordHeader(DeadLetterWriter.offsetHeader, text: "\(offset)"),
            RecordHeader(DeadLetterWriter.applicationHeader, text: application),
        ]
    }

    private static let maxMessageBytes = 1_024
}

/// Writes rejected records to the dead-letter topic, through the same transaction as everything else: key, value,
/// headers and timestamp byte for byte, plus the headers `impactiq.error.code`, `.message`, `.topic`, `.partition`,
/// `.offset` and `.application`.
///
/// A record rejected for the second time has those headers twice: the last of a name counts, the others are the record's.
///
/// A record larger than the dead-letter topic takes (`max.message.bytes`; `topics create` sets it large enough for every
/// record that an input topic takes) would stall the stream for ever. It is written as a ``DeadLetterEnvelope`` in parts:
/// records of the same partition in order, without key, each with the error headers and `impactiq.part.index` (from 0),
/// `impactiq.part.count` and `impactiq.part.bytes` (of the whole). Joined, they give the record back byte for byte. When
/// the topic takes less than was thought, the broker refuses once, the transaction is repeated, and the limit halves.
package final class DeadLetterWriter {
    package static let codeHeader = "impactiq.error.code"
    package static let messageHeader = "impactiq.error.message"
    package static let topicHeader = "impactiq.error.topic"
    package static let partitionHeader = "impactiq.error.partition"
    package static let offsetHeader = "impactiq.error.offset"
    package static let applicationHeader = "impactiq.error.application"
    package static let partIndexHeader = "impactiq.part.index"
    package static let partCountHeader = "impactiq.part.count"
    package static let partBytesHeader = "impactiq.part.bytes"

    private let producer: OutputProducer
    private let topic: OutputTopic
    private let partitions: Int32
    private let application: String
    private let component: String
    /// The largest record that the topic takes, as far as is known.
    package private(set) var maxRecordBytes: Int
    /// Whether each record goes in a request of its own, after the broker has refused a batch.
    private var isAlone = false

    static let leastRecordBytes = 16 << 10

    /// - Parameters:
    ///   - partitions: of the dead-letter topic; a record goes to its own partition's number modulo this.
    ///   - maxRecordBytes: the topic's `max.message.bytes`.
    package init(
        producer: OutputProducer, topic: OutputTopic, partitions: Int, maxRecordBytes: Int, application: String,
        component: String = "dead-letter"
    ) {
        self.producer = producer
        self.topic = topic
        self.partitions = Int32(max(1, partitions))
        self.application = application
        self.component = component
        self.maxRecordBytes = min(maxRecordBytes, ProducerOptions.largestRecordBytes)
    }

    /// Writes the record that was rejected.
    ///
    /// - Throws: why it was not taken; ``OutputProducer/recover(from:)`` is next.
    package func write(_ message: borrowing Message, topic: String, code: String, reason: String) throws(KafkaError) {
        let place = DeadLetterReason(
            code: code, message: reason, topic: topic, partition: message.partition, offset: message.offset)
        adapt()
        let headers = errorHeaders(place)
        let bytes = (message.keyBuffer?.count ?? 0) + (message.payloadBuffer?.count ?? 0)
        let size = bytes + Self.wireBytes(key: nil, value: nil, headers: message.headers + headers)
        if size <= maxRecordBytes {
            try producer.produce(
                self.topic, partition: message.partition % partitions, copyOf: message, adding: headers)
            if isAlone { try producer.flush() }
            return
        }
        try write(
            DeadLetterEnvelope(
                key: message.keyBuffer.map { Array($0) }, value: message.payloadBuffer.map { Array($0) },
                headers: message.headers,
                timestamp: message.timestamp), reason: place)
    }

    /// The same for a record that is not borrowed from a consumer.
    package func write(_ record: DeadLetterEnvelope, reason: DeadLetterReason) throws(KafkaError) {
        adapt()
        let partition = reason.partition % partitions
        let headers = record.headers + errorHeaders(reason)
        let size = Self.wireBytes(key: record.key, value: record.value, headers: headers)
        if size <= maxRecordBytes {
            try put(key: record.key, value: record.value, headers: headers, record.timestamp, partition)
            return
        }
        let bytes = record.encoded()
        let overhead = Self.wireBytes(key: nil, value: nil, headers: errorHeaders(reason)) + 128
        let room = max(1024, maxRecordBytes - overhead)
        let count = (bytes.count + room - 1) / room
        Log.warning(
            component,
            "\(reason.topic) [\(reason.partition)] offset \(reason.offset): \(size) bytes do not fit the dead-letter topic "
                + "(\(maxRecordBytes)) and are written in \(count) parts. Raise its max.message.bytes to keep records whole"
        )
        for i in 0..<count {
            let part = Array(bytes[i * room..<min(bytes.count, (i + 1) * room)])
            let partHeaders = [
                RecordHeader(Self.partIndexHeader, text: "\(i)"), RecordHeader(Self.partCountHeader, text: "\(count)"),
                RecordHeader(Self.partBytesHeader, text: "\(bytes.count)"),
            ]
            try put(key: nil, value: part, headers: errorHeaders(reason) + partHeaders, record.timestamp, partition)
        }
    }

    private func put(
        key: [UInt8]?, value: [UInt8]?, headers: [RecordHeader], _ timestamp: Int64, _ partition: Int32
    ) throws(KafkaError) {
        let result = Self.withBytes(key) { key in
            Self.withBytes(value) { value in
                Result { () throws(KafkaError) in
                    try producer.produce(
                        topic, partition: partition, key: key, value: value, headers: headers, timestamp: timestamp)
                }
            }
        }
        try result.get()
        if isAlone { try producer.flush() }
    }

    /// After a refusal: smaller records, one a request, so that the limit is the record's and not the batch's.
    private func adapt() {
        guard producer.takeRefusedAsTooLarge(topic) else { return }
        if isAlone { maxRecordBytes = max(Self.leastRecordBytes, maxRecordBytes / 2) }
        isAlone = true
        Log.warning(
            component,
            "the dead-letter topic refused a record as too large; going on with \(maxRecordBytes) bytes per record")
    }

    private func errorHeaders(_ reason: DeadLetterReason) -> [RecordHeader] {
        reason.headers(application: application)
    }

    /// An upper bound of a record's bytes in a batch of its own (record format v2, KIP-98).
    static func wireBytes(key: [UInt8]?, value: [UInt8]?, headers: [RecordHeader]) -> Int {
        headers.reduce(128 + (key?.count ?? 0) + (value?.count ?? 0)) {
            $0 + 10 + $1.nameBytes.count + ($1.value?.count ?? 0)
        }
    }

    private static func withBytes<R>(_ bytes: [UInt8]?, _ body: (UnsafeRawBufferPointer?) -> R) -> R {
        guard let bytes else { return body(nil) }
        return bytes.withUnsafeBytes { body($0) }
    }
}
