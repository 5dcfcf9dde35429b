import Base
import Commands
import Foundation
import Kafka
import Simulation
import Sinks
import Synchronization

/// An input topic with a seeded stream of events: duplicates, late ones, and some that no reader may accept.
package final class TestStream: Sendable {
    package let site: TestSite
    package let topic: String
    package let partitions: Int
    package let seed: UInt64
    private let settings: TrialSettings
    private let isStopping = Atomic<Bool>(false)
    private let total = Atomic<Int>(0)

    package init(_ site: TestSite, topic: String, partitions: Int, seed: UInt64, users: Int) throws {
        self.site = site
        self.topic = topic
        self.partitions = partitions
        self.seed = seed
        var settings = TrialSettings()
        settings.seed = seed
        settings.users = users
        settings.duplicates = 0.05
        settings.outOfOrder = 0.1
        settings.invalid = 0.03
        self.settings = settings
        let admin = try site.admin()
        defer { admin.close() }
        try admin.create([.events(topic, partitions: partitions)])
    }

    /// Writes this many messages at once: the first of the stream, or of another one when `salt` is not 0.
    package func write(_ count: Int, salt: UInt64 = 0) throws {
        var settings = settings
        settings.seed &+= salt
        let producer = try OutputProducer(properties: site.properties, options: ProducerOptions())
        defer { producer.close() }
        let writer = try TrialTopicWriter(producer: producer, topic: topic, settings: settings)
        try writer.write(count)
        try producer.flush()
        total.wrappingAdd(count, ordering: .relaxed)
    }

    /// Writes one message, of now unless told otherwise.
    ///
    /// - Parameter time: milliseconds since 1970.
    package func write(key: String, value: String, time: Int64? = nil) throws {
        let producer = try OutputProducer(properties: site.properties, options: ProducerOptions())
        defer { producer.close() }
        let target = try producer.topic(topic)
        try Array(key.utf8).withUnsafeBytes { key in
            try Array(value.utf8).withUnsafeBytes { value in
                try producer.produce(
                    target, key: key, value: value, timestamp: time ?? Int64(Date().timeIntervalSince1970 * 1_000))
            }
        }
        try producer.flush()
        total.wrappingAdd(1, ordering: .relaxed)
    }

    /// Messages written so far.
    package var written: Int { total.load(ordering: .relaxed) }

    /// Writes at a rate until ``stopWriting()``, on the calling thread.
    package func write(perSecond rate: Double) throws {
        let producer = try OutputProducer(properties: site.properties, options: ProducerOptions())
        defer { producer.close() }
        let writer = try TrialTopicWriter(producer: producer, topic: topic, settings: settings)
        let start = ContinuousClock.now
        var done = 0
        while !isStopping.load(ordering: .acquiring) {
            let due = Int((ContinuousClock.now - start) / .seconds(1) * rate)
            let count = min(due - done, 4_096)
            if count <= 0 {
                usleep(2_000)
                continue
            }
            try writer.write(count)
            done += count
            total.wrappingAdd(count, ordering: .relaxed)
        }
        try producer.flush()
    }

    package func stopWriting() { isStopping.store(true, ordering: .releasing) }

    /// Each partition's next offset.
    package func ends() throws -> [TopicPartition: Int64] {
        let admin = try site.admin()
        defer { admin.close() }
        let marks = try admin.watermarks(ofTopic: topic)
        return Dictionary(uniqueKeysWithValues: marks.enumerated().map { (TopicPartition(topic, Int32($0)), $1.high) })
    }

    package func delete() {
        if let admin = try? site.admin() {
            try? admin.delete(topics: [topic])
            admin.close()
        }
    }
}
