import Base
import Consumer
import Foundation
import Kafka

/// Reads a topic's partitions, one after another, without a group: nothing is joined, nothing is committed.
package struct TopicSourceFactory: RecordSourceFactory {
    package let topic: String
    package let hasKeys = true
    private let properties: KafkaProperties

    package init(topic: String, properties: KafkaProperties) {
        self.topic = topic
        self.properties = properties
    }

    package func make(component: String) throws -> any RecordSource {
        try TopicSource(topic: topic, properties: properties, component: component)
    }
}

/// Committed records only, as the pipeline reads them.
final class TopicSource: RecordSource {
    private let topic: String
    private let properties: KafkaProperties
    private let consumer: EventConsumer
    private var place: TopicPartition
    private var end: Int64 = 0
    private(set) var position: Int64 = 0
    private var lastProgress = ContinuousClock.now
    /// How long a partition may give nothing before the broker is asked whether it is still there.
    private static let patience = Duration.seconds(10)

    init(topic: String, properties: KafkaProperties, component: String) throws {
        self.topic = topic
        self.properties = properties
        place = TopicPartition(topic, -1)
        var options = ConsumerOptions()
        options.clientID = component
        // A record that retention takes away under the replay is an error, not a leap.
        options.reset = .error
        options.fetchWaitMilliseconds = 20
        options.prefetchBytes = 64 << 20
        consumer = try EventConsumer(properties: properties, topics: [topic], options: options, component: component)
    }

    func begin(_ span: PartitionSpan) throws {
        place = TopicPartition(topic, span.partition)
        position = span.first
        end = span.end
        lastProgress = .now
        guard position < end else { return }
        do { try consumer.assign([place: .offset(position)]) } catch {
            throw error.impactError(doing: "reading \(place)")
        }
    }

    func read(max: Int, _ body: (SourceRecord) throws -> Void) throws -> Bool {
        guard position < end else { return false }
        do {
            let batch = try consumer.poll(max: max, timeoutMilliseconds: 20)
            if !batch.isEmpty {
                lastProgress = .now
                return try lend(batch, body)
            }
        } catch let error as KafkaError {
            guard error.isRetriable, !error.isFatal else { throw explained(error) }
            Log.debug("replay", "\(error)")
        }
        // Behind the last record may stand transaction markers, which take offsets and are never delivered.
        if let reached = consumer.positions([place])[place], reached > position { position = min(reached, end) }
        if position < end, ContinuousClock.now - lastProgress > Self.patience {
            try checkThatItIsThere()
            lastProgress = .now
        }
        return position < end
    }

    private func lend(_ batch: borrowing MessageBatch, _ body: (SourceRecord) throws -> Void) throws -> Bool {
        for i in 0..<batch.count {
            let message = batch[i]
            guard message.partition == place.partition, message.offset >= position else { continue }
            guard message.offset < end else {
                position = end
                return false
            }
            try body(
                SourceRecord(
                    key: message.keyBuffer, value: message.payloadBuffer, offset: message.offset,
                    timestamp: message.timestamp))
            position = message.offset + 1
        }
        return position < end
    }

    private func explained(_ error: KafkaError) -> ImpactError {
        // OFFSET_OUT_OF_RANGE, and librdkafka's own word for it under auto.offset.reset=error.
        if ["OFFSET_OUT_OF_RANGE", "_AUTO_OFFSET_RESET"].contains(error.name) {
            return ImpactError(
                .badInput, code: "range_retention",
                "\(place): offset \(position) is not there any more: retention removed it, or the topic was "
                    + "deleted and made anew (\(error))")
        }
        return error.impactError(doing: "reading \(place)")
    }

    /// - Throws: when topic, partition or the records up to the end are gone.
    private func checkThatItIsThere() throws {
        let admin = try Admin(properties: properties, readCommitted: true)
        defer { admin.close() }
        let marks = try? admin.describe(topic).map { try admin.watermarks(ofTopic: $0.name) }
        guard let marks = marks ?? nil, Int(place.partition) < marks.count,
            marks[Int(place.partition)].high >= end
        else {
            throw ImpactError(
                .badInput, code: "partition_vanished",
                "\(place) had records up to offset \(end - 1) when the replay began; at offset \(position) they are "
                    + "gone: was the topic deleted or made anew?")
        }
        let low = marks[Int(place.partition)].low
        if low > position {
            throw ImpactError(
                .badInput, code: "range_retention",
                "\(place): retention has removed the records up to offset \(low - 1) while offset \(position) was to be read"
            )
        }
    }

    func close() { consumer.close() }
}

/// Looks up single records: for warm-ups and retention checks.
package final class RecordTimes {
    private let source: TopicSource

    package init(topic: String, properties: KafkaProperties) throws {
        source = try TopicSource(topic: topic, properties: properties, component: "replay-plan")
    }

    /// The timestamp of the first record at or after the offset, nil when there is none before `end`.
    package func time(of place: TopicPartition, offset: Int64, end: Int64) throws(ImpactError) -> Int64? {
        var found: Int64?
        do {
            try source.begin(PartitionSpan(partition: place.partition, first: offset, from: offset, end: end))
            while found == nil, try source.read(max: 1, { found = found ?? $0.timestamp }) {}
        } catch {
            if let error = error as? ImpactError { throw error }
            throw ImpactError(.failed, code: "kafka_read", "reading \(place): \(error)")
        }
        return found
    }

    package func close() { source.close() }
}
