import Consumer
import Foundation
import Kafka
import TestSupport
import Testing

@Suite("The bounded reader on a mock cluster", .serialized)
struct BoundedReaderTests {
    /// The end may be told in the poll that brings the last records: they come before it.
    @Test("Every record before the end is handed over, also when one poll brings it all", arguments: [7, 10_000])
    func endInTheSamePoll(max: Int) throws {
        let cluster = try MockCluster()
        try cluster.create(topic: "t", partitions: 1)
        let values = (0..<300).map { "value \($0)" }
        try fill(cluster, "t", values)
        let reader = try BoundedReader(
            topic: "t", properties: ["bootstrap.servers": cluster.bootstrap], options: quick(), component: "test")
        defer { reader.close() }
        for round in 0..<3 {
            try reader.begin([0: 0..<300])
            // Records and end are there before the first poll.
            Thread.sleep(forTimeInterval: 0.5)
            var found: [String] = []
            while try reader.step(
                max: max,
                { message in
                    found.append(message.payloadBuffer.map { String(decoding: $0, as: UTF8.self) } ?? "")
                })
            {}
            #expect(found == values, "round \(round): \(found.count)")
            #expect(reader.isDone && reader.position(0) == 300)
        }
    }
}
