import CRdkafka
import Foundation
import Kafka

/// One record of a ``MessageBatch``, borrowed from it: its bytes are valid as long as the batch.
public struct Message: ~Escapable {
    public let raw: UnsafePointer<rd_kafka_message_t>
    /// Index of the topic in ``EventConsumer/topics``; −1 for a topic the consumer was not told of.
    public let topic: Int32

    @inlinable public var partition: Int32 { fields.partition }
    @inlinable public var offset: Int64 { fields.offset }

    @usableFromInline let fields: Fields

    /// The parts of the C struct that are read for every record, copied once.
    @usableFromInline struct Fields {
        @usableFromInline let payload: UnsafeRawPointer?
        @usableFromInline let payloadCount: Int
        @usableFromInline let key: UnsafeRawPointer?
        @usableFromInline let keyCount: Int
        @usableFromInline let partition: Int32
        @usableFromInline let offset: Int64

        init(_ raw: rd_kafka_message_t) {
            payload = UnsafeRawPointer(raw.payload)
            payloadCount = raw.len
            key = UnsafeRawPointer(raw.key)
            keyCount = raw.key_len
            partition = raw.partition
            offset = raw.offset
        }
    }

    @_lifetime(borrow owner)
    init(_ raw: UnsafePointer<rd_kafka_message_t>, topic: Int32, owner: borrowing MessageBatch) {
        self.raw = raw
        self.topic = topic
        fields = Fields(raw.pointee)
    }

    /// The value without a copy; nil for a tombstone (Kafka's null), which is not the same as an empty value. Valid as
    /// long as the batch.
    public var payloadBuffer: UnsafeRawBufferPointer? { Self.buffer(fields.payload, fields.payloadCount) }

    /// The key without a copy; nil for Kafka's null. Valid as long as the batch.
    public var keyBuffer: UnsafeRawBufferPointer? { Self.buffer(fields.key, fields.keyCount) }

    private static func buffer(_ start: UnsafeRawPointer?, _ count: Int) -> UnsafeRawBufferPointer? {
        start.map { UnsafeRawBufferPointer(start: $0, count: count) }
    }

    /// Milliseconds since 1970, the producer's or the broker's as the topic is set; −1 when the record has none.
    public var timestamp: Int64 {
        var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        let time = rd_kafka_message_timestamp(raw, &type)
        return type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : time
    }

    /// The headers, copied, in their order; parsed by the library at the first call.
    package var headers: [RecordHeader] {
        var headers: [RecordHeader] = []
        guard let list = headerList else { return [] }
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var count = 0
        while rd_kafka_header_get_all(list, headers.count, &name, &value, &count) == RD_KAFKA_RESP_ERR_NO_ERROR {
            guard let name else { break }
            let bytes = UnsafeRawBufferPointer(start: name, count: strlen(name))
            headers.append(RecordHeader(nameBytes: Array(bytes), Self.copy(value, count)))
        }
        return headers
    }

    /// The library's header list, its own; nil when there are no headers.
    public var headerList: OpaquePointer? {
        var list: OpaquePointer?
        return rd_kafka_message_headers(raw, &list) == RD_KAFKA_RESP_ERR_NO_ERROR ? list : nil
    }

    private static func copy(_ start: UnsafeRawPointer?, _ count: Int) -> [UInt8]? {
        start.map { Array(UnsafeRawBufferPointer(start: $0, count: count)) }
    }
}
