import Base
import Consumer
import Foundation
import Kafka

/// Reads a topic's partitions, one after another, without a group: nothing is joined, nothing is committed.
package struct TopicSourceFactory: RecordSourceFactory {
    package let topic: String
    package let hasKeys = true
    private let properties: KafkaProperties
    private let withHeaders: Bool

    /// - Parameter withHeaders: whether records come with a copy of their headers.
    package init(topic: String, properties: KafkaProperties, withHeaders: Bool = false) {
        self.topic = topic
        self.properties = properties
        self.withHeaders = withHeaders
    }

    package func make(component: String) throws -> any RecordSource {
        try TopicSource(topic: topic, properties: properties, component: component, withHeaders: withHeaders)
    }
}

/// Committed records only, as the pipeline reads them.
final class TopicSource: RecordSource {
    private let topic: String
    private let properties: KafkaProperties
    private let reader: BoundedReader
    private let withHeaders: Bool
    private var place: TopicPartition
    private var from: Int64 = 0
    private var end: Int64 = 0
    private var lastProgress = ContinuousClock.now
    /// How long a partition may give nothing before the broker is asked whether it is still there.
    private static let patience = Duration.seconds(10)

    init(topic: String, properties: KafkaProperties, component: String, withHeaders: Bool = false) throws {
        self.topic = topic
        self.withHeaders = withHeaders
        self.properties = properties
        place = TopicPartition(topic, -1)
        var options = ConsumerOptions()
        options.clientID = component
        // A record that retention takes away under the replay is an error, not a leap.
        options.reset = .error
        options.fetchWaitMilliseconds = 20
        options.prefetchBytes = 64 << 20
        reader = try BoundedReader(topic: topic, properties: properties, options: options, component: component)
    }

    func begin(_ span: PartitionSpan) throws {
        place = TopicPartition(topic, span.partition)
        from = span.from
        end = span.end
        lastProgress = .now
        do { try reader.begin([span.partition: span.first..<max(span.first, end)]) } catch {
            throw error.impactError(doing: "reading \(place)")
        }
    }

    var position: Int64 { reader.position(place.partition) }

    func read(max: Int, _ body: (SourceRecord) throws -> Void) throws -> Bool {
        let before = position
        do {
            let hasMore = try reader.step(max: max, timeoutMilliseconds: 20) { message in
                try body(
                    SourceRecord(
                        key: message.keyBuffer, value: message.payloadBuffer, partition: message.partition,
                        offset: message.offset, timestamp: message.timestamp, isWarmUp: message.offset < from,
                        headers: withHeaders ? message.headers : []))
            }
            if !hasMore { return false }
        } catch let error as KafkaError {
            guard error.isRetriable, !error.isFatal else { throw explained(error) }
            Log.debug("replay", "\(error)")
        }
        if position > before {
            lastProgress = .now
        } else if ContinuousClock.now - lastProgress > Self.patience {
            try checkThatItIsThere()
            lastProgress = .now
        }
        return !reader.isDone
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

    func close() { reader.close() }
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
