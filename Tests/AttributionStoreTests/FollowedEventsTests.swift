import Attribution
import AttributionStore
import Base
import Foundation
import TestSupport
import Testing

/// Events that come piece by piece give what they give at once.
@Suite struct FollowedEventsTests {
    private func followed(_ database: SQLiteDatabase, _ kind: ModelKind) throws -> FollowedEvents {
        var options = AttributionRun.Options()
        options.kind = kind
        options.touchedOnly = true
        let reading = try Tables.reading()
        return try FollowedEvents(database, clock: reading.clock) {
            AttributionRun(
                source: database, sink: database, reading: reading, options: options, settingsText: kind.rawValue)
        }
    }

    private func add(_ line: String, _ index: Int, _ add: (UnsafeRawBufferPointer, String) throws -> Void) throws {
        try Array(line.utf8).withUnsafeBytes { try add($0, "events/0/\(index)") }
    }

    private func events(_ generator: inout SeededGenerator) -> [String] {
        func pick(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }
        return (0..<1_500).map { index in
            let user = "\"user_id\":\"u\(pick(0...60))\"",
                time = "\"time\":\(1_700_000_000_000 + pick(0...800_000) * 1_000)"
            switch pick(0...20) {
            case 0...13:
                return
                    "{\"type\":\"\(["ad_view", "click", "page_view"][pick(0...2)])\",\(user),\(time),\"channel\":\"c\(pick(0...4))\"}"
            case 14...16:
                return "{\"type\":\"purchase\",\"id\":\"o\(pick(0...400))\",\(user),\(time),\"value\":\(pick(1...90))}"
            case 17: return "{\"type\":\"refund\",\(user),\(time),\"value\":\(pick(1...20))}"
            case 18:
                return
                    "{\"type\":\"refund\",\(user),\(time),\"value\":\(pick(1...20)),\"order_id\":\"o\(pick(0...400))\"}"
            case 19: return "{\"type\":\"ad_cost\",\"channel\":\"c\(pick(0...4))\",\(time),\"amount\":\(pick(1...50))}"
            default: return "{\"type\":\"click\",\"broken\":\(index)"
            }
        }
    }

    @Test(arguments: [ModelKind.ihc, .linear, .decay, .markov])
    func piecesGiveTheSameAsTheWhole(_ kind: ModelKind) throws {
        var generator = SeededGenerator.announced("followed \(kind.rawValue)")
        let scratch = try Scratch()
        let lines = events(&generator)
        let whole = try RawEvents(clock: try Tables.reading().clock)
        for (index, line) in lines.enumerated() { try add(line, index) { try whole.add($0, place: $1) } }
        try whole.finish(timeout: 1_800_000)
        _ = try run(whole.database, kind)

        let database = try scratch.database("followed.db")
        var next = 0
        while next < lines.count {
            // Each life of the process makes its own; some end in the middle.
            let events = try followed(database, kind)
            let position = Int(try events.position("events", 0) ?? 0)
            #expect(position == next)
            let end = min(lines.count, next + Int.random(in: 1...300, using: &generator))
            try events.begin()
            for index in position..<end { try add(lines[index], index) { try events.add($0, place: $1) } }
            if Int.random(in: 0..<3, using: &generator) == 0 {
                events.rollback()
                continue
            }
            _ = try events.end("events", [0: Int64(end)], timeout: 1_800_000)
            next = end
        }
        #expect(try results(database) == results(whole.database))
        #expect(try StoredReport.lastRun(database).model == kind.rawValue)
    }
}
