import Base
import Consumer
import Foundation
import Kafka
import Sinks

/// Every committed record of a small topic, whole, by partition and offset; fails when a transaction hangs on it.
package struct TopicRecords {
    package private(set) var records: [(partition: Int32, record: DeadLetterEnvelope)] = []

    package init(_ topic: String, site: TestSite) throws {
        // A commit answers before its markers are written: the records of the last one may not be visible yet.
        let marks = try TopicContents.stableEnds(of: topic, site: site)
        let ends = marks.enumerated().filter { $0.element.high > $0.element.low }
        if ends.isEmpty { return }
        var options = ConsumerOptions()
        options.reportsPartitionEnd = true
        let consumer = try EventConsumer(
            properties: site.properties, topics: [topic], options: options, component: "checker")
        defer { consumer.close() }
        let watcher = EndWatcher()
        consumer.handler = watcher
        try consumer.assign(
            Dictionary(uniqueKeysWithValues: ends.map { (TopicPartition(topic, Int32($0.offset)), .beginning) }))
        let deadline = ContinuousClock.now + .seconds(30)
        while ends.contains(where: { watcher.ends[Int32($0.offset)] ?? 0 < $0.element.high }) {
            guard ContinuousClock.now < deadline else {
                throw ImpactError(.failed, code: "short_read", "\(topic) was not read to its end")
            }
            let batch = try consumer.poll(max: 1_000, timeoutMilliseconds: 100)
            for i in 0..<batch.count {
                let message = batch[i]
                records.append(
                    (
                        message.partition,
                        DeadLetterEnvelope(
                            key: message.keyBuffer.map { Array($0) }, value: message.payloadBuffer.map { Array($0) },
                            headers: message.headers,
                            timestamp: message.timestamp)
                    ))
            }
        }
    }
}
