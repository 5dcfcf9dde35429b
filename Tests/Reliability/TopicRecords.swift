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
        let reader = try BoundedReader(topic: topic, properties: site.properties, component: "checker")
        defer { reader.close() }
        let ranges = marks.enumerated().map { (Int32($0.offset), $0.element.low..<$0.element.high) }
        try reader.begin(Dictionary(uniqueKeysWithValues: ranges))
        let deadline = ContinuousClock.now + .seconds(30)
        while !reader.isDone {
            guard ContinuousClock.now < deadline else {
                throw ImpactError(.failed, code: "short_read", "\(topic) was not read to its end")
            }
            _ = try reader.step(max: 1_000, timeoutMilliseconds: 100) { message in
                let record = DeadLetterEnvelope(
                    key: message.keyBuffer.map { Array($0) }, value: message.payloadBuffer.map { Array($0) },
                    headers: message.headers, timestamp: message.timestamp)
                records.append((message.partition, record))
            }
        }
    }
}
