import Base
import Consumer
import Events
import Foundation
import JSON
import Pipeline
import Synchronization
import TestSupport
import Testing

/// A seeded stream in two topics, and the order in which a merge must take it.
struct MergedEvents {
    struct Event {
        var partition: Int32
        var time: Int64
        var key: [UInt8]
        var value: [UInt8]
    }

    let topics: [[Event]]
    let partitions: Int

    init(_ random: inout SeededGenerator, partitions: Int, counts: [Int]) {
        self.partitions = partitions
        topics = counts.map { count in
            var time: Int64 = 1_795_255_200_000
            return (0..<count).map { number in
                // Repeats of a time are common, within a topic and between them.
                time += Int64.random(in: 0...(600_000 / Int64(count)), using: &random)
                let user = Int.random(in: 0..<40, using: &random)
                let type = ["ad_view", "click", "page_view", "purchase"].randomElement(using: &random) ?? ""
                let json =
                    #"{"id":"\#(count)-\#(number)","user_id":"u\#(user)","type":"\#(type)","time":\#(time),"value":3}"#
                return Event(
                    partition: Int32(user % partitions), time: time, key: Array("u\(user)".utf8),
                    value: Array(json.utf8))
            }
        }
    }

    /// Topic and offset of each event that is scored, by partition: sorted by time, topic, offset.
    var scored: [[String]] {
        (0..<partitions).map { partition in
            topics.enumerated().flatMap { topic, events in
                events.filter { $0.partition == partition }.enumerated().map { (topic, $0, $1) }
            }
            .sorted { ($0.2.time, $0.0, $0.1) < ($1.2.time, $1.0, $1.1) }
            .filter {
                let text = String(decoding: $0.2.value, as: UTF8.self)
                return text.contains("ad_view") || text.contains("click")
            }
            .map { "\($0.0)/\($0.1)" }
        }
    }
}

@Suite("Several input topics on a real broker", .serialized)
struct MergedTopicsTests {
    @Test(
        "Co-partitioned topics are scored by time, topic, offset: the same bytes with other workers and after restarts")
    func merged() throws {
        guard let broker = TestBroker.start() else { return }
        var random = SeededGenerator.announced()
        let events = MergedEvents(&random, partitions: 3, counts: [900, 250])
        let total = 1_150
        var published: [[String]] = []
        // Undisturbed; two workers and small batches; stopped and started again on the way.
        let runs: [(settings: [String], stops: [Int])] = [
            ([], [total]), (["workers=2", "batch.max.events=16"], [total]),
            (["batch.max.events=64"], [300, 500, total]),
        ]
        for run in runs {
            let pair = TestBroker.unique("pair")
            let harness = try PipelineHarness(
                broker, model: MergedTopicsTests.model, partitions: 3,
                settings: ["input.topics=\(pair)-a,\(pair)-b", "input.merge.wait.ms=3000"] + run.settings)
            for (topic, part) in events.topics.enumerated() { try harness.produce(part, topic: topic) }
            var done = 0
            for stop in run.stops where done < stop {
                done += try harness.run(until: stop - done).messages.value
            }
            #expect(done == total)
            let scores = try harness.scores
            let sources = try (0..<3).map { partition in
                try scores.filter { $0.partition == partition }.map { try Self.source($0.text, pair) }
            }
            #expect(sources == events.scored)
            published.append(scores.map { $0.text.replacing(pair, with: "pair") })
        }
        #expect(published[1] == published[0])
        #expect(published[2] == published[0])
    }

    private static let model = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "examples/demo/demo.model").path

    /// Topic number and offset of a score's source.
    private static func source(_ text: String, _ pair: String) throws -> String {
        let json = try JSONValue(parsing: Array(text.utf8), name: "score")
        let topic = try #require(json["source"]?["topic"]?.string)
        let offset = try #require(json["source"]?["offset"]?.number)
        return "\(topic == "\(pair)-a" ? 0 : 1)/\(Int(offset))"
    }
}
