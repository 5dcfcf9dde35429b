import Base
import Engine
import Foundation
import Kafka
import Simulation
import Sinks
import Terminal

/// Fills a topic with the simulated trial.
enum BenchmarkTopic {
    /// - Returns: bytes of the values written.
    static func fill(
        _ topic: String, properties: KafkaProperties, events: Int, users: Int, padding: Int = 0
    ) throws -> Int {
        let producer = try OutputProducer(properties: properties, options: ProducerOptions())
        defer { producer.close() }
        let output = try producer.topic(topic)
        let messages = try SyntheticMessages(users: users, padding: padding)
        let progress = ProgressLine("load", total: events, unit: "events")
        var done = 0
        var bytes = 0
        while done < events {
            messages.fill(min(4_096, events - done))
            try write(messages, to: output, producer)
            done += messages.count
            bytes += messages.bytes.count
            progress.update(done)
        }
        try producer.flush()
        progress.finish(done)
        return bytes
    }

    /// Writes messages as they are, placed by their keys, with the present as their time.
    static func write(_ messages: SyntheticMessages, to topic: OutputTopic, _ producer: OutputProducer) throws {
        let records = (0..<messages.count).map {
            OutputRecord(key: messages.keyRange($0), value: messages.valueRange($0), timestamp: 0)
        }
        try records.withUnsafeBufferPointer { list in
            // Partition −1: by the key, as the Java clients place it.
            try producer.produceBatchNow(topic, partition: -1, list, bytes: messages.bytes)
        }
    }
}
