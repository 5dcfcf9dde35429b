import Base
import Consumer
import Kafka

/// Reads the dead-letter topic from its beginning to the end that it had when the reading began, committed records only.
package final class DeadLetterReader: AssignmentHandler {
    /// Records that are no dead letters, or damaged ones.
    package private(set) var foreign = 0
    /// Records in the topic, about: for progress.
    package private(set) var total = 0

    private let properties: KafkaProperties
    private let topic: String
    private var reached: [Int32: Int64] = [:]
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
        var ends: [Int32: Int64] = [:]
        for (partition, mark) in marks.enumerated() where mark.high > mark.low {
            ends[Int32(partition)] = mark.high
            total += Int(mark.high - mark.low)
        }
        if ends.isEmpty { return }
        var options = ConsumerOptions()
        options.reportsPartitionEnd = true
        options.clientID = "dead-letter"
        let consumer = try EventConsumer(
            properties: properties, topics: [topic], options: options, component: "dead-letter")
        defer { consumer.close() }
        consumer.handler = self
        reached = [:]
        assembler = DeadLetterAssembler()
        do {
            try consumer.assign(
                Dictionary(uniqueKeysWithValues: ends.keys.map { (TopicPartition(topic, $0), .beginning) }))
            while ends.contains(where: { reached[$0.key] ?? 0 < $0.value }) {
                let batch = try consumer.poll(max: 1_000, timeoutMilliseconds: 200)
                for i in 0..<batch.count {
                    let message = batch[i]
                    // What came after the beginning of the reading may be what this replay itself caused.
                    guard let end = ends[message.partition], message.offset < end else { continue }
                    guard try take(message, body) else { return }
                }
            }
        } catch let error as KafkaError {
            throw error.impactError(doing: "reading \(topic)")
        }
    }

    private func take(_ message: borrowing Message, _ body: (DeadLetter) throws -> Bool) throws -> Bool {
        defer { reached[message.partition] = max(reached[message.partition] ?? 0, message.offset + 1) }
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

    package func assigned(_ partitions: [TopicPartition]) {}
    package func revoked(_ partitions: [TopicPartition]) {}
    package func lost(_ partitions: [TopicPartition]) {}
    package func reachedEnd(of partition: TopicPartition, at offset: Int64) {
        reached[partition.partition] = max(reached[partition.partition] ?? 0, offset)
    }
}
