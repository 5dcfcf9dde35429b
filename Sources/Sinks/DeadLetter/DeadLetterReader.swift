import Base
import Consumer
import Kafka

/// Reads the dead-letter topic from its beginning to the end that it had when the reading began, committed records only.
package final class DeadLetterReader {
    /// Records that are not dead letters, or damaged ones.
    package private(set) var foreign = 0
    /// Records in the topic, about: for progress.
    package private(set) var total = 0

    private let properties: KafkaProperties
    private let topic: String
    private var assembler = DeadLetterAssembler()

    package init(properties: KafkaProperties, topic: String) {
        self.properties = properties
        self.topic = topic
    }

    /// Hands each letter to `body`, in order within a partition of the dead-letter topic, until it returns false.
    ///
    /// - Throws: `kafka_topic` when there is no such topic, `dead_letter_read`, and what `body` throws.
    package func read(_ body: (DeadLetter) throws -> Bool) throws {
        let admin = try Admin(properties: properties, readCommitted: true)
        defer { admin.close() }
        let marks = try admin.watermarks(ofTopic: topic)
        var ranges: [Int32: Range<Int64>] = [:]
        for (partition, mark) in marks.enumerated() where mark.high > mark.low {
            ranges[Int32(partition)] = mark.low..<mark.high
            total += Int(mark.high - mark.low)
        }
        if ranges.isEmpty { return }
        var options = ConsumerOptions()
        options.clientID = "dead-letter"
        let reader = try BoundedReader(
            topic: topic, properties: properties, options: options, component: "dead-letter")
        defer { reader.close() }
        assembler = DeadLetterAssembler()
        var isWanted = true
        do {
            try reader.begin(ranges)
            var hasMore = true
            while hasMore, isWanted {
                // What came after the beginning of the reading may be what this replay itself caused; it is not read.
                hasMore = try reader.step(max: 1_000) { message in
                    if isWanted { isWanted = try take(message, body) }
                }
            }
        } catch let error as KafkaError {
            throw error.impactError(doing: "reading \(topic)")
        }
    }

    private func take(_ message: borrowing Message, _ body: (DeadLetter) throws -> Bool) throws -> Bool {
        switch assembler.add(message) {
        case .letter(let letter): return try body(letter)
        case .part: return true
        case .foreign(let why):
            foreign += 1
            if foreign <= 5 {
                Log.warning(
                    "dead-letter", "\(topic) [\(message.partition)] offset \(message.offset) is passed over: \(why)")
            }
            return true
        }
    }
}
