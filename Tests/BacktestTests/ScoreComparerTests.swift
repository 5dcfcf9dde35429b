import Backtest
import Base
import Engine
import Events
import Foundation
import Sinks
import TestSupport
import Testing

/// The merge of replayed and published scores.
@Suite("Comparison of scores")
struct ScoreComparerTests {
    /// A list of scores as the published side.
    private final class Given: PublishedScores {
        private let values: [[UInt8]]
        private var next = 0
        private let buffer = ByteBuffer()
        let tombstones: Int

        init(_ values: [String], tombstones: Int) {
            self.values = values.map { Array($0.utf8) }
            self.tombstones = tombstones
        }
        func begin(partition: Int32) { next = 0 }
        func peek() -> UnsafeRawBufferPointer? {
            guard next < values.count else { return nil }
            buffer.removeAll()
            buffer.append(values[next])
            return buffer.bytes
        }
        func advance() { next += 1 }
        func close() {}
    }

    private func score(_ offset: Int, uplift: Double = 0.25, decision: String = "treat", model: String = "aa") -> String
    {
        #"{"user_id":"u-\#(offset % 5)","time":1000,"event_type":"click","treatment":"ad","outcome":"conversion","uplift":\#(uplift),"#
            + #""std_error":0.1,"ci_lower":0.1,"ci_upper":0.4,"ci_level":0.95,"decision":"\#(decision)","model":"m","#
            + #""model_version":"1","model_sha256":"\#(model)","source":{"topic":"events","partition":0,"offset":\#(offset)}}"#
    }

    /// - Parameter batch: how many scores are handed over at once.
    private func compare(
        _ replayed: [String], _ published: [String], batch: Int = 3, end: Int64 = 1_000, changes: PartFile? = nil,
        tombstones: Int = 0
    ) throws -> ScoreComparison {
        let comparer = try ScoreComparer(
            Given(published, tombstones: tombstones), span: PartitionSpan(partition: 0, first: 0, from: 0, end: end),
            changes: changes,
            resumed: nil, at: 0)
        var rest = replayed[...]
        while !rest.isEmpty {
            var bytes: [UInt8] = []
            var records: [OutputRecord] = []
            for value in rest.prefix(batch) {
                records.append(
                    OutputRecord(key: nil, value: bytes.count..<bytes.count + value.utf8.count, timestamp: 0))
                bytes += value.utf8
            }
            rest = rest.dropFirst(batch)
            try records.withUnsafeBufferPointer { records in
                try bytes.withUnsafeBytes { try comparer.compare(records, $0) }
            }
        }
        try comparer.finish()
        return comparer.result
    }

    @Test("Equal streams are identical, and no others")
    func identical() throws {
        let scores = (0..<20).map { score($0 * 3) }
        let erased = try compare(scores, scores, tombstones: 4)
        #expect(erased.isIdentical && erased.tombstones == 4, "tombstones are told of, and are no difference")
        let same = try compare(scores, scores)
        #expect(same.isIdentical && same.identical == 20 && same.first == nil)
        #expect(try !compare([], []).isIdentical)
        #expect(try !compare(scores, Array(scores.dropLast())).isIdentical)
        #expect(try !compare(Array(scores.dropLast()), scores).isIdentical)
        #expect(try !compare(scores, scores + [scores[19]]).isIdentical)
    }

    @Test("Each kind of difference is found where it is, whatever the batches", arguments: [1, 2, 7, 100])
    func kinds(batch: Int) throws {
        let scores = (0..<10).map { score($0) }
        var changed = scores
        changed[4] = score(4, uplift: 0.26)
        let content = try compare(scores, changed, batch: batch)
        #expect(content.different == 1 && content.identical == 9)
        #expect(content.first?.kind == .content && content.first?.offset == 4)
        #expect(content.first?.replayed == scores[4] && content.first?.published == changed[4])

        var shorter = scores
        shorter.remove(at: 6)
        let missing = try compare(scores, shorter, batch: batch)
        #expect(missing.replayOnly == 1 && missing.identical == 9 && missing.first?.offset == 6)
        let extra = try compare(shorter, scores, batch: batch)
        #expect(extra.publishedOnly == 1 && extra.identical == 9 && extra.first?.offset == 6)

        var twice = scores
        twice.insert(scores[3], at: 4)
        let doubled = try compare(scores, twice, batch: batch)
        #expect(doubled.publishedTwice == 1 && doubled.identical == 10 && doubled.first?.kind == .publishedTwice)
    }

    @Test("What is published behind the range does not count")
    func range() throws {
        let scores = (0..<10).map { score($0) }
        #expect(try compare(Array(scores[..<5]), scores, end: 5).isIdentical)
    }

    @Test("Another model's scores give matrix, shifts and the list of changes")
    func twoModels() throws {
        let scratch = try TemporaryFolder()
        let published = [
            score(0, model: "bb"), score(1, decision: "suppress", model: "bb"),
            score(2, decision: "treat", model: "bb"),
        ]
        let replayed = [score(0, uplift: 0.5), score(1, uplift: 0.5), score(2, uplift: 0.25, decision: "uncertain")]
        let file = try PartFile(scratch.file("changes"), keeping: 0)
        let result = try compare(replayed, published, changes: file)
        #expect(result.isOfTwoModels && result.otherModel == 3 && !result.isIdentical)
        #expect(result.changedDecisions == 2)
        // Decision's order: see Scoring.
        #expect(result.decisions.reduce(0, +) == 3)
        #expect(result.shifts.count == 3 && result.shifts.none == 1)
        let lines = try String(contentsOfFile: scratch.file("changes"), encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines[0].contains(#""from":"suppress","to":"treat","uplift_from":0.25,"uplift_to":0.5"#))
    }

    @Test("What is not a score is an error that shows it")
    func noScore() {
        #expect(throws: ImpactError.self) { try compare([score(1)], ["{}"]) }
    }
}
