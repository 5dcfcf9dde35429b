import Base
import Consumer
import Foundation
import Kafka
import TestSupport
import Testing

@Suite("Reading partitions to a known end", .serialized)
struct BoundedReaderTests {
    @Test("An end that comes in one batch with the last records takes none of them away", arguments: [7, 10_000])
    func endInTheBatch(max: Int) throws {
        let cluster = try MockCluster()
        try cluster.create(topic: "t", partitions: 1)
        let values = (0..<20).map { "value \($0)" }
        try fill(cluster, "t", values)
        let reader = try BoundedReader(
            topic: "t", properties: ["bootstrap.servers": cluster.bootstrap], options: quick(), component: "reader")
        defer { reader.close() }
        for _ in 0..<2 {
            try reader.begin([0: 0..<20])
            // A slow reader: librdkafka has told the end meanwhile, behind the records in one queue. However long it takes,
            // all are read.
            Thread.sleep(forTimeInterval: 0.5)
            var read: [String] = []
            let deadline = ContinuousClock.now + .seconds(30)
            var hasMore = true
            while hasMore, ContinuousClock.now < deadline {
                hasMore = try reader.step(max: max) { message in
                    read.append(message.payloadBuffer.map { String(decoding: $0, as: UTF8.self) } ?? "(null)")
                }
            }
            #expect(read == values)
            #expect(reader.isDone && reader.position(0) == 20)
        }
    }
}
