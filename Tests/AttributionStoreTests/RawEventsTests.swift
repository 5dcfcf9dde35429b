import Attribution
import AttributionStore
import Base
import Foundation
import Testing

@Suite struct RawEventsTests {
    @Test func eventsGiveTheJourneysOfTheTables() throws {
        let scratch = try Scratch()
        let database = try scratch.database()
        let tables = Tables(seed: 33)
        try tables.write(database)
        try database.execute("UPDATE session_sources SET holder_engagement = 1, closer_engagement = 1")
        var lines: [String] = []
        for row in tables.sessions {
            let channel = row[4]!.replacing("\"", with: "\\\"")
            lines.append(
                "{\"id\":\"\(row[0]!)\",\"user_id\":\"\(row[1]!)\",\"type\":\"click\",\"time\":\"\(row[2]!)T\(row[3]!)Z\","
                    + "\"channel\":\"\(channel)\"}")
        }
        for row in tables.conversions {
            lines.append(
                "{\"id\":\"\(row[0]!)\",\"user_id\":\"\(row[1]!)\",\"type\":\"purchase\",\"time\":\"\(row[2]!)T\(row[3]!)Z\","
                    + "\"value\":\(row[4]!)}")
        }
        lines.shuffle()
        let raw = try RawEvents(clock: try LocalClock(named: "UTC"))
        func add(_ line: String) throws {
            var text = line
            try text.withUTF8 { try raw.add(UnsafeRawBufferPointer($0), place: "events/0/\(raw.counts.events)") }
        }
        for line in lines { try add(line) }
        try add(lines[0])
        try add("{\"user_id\":1}")
        try add("{\"type\":\"purchase\",\"time\":5}")
        try add("{\"type\":\"ad_cost\",\"channel\":\"Referral\",\"date\":\"2024-10-10\",\"amount\":12.5}")
        try add("{\"type\":\"ad_cost\",\"channel\":\"Referral\"}")
        try add("{\"type\":\"refund\",\"user_id\":\"x\",\"time\":7,\"value\":3,\"order_id\":\"none\"}")
        try raw.finish(timeout: 0)
        #expect(try journeys(raw.database) == journeys(database))
        #expect(raw.counts.duplicates == 1 && raw.counts.invalid == 2 && raw.counts.costsWithoutDay == 1)
        #expect(raw.counts.refundsWithoutOrder == 1)
        let outcome = try run(raw.database, .linear)
        #expect(outcome.report.total.cost == Money(12.5))
    }

    @Test func silenceEndsASessionOfEvents() throws {
        let raw = try RawEvents(clock: try LocalClock(named: "UTC"))
        func add(_ type: String, _ minute: Int, _ channel: String = "a", _ more: String = "") throws {
            var text =
                "{\"user_id\":7,\"type\":\"\(type)\",\"time\":\(minute * 60_000),\"channel\":\"\(channel)\"\(more)}"
            try text.withUTF8 { try raw.add(UnsafeRawBufferPointer($0), place: "e/0/\(minute)") }
        }
        try add("ad_view", 1)
        try add("click", 20)
        try add("ad_view", 60)
        try add("ad_view", 61, "b")
        try add("purchase", 70, "b", ",\"value\":20")
        try add("refund", 90, "b", ",\"value\":5")
        try raw.finish(timeout: 30 * 60_000)
        #expect(raw.counts.sessions == 3)
        let lines = try journeys(raw.database)
        #expect(lines == ["e/0/70 15000000 e/0/1/a/60000/3 e/0/60/a/3600000/4 e/0/61/b/3660000/4"])
    }

    /// What no date can be written for, and texts that no database holds, in either kind of database.
    @Test func hostileEventsAreCountedAndTheOthersStay() throws {
        let raw = try RawEvents(clock: try LocalClock(named: "Europe/Berlin"))
        func add(_ line: String) throws {
            var text = line
            try text.withUTF8 { try raw.add(UnsafeRawBufferPointer($0), place: "e/0/\(raw.counts.events)") }
        }
        for time in ["9e18", "-9e18", "1e300", "1.5", "253402300800000", "-62135596800001", "\"soon\"", "null"] {
            try add("{\"type\":\"click\",\"user_id\":\"u\",\"time\":\(time)}")
        }
        try add("{\"type\":\"click\",\"user_id\":\"a\\u0000b\",\"time\":1}")
        #expect(raw.counts.invalid == 9)
        try add("{\"type\":\"ad_cost\",\"channel\":\"c\\u0000d\",\"time\":9e18,\"amount\":1}")
        #expect(raw.counts.costsWithoutDay == 1)
        try add("{\"type\":\"click\",\"id\":\"i\\u0000j\",\"user_id\":\"u\",\"time\":5,\"channel\":\"c\\u0000d\"}")
        try add("{\"type\":\"purchase\",\"id\":\"o\",\"user_id\":\"u\",\"time\":253402300799999,\"value\":1e308}")
        try raw.finish(timeout: 1_800_000)
        let outcome = try run(
            raw.database, .last,
            reading: {
                var reading = try Tables.reading()
                reading.journeys.lookback = .max / 4
                return reading
            }())
        #expect(outcome.attributed == 1 && outcome.reading.unreadableAmounts == 1)
        #expect(try results(raw.database).contains { $0.hasPrefix("c\u{FFFD}d 1970-01-01") })
    }
}
