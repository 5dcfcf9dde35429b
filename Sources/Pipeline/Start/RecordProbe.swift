import Base
import Consumer
import Foundation
import Kafka

/// Looks at single records of many partitions, without a group. For checks before a start.
final class RecordProbe: AssignmentHandler {
    /// A record, copied.
    struct Found {
        var offset: Int64
        var timestamp: Int64
        var key: [UInt8]?
        var value: [UInt8]?
        var headers: [RecordHeader]

        func text(ofHeader name: String) -> String? { headers.last { $0.name == name }?.text }
    }

    private let consumer: EventConsumer
    private let topics: [String]
    private let isStopped: () -> Bool
    private var ended: Set<TopicPartition> = []
    private static let deadline = Duration.seconds(60)

    init(properties: KafkaProperties, topics: [String], isStopped: @escaping () -> Bool) throws(ImpactError) {
        self.topics = topics
        self.isStopped = isStopped
        var options = ConsumerOptions()
        options.reportsPartitionEnd = true
        options.fetchWaitMilliseconds = 10
        options.prefetchBytes = 8 << 20
        options.clientID = "impactiq-start-check"
        consumer = try EventConsumer(properties: properties, topics: topics, options: options, component: "start-check")
        consumer.handler = self
    }

    func close() { consumer.close() }

    /// The first committed record at or after each offset; partitions without one are left out.
    func first(at offsets: [TopicPartition: Int64]) throws(ImpactError) -> [TopicPartition: Found] {
        var found: [TopicPartition: Found] = [:]
        try read(offsets) { place, record in
            if found[place] == nil { found[place] = record }
            return true
        }
        return found
    }

    /// The last committed record of each partition that has any.
    ///
    /// - Parameter marks: the partitions' first and next offsets.
    func last(of marks: [TopicPartition: Watermarks]) throws(ImpactError) -> [TopicPartition: Found] {
        var found: [TopicPartition: Found] = [:]
        var left = marks.filter { $0.value.high > $0.value.low }
        // Behind the last record stand markers of transactions, and what aborted ones wrote: how much is not known.
        var reach: Int64 = 64
        while !left.isEmpty {
            let starts = left.mapValues { max($0.low, $0.high - reach) }
            try read(starts) { place, record in
                found[place] = record
                return false
            }
            left = left.filter { found[$0.key] == nil && starts[$0.key] ?? 0 > $0.value.low }
            reach *= 16
        }
        return found
    }

    /// The last committed records of a partition: `count` or a few more, or all there are.
    ///
    /// - Parameter isHeadersOnly: leaves key and value out: whoever may write there chooses how large they are.
    func recent(
        _ place: TopicPartition, _ marks: Watermarks, count: Int, isHeadersOnly: Bool = false
    ) throws(ImpactError) -> [Found] {
        var reach = Int64(count)
        while true {
            let start = max(marks.low, marks.high - reach)
            var records: [Found] = []
            try read([place: start]) { _, record in
                records.append(record)
                if isHeadersOnly { (records[records.count - 1].key, records[records.count - 1].value) = (nil, nil) }
                if records.count > 2 * count { records.removeFirst(count) }
                return false
            }
            if records.count >= count || start <= marks.low { return records }
            reach *= 16
        }
    }

    /// Reads each partition from its offset to its end, or until `body` says that it has seen enough of it.
    private func read(
        _ starts: [TopicPartition: Int64], _ body: (TopicPartition, Found) -> Bool
    ) throws(ImpactError) {
        if starts.isEmpty { return }
        ended = []
        do throws(KafkaError) { try consumer.assign(starts.mapValues { .offset($0) }) } catch {
            throw error.impactError(doing: "reading \(topics.joined(separator: ", "))")
        }
        let end = ContinuousClock.now + Self.deadline
        var left = Set(starts.keys)
        while !left.subtracting(ended).isEmpty {
            if isStopped() { throw ImpactError(.failed, code: "stopped", "stopped while the topics were looked at") }
            guard ContinuousClock.now < end else {
                throw ImpactError(
                    .failed, code: "kafka_unreachable",
                    "\(topics.joined(separator: ", ")): no answer about \(left.count) partitions within 60 s")
            }
            do {
                let batch = try consumer.poll(max: 1_000, timeoutMilliseconds: 100)
                for i in 0..<batch.count {
                    let message = batch[i]
                    guard topics.indices.contains(Int(message.topic)) else { continue }
                    let place = TopicPartition(topics[Int(message.topic)], message.partition)
                    guard left.contains(place), message.offset >= starts[place] ?? 0 else { continue }
                    let record = Found(
                        offset: message.offset, timestamp: message.timestamp, key: message.keyBuffer.map(Array.init),
                        value: message.payloadBuffer.map(Array.init), headers: message.headers)
                    if body(place, record) { left.remove(place) }
                }
            } catch {
                guard error.isRetriable, !error.isFatal else {
                    throw error.impactError(doing: "reading \(topics.joined(separator: ", "))")
                }
            }
        }
        do throws(KafkaError) { try consumer.assign([:]) } catch {
            throw error.impactError(doing: "reading \(topics.joined(separator: ", "))")
        }
    }

    func assigned(_ partitions: [TopicPartition]) {}
    func revoked(_ partitions: [TopicPartition]) {}
    func lost(_ partitions: [TopicPartition]) {}
    func reachedEnd(of partition: TopicPartition, at offset: Int64) { ended.insert(partition) }
}
