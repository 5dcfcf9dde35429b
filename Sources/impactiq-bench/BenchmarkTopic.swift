import Commands
import Kafka
import Simulation
import Sinks
import Terminal

/// Fills a topic with the simulated trial.
enum BenchmarkTopic {
    /// - Returns: bytes of the values written.
    static func fill(_ topic: String, properties: KafkaProperties, events: Int, users: Int) throws -> Int {
        var settings = TrialSettings()
        settings.users = users
        let producer = try OutputProducer(properties: properties, options: ProducerOptions())
        defer { producer.close() }
        let writer = try TrialTopicWriter(producer: producer, topic: topic, settings: settings)
        let progress = ProgressLine("load", total: events, unit: "events")
        var done = 0
        while done < events {
            let count = min(4_096, events - done)
            try writer.write(count)
            done += count
            progress.update(done)
        }
        try producer.flush()
        progress.finish(done)
        return writer.bytesWritten
    }
}
