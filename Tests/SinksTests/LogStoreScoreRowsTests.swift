import Foundation
import Sinks
import TestSupport
import Testing

@Suite("Score rows") struct LogStoreScoreRowsTests {
    @Test("Texts come back, and equal neighbours share their bytes")
    func sharing() throws {
        let rows = ScoreRows(capacity: 1_000)
        for i in 0..<1_000 as Range<Int64> { try rows.append(TestScore(offset: i, user: "user-\(i)")) }
        #expect(rows.isFull)
        for i in 0..<1_000 {
            let user = rows.bytes(rows[i].user).map { String(decoding: $0, as: UTF8.self) }
            #expect(user == "user-\(i)")
            #expect(rows.bytes(rows[i].modelSHA256)?.count == 64)
            #expect(rows.bytes(rows[i].effects) == nil)
        }
        // A row costs its user's id; model, checksum and topic are there once.
        #expect(rows.byteCount < 1_000 * 9 + 200)
        rows.removeAll()
        #expect(rows.isEmpty && rows.byteCount == 0)
    }

    @Test("A row that no table can hold leaves the batch as it was")
    func faults() throws {
        let rows = ScoreRows(capacity: 10)
        try rows.append(TestScore(user: "a"))
        let before = rows.byteCount
        let long = String(repeating: "x", count: ScoreRows.maxKeyBytes + 1)
        let wrong: [(TestScore, ScoreRows.Fault)] = [
            (TestScore(user: "a\u{0}b"), .zeroByte), (TestScore(effects: "\u{0}"), .zeroByte),
            (TestScore(user: ""), .keyLength), (TestScore(user: long), .keyLength),
            (TestScore(topic: long), .keyLength), (TestScore(topic: ""), .keyLength),
            (TestScore(uplift: .nan), .missingColumn), (TestScore(uplift: -.infinity), .missingColumn),
        ]
        for (score, fault) in wrong {
            #expect(throws: fault) { try rows.append(score) }
            #expect(rows.count == 1 && rows.byteCount == before)
        }
        #expect(throws: ScoreRows.Fault.missingColumn) { try rows.append(ScoreRows.Row()) }
        let bad: [UInt8] = [0x61, 0xC3, 0x28]
        var row = rows[0]
        row.user = bad.withUnsafeBytes { rows.put($0) }
        #expect(throws: ScoreRows.Fault.invalidUTF8) { try rows.append(row) }
        // The fault belonged to that row alone.
        try rows.append(TestScore(user: "b"))
        #expect(rows.count == 2)
    }

    @Test("The byte limit ends a batch, and one row may go beyond it")
    func limit() throws {
        let rows = ScoreRows(capacity: 1_000, byteLimit: 4_096)
        var count: Int64 = 0
        while !rows.isFull {
            try rows.append(TestScore(offset: count, user: String(repeating: "u", count: 200)))
            count += 1
        }
        #expect((15...25).contains(count))
        rows.removeAll()
        let effects = String(repeating: "e", count: 1 << 20)
        try rows.append(TestScore(effects: effects))
        #expect(rows.isFull)
        #expect(rows.bytes(rows[0].effects)?.count == 1 << 20)
    }
}

@Suite("Log store stop signal") struct LogStoreStopSignalTests {
    @Test("The earliest deadline counts")
    func deadline() {
        let stop = LogStoreStop()
        #expect(!stop.isStopping && !stop.isPastDeadline && stop.secondsLeft == .infinity)
        stop.stop(within: 1_000)
        #expect(stop.isStopping && !stop.isPastDeadline && stop.secondsLeft <= 1_000)
        stop.stop(within: 2_000)
        #expect(stop.secondsLeft <= 1_000)
        stop.stop(within: -1)
        #expect(stop.isPastDeadline && stop.secondsLeft == 0)
    }
}

@Suite("Log store start plan") struct LogStoreStartPlanTests {
    @Test("Stored position against the broker's offsets")
    func plan() {
        #expect(StartPlan(stored: nil, low: 5, high: 9) == .read(from: 5))
        #expect(StartPlan(stored: 7, low: 5, high: 9) == .read(from: 7))
        #expect(StartPlan(stored: 9, low: 5, high: 9) == .read(from: 9))
        #expect(StartPlan(stored: 5, low: 5, high: 9) == .read(from: 5))
        #expect(StartPlan(stored: 3, low: 5, high: 9) == .skip(from: 3, to: 5))
        #expect(StartPlan(stored: 10, low: 5, high: 9) == .recreated(position: 10, end: 9))
        #expect(StartPlan(stored: 0, low: 0, high: 0) == .read(from: 0))
    }
}
