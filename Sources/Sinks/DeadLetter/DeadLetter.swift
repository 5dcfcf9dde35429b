import Base
import Consumer
import Kafka

/// A rejected record as it was, why it was rejected, and where it stands in the dead-letter topic.
package struct DeadLetter: Sendable {
    /// Key, value, headers and timestamp of the rejected record.
    package var record: DeadLetterEnvelope
    package var reason: DeadLetterReason
    /// The application that rejected it.
    package var application: String
    /// Its place in the dead-letter topic: that of its last part, when it was written in parts.
    package var partition: Int32
    package var offset: Int64

    /// The names that the writer adds behind the record's own headers.
    static let addedHeaders = [
        DeadLetterWriter.codeHeader, DeadLetterWriter.messageHeader, DeadLetterWriter.topicHeader,
        DeadLetterWriter.partitionHeader, DeadLetterWriter.offsetHeader, DeadLetterWriter.applicationHeader,
    ]
}

/// Makes dead letters of the dead-letter topic's records: takes off the headers that were added, joins parts.
///
/// Feed it the records of a partition in order. Parts of several letters may interleave; those never completed are
/// forgotten, oldest first.
struct DeadLetterAssembler {
    enum Outcome {
        case letter(DeadLetter)
        /// A part of a letter that is not whole yet.
        case part
        /// No dead letter of this format, or a damaged one; why.
        case foreign(String)
    }

    private struct Place: Hashable {
        var partition: Int32
        var source: String
    }

    private struct Pending {
        var place: Place
        var count: Int
        var parts: [[UInt8]]
    }

    private var pending: [Pending] = []
    private static let maxPending = 64
    private static let maxParts = 10_000

    mutating func add(_ message: borrowing Message) -> Outcome {
        let headers = message.headers
        guard let reason = Self.reason(headers) else { return .foreign("it has no \(DeadLetterWriter.codeHeader)") }
        var letter = DeadLetter(
            record: DeadLetterEnvelope(key: nil, value: nil, headers: [], timestamp: message.timestamp),
            reason: reason, application: Self.last(DeadLetterWriter.applicationHeader, headers) ?? "",
            partition: message.partition, offset: message.offset)
        guard let index = Self.last(DeadLetterWriter.partIndexHeader, headers).flatMap({ Int($0) }),
            // A whole record may carry such a header of its own, but not behind the added ones.
            Self.isPart(headers)
        else {
            letter.record.key = message.keyBuffer.map { Array($0) }
            letter.record.value = message.payloadBuffer.map { Array($0) }
            letter.record.headers = Self.own(headers)
            return .letter(letter)
        }
        let count = Self.last(DeadLetterWriter.partCountHeader, headers).flatMap { Int($0) } ?? 0
        guard let bytes = join(letter, message.payloadBuffer.map { Array($0) } ?? [], index, count) else {
            return .part
        }
        do {
            letter.record = try DeadLetterEnvelope(decoding: bytes)
            return .letter(letter)
        } catch {
            return .foreign(error.message)
        }
    }

    /// The whole, once its last part is there.
    private mutating func join(_ letter: DeadLetter, _ part: [UInt8], _ index: Int, _ count: Int) -> [UInt8]? {
        let reason = letter.reason
        let place = Place(
            partition: letter.partition,
            source: "\(letter.application)/\(reason.topic)/\(reason.partition)/\(reason.offset)")
        guard index >= 0, index < count, count <= Self.maxParts else { return [] }
        if index == 0 {
            // The first part again: a letter written before, and now once more from its beginning.
            pending.removeAll { $0.place == place }
            pending.append(Pending(place: place, count: count, parts: []))
            if pending.count > Self.maxPending { pending.removeFirst() }
        }
        guard let at = pending.firstIndex(where: { $0.place == place }), pending[at].parts.count == index else {
            return []
        }
        pending[at].parts.append(part)
        guard pending[at].parts.count == pending[at].count else { return nil }
        return Array(pending.remove(at: at).parts.joined())
    }

    private static func reason(_ headers: [RecordHeader]) -> DeadLetterReason? {
        guard let code = last(DeadLetterWriter.codeHeader, headers), isCode(code),
            let topic = last(DeadLetterWriter.topicHeader, headers),
            let partition = last(DeadLetterWriter.partitionHeader, headers).flatMap({ Int32($0) }), partition >= 0,
            let offset = last(DeadLetterWriter.offsetHeader, headers).flatMap({ Int64($0) })
        else { return nil }
        return DeadLetterReason(
            code: code, message: last(DeadLetterWriter.messageHeader, headers) ?? "", topic: topic,
            partition: partition, offset: offset)
    }

    /// Codes name consumer groups: nothing but what ours are made of.
    private static func isCode(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 95 }
    }

    private static func last(_ name: String, _ headers: [RecordHeader]) -> String? {
        headers.last { $0.name == name }?.text
    }

    private static func isPart(_ headers: [RecordHeader]) -> Bool {
        headers.suffix(3).map(\.name) == [
            DeadLetterWriter.partIndexHeader, DeadLetterWriter.partCountHeader, DeadLetterWriter.partBytesHeader,
        ]
    }

    /// The record's own headers: those in front of the last six.
    static func own(_ headers: [RecordHeader]) -> [RecordHeader] {
        if headers.suffix(DeadLetter.addedHeaders.count).map(\.name) == DeadLetter.addedHeaders {
            return headers.dropLast(DeadLetter.addedHeaders.count)
        }
        // Written by a program that orders them otherwise: the last of each name is the added one.
        var own = headers
        for name in DeadLetter.addedHeaders {
            if let index = own.lastIndex(where: { $0.name == name }) { own.remove(at: index) }
        }
        return own
    }
}
