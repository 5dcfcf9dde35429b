import Attribution
import AttributionStore
import Base
import Foundation
import Statistics
import TestSupport
import Testing

/// What goes in comes out or is counted, and in no order otherwise.
@Suite struct AccountTests {
    /// Tables without keys and with every kind of odd row.
    private struct Odd {
        var sessions: [[String?]] = []
        var conversions: [[String?]] = []
        var costs: [[String?]] = []
        var refunds: [[String?]] = []

        init(_ random: inout RandomStream) {
            func pick(_ texts: [String?]) -> String? { texts[random.below(texts.count)] }
            func moment() -> [String?] {
                random.happens(0.04)
                    ? ["2024-02-31", "10:00:00"]
                    : ["2024-03-\(10 + random.below(9))", "\(10 + random.below(9)):00:00"]
            }
            func user() -> String? { random.happens(0.03) ? nil : "u\(random.below(12))" }
            for _ in 0..<150 {
                let id = random.happens(0.03) ? nil : "s\(random.below(110))"
                sessions.append([id, user()] + moment() + [pick(["a", "b", "c", "", nil])])
            }
            for _ in 0..<60 {
                let id = random.happens(0.03) ? nil : "c\(random.below(50))"
                conversions.append([id, user()] + moment() + [pick(["5", "7.5", "20", "-3", nil, "much"])])
            }
            // Each id once: which of two rows is the session's cost is another question.
            for id in 0..<140 {
                costs.append(["s\(id)", pick(["1", "0.25", "3", "-2", nil, "dear"])])
            }
            for _ in 0..<40 { refunds.append(["c\(random.below(70))", pick(["1", "30", "0.5", nil, "some"])]) }
        }

        mutating func shuffle(_ random: inout RandomStream) {
            func shuffled(_ rows: [[String?]]) -> [[String?]] {
                var rows = rows
                for index in rows.indices.dropFirst() { rows.swapAt(index, random.below(index + 1)) }
                return rows
            }
            (sessions, conversions, costs, refunds) = (
                shuffled(sessions), shuffled(conversions), shuffled(costs), shuffled(refunds)
            )
        }

        func database() throws -> SQLiteDatabase {
            let database = try SQLiteDatabase(temporaryIn: FileManager.default.temporaryDirectory.path)
            try database.execute(
                """
                CREATE TABLE session_sources (session_id TEXT, user_id TEXT, event_date TEXT, event_time TEXT, channel_name TEXT);
                CREATE TABLE conversions (conv_id TEXT, user_id TEXT, conv_date TEXT, conv_time TEXT, revenue TEXT);
                CREATE TABLE session_costs (session_id TEXT, cost TEXT);
                CREATE TABLE refunds (conv_id TEXT, amount TEXT)
                """)
            let tables = Tables()
            try tables.insert(
                database, "session_sources", ["session_id", "user_id", "event_date", "event_time", "channel_name"],
                sessions)
            try tables.insert(
                database, "conversions", ["conv_id", "user_id", "conv_date", "conv_time", "revenue"], conversions)
            try tables.insert(database, "session_costs", ["session_id", "cost"], costs)
            try tables.insert(database, "refunds", ["conv_id", "amount"], refunds)
            return database
        }
    }

    private func sum(_ rows: [[String?]], _ column: Int) -> Money {
        rows.reduce(.zero) { $0 + (Money(Double($1[column] ?? "") ?? 0) ?? .zero) }
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func everyRowIsPlacedOrCountedInAnyOrder(_ seed: UInt64) throws {
        print("seed \(seed)")
        var random = RandomStream(seed: seed, lane: 41)
        var odd = Odd(&random)
        let database = try odd.database()
        let outcome = try run(database, .linear)
        let (reading, journeys) = (outcome.reading, outcome.journeys)
        // Sessions and conversions.
        #expect(
            odd.sessions.count == journeys.sessions + journeys.duplicateSessions + reading.sessionsWithoutUser
                + reading.sessionsWithoutID + reading.sessionsWithUnreadableTime)
        #expect(
            odd.conversions.count == outcome.attributed + journeys.withoutJourney + journeys.duplicateConversions
                + reading.conversionsWithoutUser + reading.conversionsWithoutID + reading.conversionsWithUnreadableTime
                + reading.negativeRevenues.rows)
        #expect(outcome.report.total.creditUnits == Int128(outcome.attributed) * Int128(Credit.unit))
        // Spend.
        #expect(
            sum(odd.costs, 1) == outcome.report.total.cost + reading.unplacedCosts.sum + reading.negativeCosts.sum)
        #expect(reading.unplacedCosts.rows > 0 && reading.negativeCosts.rows > 0)
        #expect(try reading.refundsWithoutConversion.sum == lost(odd, database))
        let first = try results(database)
        for _ in 0..<3 {
            odd.shuffle(&random)
            let other = try odd.database()
            let again = try run(other, .linear)
            #expect(try results(other) == first)
            #expect(again.notes.map(Self.withoutExample) == outcome.notes.map(Self.withoutExample))
            // What learns does not depend on it either, to the last unit.
            for kind in [ModelKind.dataDriven, .markov] {
                _ = try run(other, kind)
                let here = try results(other)
                _ = try run(database, kind)
                #expect(try results(database) == here, "\(kind)")
            }
            _ = try run(database, .linear)
        }
        // Going on from the last run changes nothing.
        _ = try run(database, .linear, since: true)
        #expect(try results(database) == first)
    }

    /// The first odd time is that of the first row.
    private static func withoutExample(_ note: String) -> String {
        note.components(separatedBy: " (the first").first ?? note
    }

    private func lost(_ odd: Odd, _ database: any SQLDatabase) throws -> Money {
        let known = Set(odd.conversions.compactMap { $0[0] })
        return sum(odd.refunds.filter { !known.contains($0[0] ?? "") }, 1)
    }

    @Test func aSessionOfTwoUsersCountsOnceAndSoDoesItsCost() throws {
        let scratch = try Scratch()
        func team(_ key: String, costs: Bool) throws -> AttributionRun.Outcome {
            let database = try scratch.database("\(key.count)-\(costs).db")
            try database.execute(
                """
                CREATE TABLE session_sources (session_id TEXT, user_id TEXT, event_date TEXT, event_time TEXT, channel_name TEXT\(key));
                CREATE TABLE conversions (conv_id TEXT, user_id TEXT, conv_date TEXT, conv_time TEXT, revenue REAL);
                INSERT INTO session_sources VALUES ('s1','u2','2024-03-01','09:00:00','b'), ('s1','u1','2024-03-01','10:00:00','a');
                INSERT INTO conversions VALUES ('c1','u1','2024-03-02','10:00:00',50), ('c2','u2','2024-03-02','10:00:00',50)
                """)
            if costs {
                try database.execute(
                    "CREATE TABLE session_costs (session_id TEXT, cost REAL); INSERT INTO session_costs VALUES ('s1', 5)"
                )
            }
            return try run(database, .linear)
        }
        let plain = try team("", costs: true)
        #expect(plain.report.total.cost == Money(5) && plain.report.totals.first?.channel == "b")
        #expect(plain.journeys.duplicateSessions == 1 && plain.attributed == 1 && plain.journeys.withoutJourney == 1)
        #expect(try team(", PRIMARY KEY (user_id, session_id)", costs: false).attributed == 2)
        #expect(try team(", PRIMARY KEY (session_id, user_id)", costs: true).report.total.cost == Money(5))
    }

    @Test(arguments: [["100", "200"], ["200", "100"]]) func ofTwoRowsAtOneTimeTheHigherRevenueCounts(
        _ revenues: [String]
    ) throws {
        let scratch = try Scratch()
        let database = try scratch.database()
        try database.execute(
            """
            CREATE TABLE session_sources (session_id TEXT, user_id TEXT, event_date TEXT, event_time TEXT, channel_name TEXT);
            CREATE TABLE conversions (conv_id TEXT, user_id TEXT, conv_date TEXT, conv_time TEXT, revenue TEXT);
            INSERT INTO session_sources VALUES ('s1','u1','2024-03-01','09:00:00','a');
            INSERT INTO conversions VALUES ('c1','u1','2024-03-02','10:00:00','\(revenues[0])'), ('c1','u1','2024-03-02','10:00:00','\(revenues[1])')
            """)
        #expect(try run(database, .linear).report.total.revenue == 200)
        #expect(try run(database, .linear, since: true).report.total.revenue == 200)
    }

    @Test func aConversionOfTwoUsersIsThatOfTheEarlier() throws {
        let scratch = try Scratch()
        let database = try scratch.database()
        try database.execute(
            """
            CREATE TABLE session_sources (session_id TEXT, user_id TEXT, event_date TEXT, event_time TEXT, channel_name TEXT);
            CREATE TABLE conversions (conv_id TEXT, user_id TEXT, conv_date TEXT, conv_time TEXT, revenue REAL);
            INSERT INTO session_sources VALUES ('s1','u1','2024-03-01','09:00:00','a'), ('s2','u2','2024-03-01','09:00:00','b');
            INSERT INTO conversions VALUES ('c1','u1','2024-03-02','12:00:00',100), ('c1','u2','2024-03-02','11:00:00',10)
            """)
        let outcome = try run(database, .linear)
        #expect(outcome.report.totals.map(\.channel) == ["b"] && outcome.report.total.revenue == 10)
        #expect(outcome.attributed == 1 && outcome.journeys.duplicateConversions == 1)
    }

    /// A run that goes on from the last one leaves what a whole run would: with a conversion however late it comes, without what has
    /// gone since, and from a moment that is not still to come.
    @Test(arguments: [7, 8] as [UInt64]) func goingOnIsTheWholeRun(_ seed: UInt64) throws {
        let scratch = try Scratch()
        let database = try scratch.database()
        var tables = Tables(seed: seed)
        tables.sessions.append(["early", "user é1", "2024-07-01", "08:00:00", "Referral", "1", "1", "0"])
        tables.conversions.append(["ahead", "user é1", "2099-01-01", "08:00:00", "5"])
        try tables.write(database)
        #expect(try run(database, .linear).reading.conversionsAhead == 1)
        try database.execute(
            """
            INSERT INTO conversions VALUES ('late', 'user é1', '2024-07-02', '10:00:00', 9);
            DELETE FROM conversions WHERE conv_id = (SELECT conv_id FROM attribution_customer_journey ORDER BY conv_id LIMIT 1);
            DELETE FROM session_sources WHERE session_id = (SELECT session_id FROM attribution_customer_journey \
            WHERE ihc < 1 ORDER BY conv_id DESC LIMIT 1)
            """)
        let outcome = try run(database, .linear, since: true)
        let since = try #require(outcome.since)
        #expect(since < 20_020)
        let went = try results(database)
        #expect(went.contains { $0.hasPrefix("late early") })
        _ = try run(database, .linear)
        #expect(try results(database) == went)
    }

    @Test func whatIsMissingIsSaid() throws {
        let scratch = try Scratch()
        let database = try scratch.database()
        var tables = Tables()
        tables.sessions = [["s1", "u", "2024-01-01", "10:00:00", "A", "1", "1", "0"]]
        tables.conversions = [["c1", "u", "2024-01-02", "10:00:00", nil], ["c2", "u", "bad", "12:00:01", "5"]]
        try tables.write(database)
        try database.execute("DROP TABLE session_costs")
        let outcome = try run(database, .linear)
        #expect(outcome.reading.missingRevenues == 1 && outcome.reading.hasNoCosts)
        #expect(outcome.notes.contains { $0.contains("'bad 12:00:01'") })
        // No cost is known: an order does not cost 0.
        #expect(outcome.report.total.cpo == nil && outcome.report.paid == nil)
        #expect(try StoredReport.read(database).totals.allSatisfy { $0.cpo == nil })
        #expect(try StoredReport.lastRun(database).notes == outcome.notes)
        try database.execute("CREATE TABLE session_costs (session_id TEXT, price REAL)")
        #expect(throws: ImpactError.self) { try run(database, .linear) }
        try database.execute("DROP TABLE session_costs; ALTER TABLE conversions DROP COLUMN revenue")
        #expect(throws: ImpactError.self) { try run(database, .linear) }
    }

    @Test func causalWithoutScoresIsAnErrorAndChangesNothing() throws {
        let scratch = try Scratch()
        let database = try scratch.database()
        try Tables(seed: 12).write(database)
        _ = try run(database, .first)
        let before = try results(database)
        do {
            _ = try run(database, .causal)
            Issue.record("causal ran without any score")
        } catch let error as ImpactError {
            #expect(error.code == "no_scores")
        }
        #expect(try results(database) == before)
        try database.execute(
            "ALTER TABLE session_sources ADD COLUMN uplift REAL; UPDATE session_sources SET uplift = 0.1 WHERE session_id LIKE '%1'"
        )
        let outcome = try run(database, .causal)
        #expect(outcome.withoutScore > 0 && outcome.withoutScore < outcome.attributed)
    }

    @Test func revenueOverSpendIsThatOfTheChannelsWithSpend() throws {
        let scratch = try Scratch()
        let database = try scratch.database()
        var tables = Tables()
        tables.sessions = [
            ["s1", "u", "2024-01-01", "10:00:00", "Paid", "1", "1", "0"],
            ["s2", "v", "2024-01-01", "10:00:00", "Organic", "1", "1", "0"],
        ]
        tables.conversions = [
            ["c1", "u", "2024-01-02", "10:00:00", "30"], ["c2", "v", "2024-01-02", "10:00:00", "70"],
        ]
        tables.costs = [["s1", "10"]]
        try tables.write(database)
        let report = try run(database, .linear).report
        #expect(report.paid?.total.roas == 3 && report.paid?.total.cpo == 10)
        #expect(report.total.roas == 10 && report.total.cpo == 5)
        #expect(report.paid?.days.first?.roas == 3)
    }

    @Test func currenciesAreReadInAnyCase() throws {
        var currencies = try Currencies(report: "eur", rates: ["usd=0.5"])
        #expect(try currencies.convert(10, "USD") == 5)
        #expect(try currencies.convert(10, "Eur") == 10)
        #expect(throws: ImpactError.self) { _ = try Currencies(report: nil, rates: ["USD=1"]) }
        #expect(throws: ImpactError.self) { _ = try Currencies(report: "EUR", rates: ["USD=1", "usd=2"]) }
    }
}
