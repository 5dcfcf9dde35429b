import Base
import CBench
import Consumer
import Engine
import Events
import Features
import Foundation
import Kafka
import Pipeline
import Scoring

/// The stages before the output, each reading the whole topic: events per second.
struct StreamStages {
    let topic: StreamTopic
    let model: Model
    /// Longest time of one measurement, seconds.
    let limit: Double
    static let batch = 1_024

    private var consumerOptions: ConsumerOptions {
        var options = ConsumerOptions()
        options.fetchWaitMilliseconds = 10
        return options
    }

    /// The baseline, with the same consumer settings as the product's.
    func rawLoop() throws -> Double {
        let result = try RawLoop.consume(
            consumerOptions.properties(topic.properties), topic: topic.name, partitions: topic.partitions,
            events: topic.events, seconds: limit + 5)
        return Double(result.messages) / result.seconds
    }

    /// Reads the topic and gives each batch to `body`.
    func consume(_ body: (borrowing MessageBatch) throws -> Void) throws -> Double {
        let consumer = try EventConsumer(properties: topic.properties, topics: [topic.name], options: consumerOptions)
        defer { consumer.close() }
        try consumer.assign(
            Dictionary(
                uniqueKeysWithValues: (0..<topic.partitions).map { (TopicPartition(topic.name, Int32($0)), .beginning) }
            ))
        var done = 0
        var start: ContinuousClock.Instant?
        while done < topic.events {
            let batch = try consumer.poll(max: Self.batch, timeoutMilliseconds: 100)
            if batch.isEmpty { continue }
            if start == nil { start = .now }
            try body(batch)
            done += batch.count
            if let start, .now - start > .seconds(limit) { break }
        }
        return Double(done) / ((.now - (start ?? .now)) / .seconds(1))
    }

    func parse() throws -> Double {
        let parsed = try events()
        return try consume { batch in try Self.parse(batch, into: parsed) }
    }

    /// Parses, applies, and reads the features of every event; commits every hundred batches, as `run` does under load.
    func state() throws -> Double {
        let parsed = try events()
        let plan = try Processor.plan(of: model, scoreEvents: ["ad_view", "click"])
        let states = (0..<topic.partitions).map { _ in PartitionState(plan: plan) }
        let row = UnsafeMutablePointer<Float>.allocate(capacity: model.rowStride)
        defer { row.deallocate() }
        var batches = 0
        return try consume { batch in
            try Self.parse(batch, into: parsed)
            var start = 0
            while start < parsed.count {
                let partition = parsed[start].source.partition
                var end = start + 1
                while end < parsed.count, parsed[end].source.partition == partition { end += 1 }
                let state = states[Int(partition)]
                state.apply(parsed, start..<end) { _, applied in
                    if case .applied(let slot) = applied { state.features(slot, into: row) }
                }
                start = end
            }
            batches += 1
            if batches % 100 == 0 { for state in states { state.commit() } }
        }
    }

    private func events() throws -> EventBatch {
        EventBatch(
            schema: try Processor.plan(of: model, scoreEvents: ["ad_view", "click"]).schema, capacity: Self.batch)
    }

    private static func parse(_ batch: borrowing MessageBatch, into parsed: EventBatch) throws {
        parsed.removeAll()
        for i in 0..<batch.count {
            let message = batch[i]
            try parsed.append(
                message.payloadBuffer, key: message.keyBuffer,
                source: SourcePosition(partition: message.partition, offset: message.offset))
        }
    }
}
