import Attribution
import AttributionStore
import Base
import Foundation
import JSON
import TestSupport
import Testing

/// Events that come piece by piece give what they give at once.
@Suite struct FollowedEventsTests {
    private func followed(_ database: any SQLDatabase, _ kind: ModelKind) throws -> FollowedEvents {
        var options = AttributionRun.Options()
        options.kind = kind
        let reading = try Tables.reading()
        return try FollowedEvents(database, reading: reading, options: options, settingsText: kind.rawValue)
    }

    private func add(_ line: String, _ index: Int, _ add: (UnsafeRawBufferPointer, String) throws -> Void) throws {
        try Array(line.utf8).withUnsafeBytes { try add($0, "events/0/\(index)") }
    }

    /// Events of 60 users; purchases have their user's name, so that no id meets another's.
    ///
    /// - Parameter erases: whether users are erased, and refuse and allow storing.
    private func events(_ generator: inout SeededGenerator, _ count: Int = 1_500, erases: Bool = false) -> [String] {
        func pick(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }
        return (0..<count).map { index in
            let name = "user-\(pick(0...60))-x"
            let user = "\"user_id\":\"\(name)\"",
                time = "\"time\":\(1_700_000_000_000 + pick(0...800_000) * 1_000 + index % 1_000)"
            switch pick(0...(erases ? 23 : 20)) {
            case 0...13:
                return
                    "{\"type\":\"\(["ad_view", "click", "page_view"][pick(0...2)])\",\(user),\(time),\"channel\":\"c\(pick(0...4))\"}"
            case 14...16:
                return
                    "{\"type\":\"purchase\",\"id\":\"o\(name)\(pick(0...9))\",\(user),\(time),\"value\":\(pick(1...90))}"
            case 17: return "{\"type\":\"refund\",\(user),\(time),\"value\":\(pick(1...20))}"
            case 18:
                return
                    "{\"type\":\"refund\",\(user),\(time),\"value\":\(pick(1...20)),\"order_id\":\"o\(name)\(pick(0...9))\"}"
            case 19: return "{\"type\":\"ad_cost\",\"channel\":\"c\(pick(0...4))\",\(time),\"amount\":\(pick(1...50))}"
            case 20: return "{\"type\":\"click\",\"broken\":\(index)"
            case 21: return "{\"type\":\"user.delete\",\(user),\(time)}"
            default:
                return
                    "{\"type\":\"user.consent\",\(user),\(time),\"properties\":{\"storing\":\(pick(0...1) == 0)}}"
            }
        }
    }

    /// A score of each third view or click, as the pipeline publishes it.
    private func scores(_ lines: [String]) -> [String] {
        lines.enumerated().compactMap { index, line in
            guard index % 3 == 0, let event = try? JSONValue(parsing: Array(line.utf8), name: "event"),
                let type = event["type"]?.string, type == "ad_view" || type == "click",
                let user = event["user_id"]?.string, let time = event["time"]?.number
            else { return nil }
            return
                "{\"user_id\":\"\(user)\",\"time\":\(Int(time)),\"event_type\":\"\(type)\",\"uplift\":\(Double(index % 97) / 1_000 - 0.02),"
                + "\"std_error\":0.01,\"ci_level\":0.95,\"decision\":\"treat\",\"model\":\"m\",\"model_version\":\"1\",\"model_sha256\":\"ab\","
                + "\"source\":{\"topic\":\"events\",\"partition\":0,\"offset\":\(index)}}"
        }
    }

    private func incremental(_ database: any SQLDatabase) throws -> [String] {
        var lines: [String] = []
        let rows = try database.query(
            "SELECT channel_name, date, scored_sessions, incremental, incremental_std_error FROM channel_incremental",
            [])
        while try rows.next() {
            lines.append("\(rows.text(0)!) \(rows.text(1)!) \(rows.text(2)!) \(rows.double(3)!) \(rows.double(4)!)")
        }
        return lines.sorted()
    }

    /// Feeds a database in pieces of random length, some of which are undone; each piece by a new life of the process.
    private func follow(
        _ lines: [String], _ scored: [String] = [], _ kind: ModelKind, _ generator: inout SeededGenerator,
        most: Int = 300, _ open: () throws -> any SQLDatabase
    ) throws {
        var (next, nextScore) = (0, 0)
        while next < lines.count || nextScore < scored.count {
            let events = try followed(try open(), kind)
            #expect(Int(try events.position("events", 0) ?? 0) == next)
            let end = min(lines.count, next + Int.random(in: 1...most, using: &generator))
            let endScore = min(scored.count, nextScore + Int.random(in: 0...most / 2, using: &generator))
            try events.begin(from: ["events": [0: Int64(next)], "scores": [0: Int64(nextScore)]])
            for index in nextScore..<endScore { Array(scored[index].utf8).withUnsafeBytes(events.addScore) }
            for index in next..<end { try add(lines[index], index) { events.add($0, place: $1) } }
            if Int.random(in: 0..<3, using: &generator) == 0 {
                events.rollback()
                continue
            }
            _ = try events.end("events", ["events": [0: Int64(end)], "scores": [0: Int64(endScore)]])
            (next, nextScore) = (end, endScore)
        }
    }

    private func whole(_ lines: [String], _ scored: [String] = [], _ kind: ModelKind) throws -> any SQLDatabase {
        let whole = try RawEvents(clock: try Tables.reading().clock)
        for (index, line) in lines.enumerated() { try add(line, index) { try whole.add($0, place: $1) } }
        for line in scored { try Array(line.utf8).withUnsafeBytes(whole.addScore) }
        try whole.finish(timeout: 1_800_000)
        _ = try run(whole.database, kind)
        return whole.database
    }

    @Test(arguments: [ModelKind.ihc, .linear, .decay, .markov, .causal])
    func piecesGiveTheSameAsTheWhole(_ kind: ModelKind) throws {
        var generator = SeededGenerator.announced("followed \(kind.rawValue)")
        let scratch = try Scratch()
        let lines = events(&generator)
        let scored = scores(lines)
        let whole = try whole(lines, scored, kind)
        try follow(lines, scored, kind, &generator) { try scratch.database("followed.db") }
        let database = try scratch.database("followed.db")
        #expect(try results(database) == results(whole))
        #expect(try incremental(database) == incremental(whole))
        #expect(try incremental(database).count > 10)
        #expect(try StoredReport.lastRun(database).model == kind.rawValue)
    }

    @Test func postgreSQLHoldsTheSame() throws {
        guard let server = TestPostgres.shared else { return }
        var generator = SeededGenerator.announced("followed PostgreSQL")
        let lines = events(&generator, erases: true)
        let scored = scores(lines)
        let schema = "followed_\(UInt32.random(in: 0 ... .max))"
        try PostgreSQLDatabase(url: server.url(schema: "public")).execute("CREATE SCHEMA \(schema)")
        let scratch = try Scratch()
        var other = generator
        try follow(lines, scored, .ihc, &generator) { try PostgreSQLDatabase(url: server.url(schema: schema)) }
        try follow(lines, scored, .ihc, &other) { try scratch.database() }
        let (database, file) = (try PostgreSQLDatabase(url: server.url(schema: schema)), try scratch.database())
        #expect(try results(database) == results(file))
        #expect(try incremental(database) == incremental(file))
        #expect(try results(database).count > 100)
    }

    /// What is left of users who were erased: nothing but sums, the same whatever the pieces were, and right.
    @Test func erasureLeavesOnlySums() throws {
        var generator = SeededGenerator.announced("followed erasure")
        let scratch = try Scratch()
        var lines = events(&generator, 2_500, erases: true)
        // A refusal that a random event may have left.
        lines.append(
            "{\"type\":\"user.consent\",\"user_id\":\"user-7-x\",\"time\":1800000000000,\"properties\":{\"storing\":true}}"
        )
        lines.append("{\"type\":\"user.delete\",\"user_id\":\"user-7-x\",\"time\":1800000000000}")
        lines.append(
            "{\"type\":\"user.consent\",\"user_id\":\"user-8-x\",\"time\":1800000000000,\"properties\":{\"storing\":false}}"
        )
        lines.append("{\"type\":\"click\",\"user_id\":\"user-8-x\",\"time\":1800000000001,\"channel\":\"c1\"}")
        let scored = scores(lines)
        var reports: [[String]] = []
        for (name, most) in [("small.db", 40), ("large.db", 900)] {
            try follow(lines, scored, .ihc, &generator, most: most) { try scratch.database(name) }
            let database = try scratch.database(name)
            // Not the effects: which scores came before an erasure is another matter in each run.
            reports.append(try results(database))
            try expectNothing(of: "user-7-x", in: database, but: [])
            // A refusal is remembered, or the next event would undo it.
            try expectNothing(of: "user-8-x", in: database, but: ["impactiq_refusals"])
            let bytes = try Data(contentsOf: URL(filePath: scratch.path + "/" + name))
            #expect(bytes.range(of: Data("user-7-x".utf8)) == nil)
            let log = try? Data(contentsOf: URL(filePath: scratch.path + "/" + name + "-wal"))
            #expect(log?.range(of: Data("user-7-x".utf8)) == nil)
        }
        #expect(reports[0] == reports[1])

        // The credit is that of a batch, which erases too; the sums are those of the batch and what each erased user had.
        let batch = try whole(lines, [], .ihc)
        let database = try scratch.database("small.db")
        func credit(_ database: any SQLDatabase) throws -> [String] {
            try results(database).filter { $0.split(separator: " ").count == 3 }
        }
        #expect(try credit(database) == credit(batch))
        var expected = try sums(batch)
        for segment in try erasedSegments(lines) {
            for (channel, values) in try sums(whole(segment, [], .ihc)) {
                expected[channel, default: [0, 0]][0] += values[0]
                expected[channel, default: [0, 0]][1] += values[1]
            }
        }
        let found = try sums(database)
        #expect(Set(found.keys) == Set(expected.keys))
        for (channel, values) in found {
            for (a, b) in zip(values, expected[channel] ?? []) { #expect(abs(a - b) < 1e-6, "\(channel): \(a), \(b)") }
        }
        #expect(try sums(batch).values.map { $0[0] }.reduce(0, +) < found.values.map { $0[0] }.reduce(0, +) - 5)
    }

    private func sums(_ database: any SQLDatabase) throws -> [String: [Double]] {
        try StoredReport.read(database).lines.filter { $0.creditRows + $0.costRows > 0 }.reduce(into: [:]) {
            $0["\($1.channel) \($1.day ?? 0)", default: [0, 0]][0] += $1.credit
            $0["\($1.channel) \($1.day ?? 0)", default: [0, 0]][1] += $1.revenue
        }
    }

    /// The events of each user between two erasures, the last ones left out.
    private func erasedSegments(_ lines: [String]) throws -> [[String]] {
        var (open, refused): ([String: [String]], [String: Double]) = ([:], [:])
        var segments: [[String]] = []
        for line in lines {
            guard let event = try? JSONValue(parsing: Array(line.utf8), name: "event"),
                let user = event["user_id"]?.string, let time = event["time"]?.number
            else { continue }
            let storing = event["properties"]?["storing"]?.bool
            if event["type"]?.string == "user.delete" || storing == false {
                if let segment = open.removeValue(forKey: user) { segments.append(segment) }
                if storing == false { refused[user] = max(refused[user] ?? time, time) }
            } else if storing == true {
                if let since = refused[user], time >= since { refused[user] = nil }
            } else if refused[user] == nil {
                open[user, default: []].append(line)
            }
        }
        return segments
    }

    private func expectNothing(of user: String, in database: any SQLDatabase, but others: Set<String>) throws {
        let tables = try database.query("SELECT name FROM sqlite_master WHERE type = 'table'", [])
        var seen = 0
        while try tables.next() {
            let table = tables.text(0) ?? ""
            let columns = try database.columns(of: table)
            for column in columns where !others.contains(table) {
                let count = try database.value(
                    "SELECT count(*) FROM \(table) WHERE CAST(\(column) AS TEXT) LIKE $1", [.text("%\(user)%")])
                #expect(count == "0", "\(table).\(column)")
                seen += 1
            }
        }
        #expect(seen > 30)
    }

    @Test func aLockedDatabaseIsAskedAgainAndAnotherFollowerIsNoticed() throws {
        var generator = SeededGenerator.announced("followed locked")
        let scratch = try Scratch()
        let lines = events(&generator, 200)
        let database = try scratch.database("followed.db")
        let events = try followed(database, .linear)
        let other = try scratch.database("followed.db")
        try other.begin(writing: true)
        let locked = #expect(throws: ImpactError.self) { try events.begin() }
        #expect(locked?.code == "database_locked")
        #expect(locked.map(SQLPlace.isPassing) == true)
        other.rollback()
        try follow(lines, [], .linear, &generator) { try scratch.database("followed.db") }
        let late = #expect(throws: ImpactError.self) { try events.begin(from: ["events": [0: 3]]) }
        #expect(late?.code == "two_followers")
        try FileManager.default.moveItem(
            atPath: scratch.path + "/followed.db", toPath: scratch.path + "/elsewhere.db")
        let gone = #expect(throws: ImpactError.self) { try events.begin() }
        #expect(gone?.code == "database_away")
    }

    private func step(_ events: FollowedEvents, _ lines: [String], from: Int) throws {
        for (index, line) in lines.enumerated() { try add(line, from + index) { events.add($0, place: $1) } }
        try events.begin(from: ["events": [0: Int64(from)]])
        do {
            _ = try events.end("events", ["events": [0: Int64(from + lines.count)]])
        } catch {
            events.rollback()
            throw error
        }
    }

    private func order(_ user: String, _ id: String, _ time: Int, _ currency: String = "EUR") -> [String] {
        [
            "{\"user_id\":\"\(user)\",\"type\":\"click\",\"time\":\(time - 1),\"channel\":\"a\"}",
            "{\"user_id\":\"\(user)\",\"type\":\"purchase\",\"id\":\"\(id)\",\"time\":\(time),\"value\":100,\"currency\":\"\(currency)\"}",
        ]
    }

    @Test func twoCurrenciesAreAnErrorInAnyStep() throws {
        let scratch = try Scratch()
        let first = try followed(try scratch.database("c.db"), .linear)
        try step(first, order("u", "o1", 5_000), from: 0)
        // In the same life, and in another one.
        for events in [first, try followed(try scratch.database("c.db"), .linear)] {
            let error = #expect(throws: ImpactError.self) {
                try step(events, order("v", "o2", 6_000, "USD"), from: 2)
            }
            #expect(error?.code == "two_currencies")
        }
        try step(first, order("v", "o2", 6_000), from: 2)
        #expect(try StoredReport.read(try scratch.database("c.db")).total.revenue == 200)
    }

    @Test func otherSettingsAttributeAnewWithoutAnEvent() throws {
        let scratch = try Scratch()
        let lines = [
            "{\"user_id\":\"u\",\"type\":\"click\",\"time\":1,\"channel\":\"a\"}",
            "{\"user_id\":\"u\",\"type\":\"click\",\"time\":2,\"channel\":\"b\"}",
            "{\"user_id\":\"u\",\"type\":\"purchase\",\"time\":3,\"value\":10}",
        ]
        let events = try followed(try scratch.database("s.db"), .linear)
        #expect(try events.settle() == nil)
        try step(events, lines, from: 0)
        #expect(try events.settle() == nil)
        let other = try followed(try scratch.database("s.db"), .last)
        #expect(try other.settle()?.attributed == 1)
        let report = try StoredReport.read(try scratch.database("s.db"))
        #expect(report.totals.filter { $0.credit > 0 }.map(\.channel) == ["b"])
    }

    /// An id of two users' purchases is the first one's, in whatever pieces they come, and the other's once that one is erased.
    @Test(arguments: [1, 2, 100])
    func aPurchaseIsTheFirstOnes(_ piece: Int) throws {
        let scratch = try Scratch()
        let events = try followed(try scratch.database("p.db"), .linear)
        var lines = order("z", "o", 5_000) + order("a", "o", 4_000)
        func feed() throws -> String? {
            var from = Int(try events.position("events", 0) ?? 0)
            while from < lines.count {
                let end = min(lines.count, from + piece)
                try step(events, Array(lines[from..<end]), from: from)
                from = end
            }
            return try events.database.value("SELECT group_concat(user_id) FROM conversions")
        }
        #expect(try feed() == "z")
        lines += ["{\"type\":\"user.delete\",\"user_id\":\"z\",\"time\":9000}"] + order("a", "o", 4_500)
        #expect(try feed() == "a")
        #expect(try events.database.value("SELECT count(*) FROM attribution_customer_journey") == "1")
        // What z had stays in the sums.
        #expect(try StoredReport.read(events.database).total.credit == 2)
    }

    /// To Swift these two texts are equal.
    @Test func usersDifferByTheirBytes() throws {
        let scratch = try Scratch()
        let events = try followed(try scratch.database("b.db"), .linear)
        try step(events, order("\u{E9}", "o1", 5_000) + order("e\u{301}", "o2", 6_000), from: 0)
        #expect(try events.database.value("SELECT count(*) FROM impactiq_user_logs") == "2")
        #expect(try StoredReport.read(events.database).total.credit == 2)
    }

    @Test func aRunReadsWhatIsFollowed() throws {
        var generator = SeededGenerator.announced("followed unpacked")
        let scratch = try Scratch()
        let lines = events(&generator, 600)
        try follow(lines, [], .linear, &generator) { try scratch.database("u.db") }
        let kept = try scratch.database("u.db")
        #expect(try RawEvents.areKept(in: kept))
        let unpacked = try RawEvents.unpacked(kept, clock: try Tables.reading().clock, timeout: 1_800_000)
        _ = try run(unpacked, .linear)
        #expect(try results(unpacked) == results(kept))
    }

    @Test func tablesOfOthersAreLeftAlone() throws {
        let scratch = try Scratch()
        let database = try scratch.database()
        try Tables(seed: 3).write(database)
        let before = try journeys(database)
        let error = #expect(throws: ImpactError.self) { try followed(database, .linear) }
        #expect(error?.code == "tables_of_others")
        #expect(try journeys(database) == before)
        #expect(try database.columns(of: "impactiq_user_logs").isEmpty)
    }
}
