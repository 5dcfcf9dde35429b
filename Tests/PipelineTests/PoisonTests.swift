import Foundation
import Pipeline
import TestSupport
import Testing

@Suite("Poison protection")
struct PoisonTests {
    private func range(
        _ first: Int64, _ last: Int64, deaths: Int32 = 0, topic: Int32 = 0, partition: Int32 = 0
    ) -> PoisonRange {
        PoisonRange(topic: topic, partition: partition, deaths: deaths, first: first, last: last)
    }

    @Test("A crash in a batch and a crash at one message of it: poison at the third start")
    func crashes() throws {
        let second = PoisonSuspects(known: [], noted: [(range(10, 20), true)])
        let alone = try #require(second.suspect(0, 0, 15))
        #expect(!alone.isPoison)
        let third = PoisonSuspects(known: second.ranges, noted: [(alone, true)])
        #expect(third.suspect(0, 0, 15)?.isPoison == true)
        #expect(third.suspect(0, 0, 14)?.isPoison == false)
        #expect(third.suspect(0, 1, 15) == nil)
        #expect(third.suspect(0, 0, 21) == nil)
        // The same partition and offset of another topic is another message.
        #expect(third.suspect(1, 0, 15) == nil)
    }

    @Test("Kills count only while a message is handled alone")
    func kills() throws {
        var suspects = PoisonSuspects(known: [], noted: [(range(10, 20), false)])
        for death in 1...2 {
            let alone = try #require(suspects.suspect(0, 0, 15))
            #expect(!alone.isPoison)
            suspects = PoisonSuspects(known: suspects.ranges, noted: [(alone, false)])
            #expect(suspects.suspect(0, 0, 15)?.deaths == Int32(death))
        }
        #expect(suspects.suspect(0, 0, 15)?.isPoison == true)
    }

    @Test("Random kills in batches, however many, accuse nobody")
    func randomKills() {
        var random = SeededGenerator.announced()
        var suspects = PoisonSuspects(known: [], noted: [])
        for _ in 0..<500 {
            let first = Int64.random(in: 0..<1_000, using: &random)
            suspects = PoisonSuspects(known: suspects.ranges, noted: [(range(first, first + 63), false)])
        }
        #expect((0..<1_100).allSatisfy { suspects.suspect(0, 0, $0)?.isPoison != true })
        #expect(suspects.ranges.count <= PoisonSuspects.limit)
    }

    @Test("What is committed is forgotten")
    func passing() {
        let others = [range(1, 5, partition: 1), range(1, 5, topic: 1)]
        var suspects = PoisonSuspects(known: [range(1, 5), range(6, 9)] + others, noted: [])
        let isFirst = suspects.passed(0, 0, committed: 6)
        #expect(isFirst)
        #expect(suspects.ranges == [range(6, 9)] + others)
        let isSecond = suspects.passed(0, 0, committed: 9)
        #expect(!isSecond)
    }

    @Test("Notes outlive their process; a clean end leaves none; another topic's are dropped")
    func file() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "poison-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        func open(_ topics: [String] = ["events"], workers: Int = 2) throws -> PoisonNotes {
            try PoisonNotes(path: path, workers: workers, topics: topics)
        }
        do {
            let notes = try open()
            #expect(!notes.isAlert)
            let slot = notes.slot(worker: 1)
            slot.note(0, 3, from: 100, through: 199)
            slot.note(0, 3, from: 150, through: 260)
            slot.note(0, 4, from: 7, through: 7)
            slot.note(1, 3, from: 500, through: 501)
        }
        do {
            let notes = try open()
            #expect(notes.isAlert)
            #expect(notes.suspect(0, 3, 260) != nil)
            #expect(notes.suspect(0, 3, 261) == nil)
            #expect(notes.suspect(0, 3, 500) == nil)
            #expect(notes.suspect(1, 3, 500) != nil)
            #expect(notes.suspect(0, 4, 7)?.deaths == 1)
            notes.passed(1, 3, committed: 502)
            notes.passed(0, 4, committed: 8)
        }
        // Fewer workers now: what is known is still known.
        do {
            let notes = try open(workers: 1)
            #expect(notes.suspect(0, 4, 7) == nil)
            #expect(notes.suspect(0, 3, 100) != nil)
            notes.passed(0, 3, committed: 1_000)
            notes.slot(worker: 0).note(0, 1, from: 1, through: 2)
            notes.slot(worker: 0).clear()
        }
        do { #expect(try !open().isAlert) }
        do { try open().slot(worker: 0).note(0, 0, from: 1, through: 9) }
        #expect(try !open(["other"]).isAlert)
    }
}
