import Consumer
import Foundation
import Kafka
import TestSupport
import Testing

@Suite("A bounded reader on a mock cluster", .serialized)
struct BoundedReaderTests {
    /// The end is told in the same poll as the last records: whatever waits in the queue comes at once.
    @Test("Hands out every record although the end is told in the same poll", arguments: [7, 10_000])
    func endInTheSamePoll(max: Int) throws {
        let cluster = try MockCluster()
        try cluster.create(topic: "t", partitions: 1)
        let values = (0..<60).map { "value \($0)" }
        try fill(cluster, "t", values)
        let reader = try BoundedReader(
            topic: "t", properties: ["bootstrap.servers": cluster.bootstrap], options: quick(), component: "test")
        defer { reader.close() }
        for range in [0..<60, 50..<60, 59..<60, 0..<10] as [Range<Int64>] {
            var found: [String] = []
            try reader.begin([0: range])
            // Time for the records and the end to be fetched; without it the test sees less, and passes.
            Thread.sleep(forTimeInterval: 0.5)
            let deadline = Date() + 30
            var hasMore = true
            while hasMore, Date() < deadline {
                hasMore = try reader.step(max: max) { message in
                    found.append(message.payloadBuffer.map { String(decoding: $0, as: UTF8.self) } ?? "(null)")
                }
            }
            #expect(found == Array(values[Int(range.lowerBound)..<Int(range.upperBound)]))
            #expect(reader.isDone && reader.position(0) == range.upperBound)
        }
    }
}
