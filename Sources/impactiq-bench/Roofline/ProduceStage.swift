import Base
import Engine
import Events
import Foundation
import Kafka
import Sinks

/// Writes what a walk over the stages would have written: as many scores and changelog records of the same sizes, in
/// transactions of a second.
struct ProduceStage {
    let topic: StreamTopic
    let walk: StageWalk
    let events: Int

    /// Events a second whose outputs were committed.
    func measure() throws -> Double {
        let name = "bench-out-\(UInt32.random(in: 0 ... .max))"
        let admin = try Admin(properties: topic.properties)
        defer { admin.close() }
        try admin.create([.scores(name, partitions: topic.partitions)])
        defer { try? admin.delete(topics: [name]) }
        var options = ProducerOptions(transactionalID: name)
        options.lingerMilliseconds = 5
        let producer = try OutputProducer(properties: topic.properties, options: options)
        defer { producer.close() }
        let output = try producer.topic(name)
        producer.start()
        let bytes = ByteBuffer(capacity: 1 << 16)
        for _ in 0..<bytes.capacity { bytes.append(UInt8(ascii: "x")) }
        let start = ContinuousClock.now
        var due = start + .seconds(1)
        producer.begin()
        var done = 0, scores = 0, changed = 0
        while done < events {
            done = min(events, done + 1_024)
            let batchScores = walk.scores * done / events - scores
            scores += batchScores
            try write(batchScores, of: walk.scoreBytes / max(1, walk.scores), to: output, producer, bytes)
            if .now < due, done < events { continue }
            let batchChanged = walk.changed * done / events - changed
            changed += batchChanged
            try write(batchChanged, of: walk.changedBytes / max(1, walk.changed), to: output, producer, bytes)
            _ = producer.commit()
            producer.begin()
            due = .now + .seconds(1)
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        producer.abort()
        return Double(events) / seconds
    }

    private func write(
        _ count: Int, of size: Int, to output: OutputTopic, _ producer: OutputProducer, _ bytes: ByteBuffer
    ) throws {
        let record = OutputRecord(key: 0..<8, value: 0..<max(1, min(size, bytes.count)), timestamp: 1_767_225_600_000)
        for partition in 0..<topic.partitions {
            let share = count * (partition + 1) / topic.partitions - count * partition / topic.partitions
            let records = [OutputRecord](repeating: record, count: share)
            try records.withUnsafeBufferPointer {
                try producer.produceBatch(output, partition: Int32(partition), $0, bytes: bytes.bytes)
            }
        }
    }
}
