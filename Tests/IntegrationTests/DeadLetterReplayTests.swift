import Base
import Foundation
import Kafka
import Reliability
import Sinks
import TestSupport
import Testing

/// Dead letters go back byte for byte to where they came from, each once, however often the replay is killed.
@Suite("Dead-letter replay", .serialized)
struct DeadLetterReplayTests {
    /// Runs the body with a stream and an application of its own; says `skipped` without a broker.
    private func withApplication(
        partitions: Int, test: String = #function, _ body: (TestStream, TestApplication) throws -> Void
    ) throws {
        guard let broker = TestBroker.start(test: test) else { return }
        let name = TestBroker.unique("dlr")
        let folder = FileManager.default.temporaryDirectory.appending(path: name).path
        let site = try TestSite(bootstrap: broker.bootstrap, folder: folder)
        let stream = try TestStream(site, topic: "\(name)-events", partitions: partitions, seed: 1, users: 5)
        defer { stream.delete() }
        let application = try TestApplication("\(name)-app", stream: stream)
        defer { application.delete() }
        try body(stream, application)
    }

    /// What dead letters are made of here: every part of a record that could get lost on the way.
    private static func letters(_ topic: String) -> [(DeadLetterEnvelope, DeadLetterReason)] {
        (0..<1_200).map { i in
            let code = ["missing_field", "invalid_json", "key_mismatch"][i % 3]
            var record = DeadLetterEnvelope(
                key: i % 5 == 0 ? nil : Array("key-\(i)".utf8), value: i % 7 == 0 ? nil : Array("value-\(i)\u{0}".utf8),
                headers: i % 2 == 0
                    ? [] : [RecordHeader("own", Array("h-\(i)".utf8)), RecordHeader("own", nil), RecordHeader("", [])],
                timestamp: 1_700_000_000_000 + Int64(i))
            if i == 600 { record.value = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) } }
            return (
                record,
                DeadLetterReason(code: code, message: "m", topic: topic, partition: Int32(i % 2), offset: Int64(i))
            )
        }
    }

    @Test("Killed at every step of its transactions: each letter once, as it was, in order")
    func exactlyOnce() throws {
        try withApplication(partitions: 2) { stream, application in
            let letters = Self.letters(stream.topic)
            try write(letters, application)

            let steps: [KillPoint] = [.beforeSendOffsets, .afterSendOffsets, .duringCommit, .afterCommit]
            // One code first; all the rest later must not send it again.
            try replay(application, steps, ["--code", "invalid_json"])
            let first = letters.filter { $0.1.code == "invalid_json" }
            try expect(stream, first.map(\.0), partitions: first.map(\.1.partition))
            try replay(application, steps, [])
            let rest = letters.filter { $0.1.code != "invalid_json" }
            let all = first + rest
            try expect(stream, all.map(\.0), partitions: all.map(\.1.partition))
            // A third time there is nothing left.
            try replay(application, [], [])
            try expect(stream, all.map(\.0), partitions: all.map(\.1.partition))
        }
    }

    @Test("Ranges in any order, killed at every step, then all: each letter once")
    func ranges() throws {
        try withApplication(partitions: 2) { stream, application in
            let letters = Self.letters(stream.topic)
            try write(letters, application)
            func time(_ i: Int) -> String { "\(1_700_000_000_000 + i)" }
            var sent: [(DeadLetterEnvelope, DeadLetterReason)] = []
            func add(_ range: Range<Int>, _ isWanted: (DeadLetterReason) -> Bool = { _ in true }) {
                let isSent = Set(sent.map(\.1.offset))
                sent += letters[range].filter { isWanted($0.1) && !isSent.contains($0.1.offset) }
            }
            try replay(application, [.afterSendOffsets, .afterCommit], ["--from", time(700), "--to", time(900)])
            add(700..<900)
            try replay(application, [.duringCommit], ["--from", time(200), "--to", time(800), "--partition", "1"])
            add(200..<800) { $0.partition == 1 }
            try replay(application, [], ["--code", "invalid_json", "--from", time(100)])
            add(100..<1_200) { $0.code == "invalid_json" }
            try expect(stream, sent.map(\.0), partitions: sent.map(\.1.partition))
            try replay(application, [.afterSendOffsets, .afterCommit], [])
            add(0..<1_200)
            try expect(stream, sent.map(\.0), partitions: sent.map(\.1.partition))
        }
    }

    @Test("Without --yes nothing is sent; another application's letters and foreign topics stay")
    func restraint() throws {
        try withApplication(partitions: 1) { stream, application in
            let record = DeadLetterEnvelope(key: [1], value: [2], headers: [], timestamp: 5)
            func reason(_ topic: String, _ partition: Int32 = 0) -> DeadLetterReason {
                DeadLetterReason(code: "invalid_json", message: "", topic: topic, partition: partition, offset: 0)
            }
            try write([(record, reason(stream.topic))], application, as: "another")
            // Whoever can write to the dead-letter topic must not choose where a replay writes.
            try write([(record, reason(application.output)), (record, reason(stream.topic, 7))], application)
            try replay(application, [], [])
            #expect(try TopicRecords(stream.topic, site: stream.site).records.isEmpty)
            try write([(record, reason(stream.topic))], application)
            let dry = try application.command(["dead-letter", "replay"])
            #expect(dry.wait(seconds: 60) == .exited(0))
            #expect(try TopicRecords(stream.topic, site: stream.site).records.isEmpty)
            // A range that leaves out an earlier letter: that one is not sent, and still due.
            let later = DeadLetterEnvelope(key: [1], value: [2], headers: [], timestamp: 9)
            try write([(later, reason(stream.topic))], application)
            try replay(application, [], ["--from", "9"])
            #expect(try TopicRecords(stream.topic, site: stream.site).records.map(\.record) == [later])
            try replay(application, [], [])
            try replay(application, [], [])
            #expect(try TopicRecords(stream.topic, site: stream.site).records.map(\.record) == [later, record])

            let list = try application.command(["dead-letter", "list", "--json"])
            #expect(list.wait(seconds: 60) == .exited(0))
            let lines = try String(contentsOfFile: list.log, encoding: .utf8).split(separator: "\n").filter {
                $0.first == "{"
            }
            #expect(lines.count == 5)
            for line in lines {
                let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
                #expect(object?["code"] as? String == "invalid_json")
                #expect((object?["time"] as? String)?.hasPrefix("1970-01-01T00:00:00.00") == true)
            }
        }
    }

    /// Kills a replay at each step, then lets one through.
    private func replay(_ application: TestApplication, _ steps: [KillPoint], _ options: [String]) throws {
        for step in steps {
            let child = try application.command(
                ["dead-letter", "replay", "--yes"] + options, environment: [KillPoint.variable: "\(step.rawValue)"])
            // A code's letters may all be sent before the last step's turn.
            let ending = child.wait(seconds: 60)
            #expect(ending == .killed(signal: SIGKILL) || ending == .exited(0), "\(child.tail)")
        }
        let child = try application.command(["dead-letter", "replay", "--yes"] + options)
        #expect(child.wait(seconds: 60) == .exited(0), "\(child.tail)")
    }

    private func write(
        _ letters: [(DeadLetterEnvelope, DeadLetterReason)], _ application: TestApplication, as name: String? = nil
    ) throws {
        let properties = application.stream.site.properties
        let producer = try OutputProducer(properties: properties, options: ProducerOptions())
        defer { producer.close() }
        // So small a limit that the large one is written in parts.
        let writer = DeadLetterWriter(
            producer: producer, topic: try producer.topic(application.deadLetter),
            partitions: application.stream.partitions, maxRecordBytes: 100_000, application: name ?? application.name)
        for (record, reason) in letters { try writer.write(record, reason: reason) }
        try producer.flush()
    }

    private func expect(_ stream: TestStream, _ records: [DeadLetterEnvelope], partitions: [Int32]) throws {
        let found = try TopicRecords(stream.topic, site: stream.site).records
        for partition in 0..<Int32(stream.partitions) {
            let ours = found.filter { $0.partition == partition }.map(\.record)
            let expected = zip(records, partitions).filter { $0.1 == partition }.map(\.0)
            #expect(ours.count == expected.count)
            #expect(ours == expected)
        }
    }
}
