import Foundation
import Sinks
import TestSupport
import Testing

@Suite("Log store batches") struct LogStoreScoreBatchBuilderTests {
    func make(capacity: Int = 100, erases: Bool = true) -> (ScoreBatchBuilder, LogStoreCounters) {
        let counters = LogStoreCounters()
        let batch = ScoreBatch(source: ScoreBatch.output, capacity: capacity)
        let builder = ScoreBatchBuilder(batch, erasesOnTombstone: erases, counters: counters)
        builder.begin(stored: [0: 10], next: [0: 10, 1: 0])
        return (builder, counters)
    }

    func add(_ builder: ScoreBatchBuilder, _ offset: Int64, key: String? = nil, _ value: [UInt8]?, partition: Int32 = 0)
        -> ScoreBatchBuilder.Outcome
    {
        let key = key.map { Array($0.utf8) }
        func lend(_ bytes: [UInt8]?, _ body: (UnsafeRawBufferPointer?) -> ScoreBatchBuilder.Outcome)
            -> ScoreBatchBuilder.Outcome
        {
            guard let bytes else { return body(nil) }
            return bytes.withUnsafeBytes { body($0) }
        }
        return lend(key) { key in
            lend(value) { builder.add(partition: partition, offset: offset, key: key, payload: $0) }
        }
    }

    @Test("Positions move over scores, rejections, tombstones and what lies between")
    func positions() {
        let (builder, counters) = make(erases: false)
        #expect(builder.finish() == nil)
        #expect(add(builder, 10, TestScore().json) == .taken)
        #expect(add(builder, 13, Array("nonsense".utf8)) == .taken)
        #expect(add(builder, 14, key: "u", nil) == .taken)
        builder.reached(0, 20)
        builder.reached(0, 15)
        let batch = builder.finish()
        // The other partition's start is kept as well: from here on a deleted record would be noticed.
        #expect(
            batch?.advances == [
                .init(partition: 0, expected: 10, next: 20), .init(partition: 1, expected: nil, next: 0),
            ])
        #expect(batch?.rows.count == 1)
        #expect(batch?.rejections.map(\.offset) == [13])
        #expect(counters.tombstonesPassed == 1)
        if let batch { builder.stored(batch) }
        #expect(!builder.hasWork)
        #expect(add(builder, 5, TestScore().json, partition: 1) == .taken)
        // The first one has not moved since.
        #expect(builder.finish()?.advances == [.init(partition: 1, expected: 0, next: 6)])
    }

    @Test("A full batch takes nothing more and forgets nothing")
    func full() {
        let (builder, _) = make(capacity: 2)
        #expect(add(builder, 10, TestScore().json) == .taken)
        #expect(add(builder, 11, TestScore().json) == .taken)
        #expect(builder.isFull)
        #expect(add(builder, 12, TestScore().json) == .needsFlush)
        #expect(builder.position(0) == 12)
    }

    @Test("A row of a user follows the user's tombstone only in the next batch")
    func tombstones() {
        let (builder, _) = make()
        #expect(add(builder, 10, TestScore(user: "a").json) == .taken)
        #expect(add(builder, 11, key: "a", nil) == .taken)
        #expect(add(builder, 12, key: "b", nil) == .taken)
        #expect(add(builder, 13, TestScore(user: "c").json) == .taken)
        #expect(add(builder, 14, TestScore(user: "a").json) == .needsFlush)
        #expect(builder.position(0) == 14)
        let batch = builder.finish()
        #expect(batch?.erasures == [Array("a".utf8), Array("b".utf8)])
        if let batch { builder.stored(batch) }
        #expect(add(builder, 14, TestScore(user: "a").json) == .taken)
    }

    @Test("A topic of nonsense fills batches of bounded size")
    func nonsense() {
        let (builder, _) = make()
        var offset: Int64 = 10
        while !builder.isFull {
            #expect(add(builder, offset, [0x7B]) == .taken)
            offset += 1
        }
        #expect(offset == 1_010)
    }
}
