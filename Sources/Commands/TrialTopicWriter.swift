import Base
import Engine
import Events
import Foundation
import Kafka
import Simulation
import Sinks

/// Writes a simulated trial to a topic, keyed by user: for `generate`, the demo, tests and benchmarks.
package final class TrialTopicWriter {
    private let producer: OutputProducer
    private let topic: OutputTopic
    private var simulation: TrialSimulation
    private let buffer = ByteBuffer(capacity: 1 << 20)
    private var records: [OutputRecord] = []
    /// Bytes of the values written so far.
    package private(set) var bytesWritten = 0

    package init(producer: OutputProducer, topic: String, settings: TrialSettings) throws(ImpactError) {
        self.producer = producer
        self.topic = try producer.topic(topic)
        simulation = try TrialSimulation(settings)
    }

    /// Writes the next messages. A record's timestamp is the clock's: event time is inside the event.
    package func write(_ count: Int) throws(KafkaError) {
        buffer.removeAll()
        records.removeAll(keepingCapacity: true)
        let now = Int64(Date().timeIntervalSince1970 * 1_000)
        for _ in 0..<count {
            let event = simulation.next(into: buffer)
            bytesWritten += event.value.count
            records.append(
                OutputRecord(key: event.key.isEmpty ? nil : event.key, value: event.value, timestamp: now))
        }
        // Partition −1: by the key, as the Java clients place it.
        let result = records.withUnsafeBufferPointer { list in
            Result { () throws(KafkaError) in
                try producer.produceBatch(topic, partition: -1, list, bytes: buffer.bytes)
            }
        }
        try result.get()
    }
}
