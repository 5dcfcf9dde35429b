import Base
import Kafka

/// A whole record as bytes, for one that does not fit the dead-letter topic and is written in parts.
///
/// Layout, little-endian: `IQDL`, version 1 (u8), timestamp (i64), key, value, count of headers (i64), then each header's
/// name and value. A text is its count (i64, −1 for Kafka's null) and its bytes.
package struct DeadLetterEnvelope: Sendable, Equatable {
    package var key: [UInt8]?
    package var value: [UInt8]?
    package var headers: [RecordHeader]
    package var timestamp: Int64

    private static let magic: [UInt8] = Array("IQDL".utf8) + [1]

    package init(key: [UInt8]?, value: [UInt8]?, headers: [RecordHeader], timestamp: Int64) {
        self.key = key
        self.value = value
        self.headers = headers
        self.timestamp = timestamp
    }

    /// The bytes that ``init(decoding:)`` reads back.
    package func encoded() -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(64 + (key?.count ?? 0) + (value?.count ?? 0))
        out += Self.magic
        Self.append(timestamp, to: &out)
        Self.append(key, to: &out)
        Self.append(value, to: &out)
        Self.append(Int64(headers.count), to: &out)
        for header in headers {
            Self.append(header.nameBytes, to: &out)
            Self.append(header.value, to: &out)
        }
        return out
    }

    private static func append(_ number: Int64, to out: inout [UInt8]) {
        withUnsafeBytes(of: number.littleEndian) { out += $0 }
    }

    private static func append(_ text: [UInt8]?, to out: inout [UInt8]) {
        append(text.map { Int64($0.count) } ?? -1, to: &out)
        if let text { out += text }
    }

    /// Reads an envelope, its parts joined in their order.
    ///
    /// - Throws: `dead_letter_envelope` when the bytes are none: a part is missing or twice there.
    package init(decoding bytes: [UInt8]) throws(ImpactError) {
        var reader = Reader(bytes: bytes)
        guard bytes.starts(with: Self.magic) else { throw Reader.damaged(at: 0) }
        reader.place = Self.magic.count
        timestamp = try reader.number()
        key = try reader.text()
        value = try reader.text()
        let count = try reader.number()
        // Each header takes 16 bytes at least, so a foreign count cannot ask for memory.
        guard count >= 0, count <= bytes.count / 16 else { throw Reader.damaged(at: reader.place) }
        headers = []
        for _ in 0..<count {
            guard let name = try reader.text() else { throw Reader.damaged(at: reader.place) }
            headers.append(RecordHeader(nameBytes: name, try reader.text()))
        }
        guard reader.place == bytes.count else { throw Reader.damaged(at: reader.place) }
    }

    private struct Reader {
        let bytes: [UInt8]
        var place = 0

        static func damaged(at place: Int) -> ImpactError {
            ImpactError(
                .badInput, code: "dead_letter_envelope",
                "the dead letter's parts do not make a whole record (byte \(place)): a part is missing or there twice")
        }

        mutating func number() throws(ImpactError) -> Int64 {
            guard bytes.count - place >= 8 else { throw Self.damaged(at: place) }
            var number: UInt64 = 0
            for i in 0..<8 { number |= UInt64(bytes[place + i]) << UInt64(8 * i) }
            place += 8
            return Int64(bitPattern: number)
        }

        mutating func text() throws(ImpactError) -> [UInt8]? {
            let count = try number()
            if count == -1 { return nil }
            guard count >= 0, count <= bytes.count - place else { throw Self.damaged(at: place) }
            defer { place += Int(count) }
            return Array(bytes[place..<place + Int(count)])
        }
    }
}
