import Base
import Consumer
import Events
import Foundation
import Kafka
import Sinks

/// Everything committed in a topic, as a hash a record, in order within each partition.
///
/// Eight bytes per record, so that a run of ten million scores compares in memory, and the first difference has a place.
struct TopicContents {
    var partitions: [[UInt64]]
    /// Compacted view: the last record of each key; tombstones removed.
    var latest: [[UInt8]: UInt64] = [:]

    var count: Int { partitions.reduce(0) { $0 + $1.count } }

    /// - Parameters:
    ///   - compacted: keeps the last record a key, for a changelog.
    ///   - ignoring: names of headers that differ between applications.
    /// - Throws: `hanging_transaction` when the committed end does not become the log's end, `short_read` when not all is read.
    init(_ topic: String, site: TestSite, compacted: Bool = false, ignoring: Set<String> = []) throws {
        let ends = try Self.stableEnds(of: topic, site: site)
        partitions = ends.map { _ in [] }
        let reader = try BoundedReader(topic: topic, properties: site.properties, component: "checker")
        defer { reader.close() }
        let ranges = ends.enumerated().map { (Int32($0.offset), $0.element.low..<$0.element.high) }
        try reader.begin(Dictionary(uniqueKeysWithValues: ranges))
        var quietSince = ContinuousClock.now
        let scratch = ByteBuffer(capacity: 1 << 16)
        while !reader.isDone {
            guard ContinuousClock.now - quietSince < .seconds(60) else {
                throw ImpactError(.failed, code: "short_read", "\(topic) was not read to its end")
            }
            _ = try reader.step(timeoutMilliseconds: 100) { message in
                quietSince = .now
                let hash = Self.hash(message, ignoring: ignoring, withTime: !compacted, scratch)
                if compacted {
                    latest[message.keyBuffer.map { Array($0) } ?? []] = message.payloadBuffer == nil ? nil : hash
                } else {
                    partitions[Int(message.partition)].append(hash)
                }
            }
        }
    }

    private static func hash(
        _ message: borrowing Message, ignoring: Set<String>, withTime: Bool, _ scratch: ByteBuffer
    ) -> UInt64 {
        scratch.removeAll()
        func add(_ bytes: [UInt8]?) {
            withUnsafeBytes(of: Int64(bytes?.count ?? -1)) { scratch.append($0) }
            bytes?.withUnsafeBytes { scratch.append($0) }
        }
        add(message.keyBuffer.map { Array($0) })
        add(message.payloadBuffer.map { Array($0) })
        // The changelog's records bear the clock's time.
        if withTime { withUnsafeBytes(of: message.timestamp) { scratch.append($0) } }
        for header in message.headers where !ignoring.contains(header.name) {
            add(header.nameBytes)
            add(header.value)
        }
        return StableHash.hash(scratch.bytes)
    }

    /// The partitions' offsets, once the committed end is the log's end. Shorter than a transaction's timeout, so that a
    /// transaction left hanging is found and not waited out.
    static func stableEnds(of topic: String, site: TestSite) throws -> [Watermarks] {
        let committed = try site.admin(readCommitted: true)
        let all = try site.admin()
        defer {
            committed.close()
            all.close()
        }
        let deadline = ContinuousClock.now + .seconds(45)
        while true {
            let stable = try committed.watermarks(ofTopic: topic)
            let marks = try all.watermarks(ofTopic: topic)
            if stable == marks { return marks }
            guard ContinuousClock.now < deadline else {
                throw ImpactError(.failed, code: "hanging_transaction", "a transaction hangs on \(topic)")
            }
            usleep(20_000)
        }
    }
}
