import Attribution
import AttributionStore
import Base
import Foundation
import JSON
import TestSupport
import Testing

@Suite struct RunTests {
    @Test func sameJourneysFromSQLiteAndCSV() throws {
        let scratch = try Scratch()
        let tables = Tables(seed: 1)
        let database = try scratch.database()
        try tables.write(database)
        try tables.writeCSV(scratch.path + "/csv")
        let expected = try journeys(database)
        #expect(expected.count > 100)
        #expect(try journeys(CSVSource.load([scratch.path + "/csv"])) == expected)
    }

    @Test func sameJourneysAndResultsFromPostgreSQL() throws {
        guard let server = TestPostgres.shared else { return }
        let scratch = try Scratch()
        let tables = Tables(seed: 2)
        let sqlite = try scratch.database()
        try tables.write(sqlite)
        let postgres = try PostgreSQLDatabase(url: server.url(schema: "attribution"))
        try postgres.execute("DROP SCHEMA IF EXISTS attribution CASCADE; CREATE SCHEMA attribution")
        // With real dates, as PostgreSQL teams have them.
        try tables.write(postgres, dates: true)
        #expect(try journeys(postgres) == journeys(sqlite))
        for kind in [ModelKind.ihc, .markov, .linear] {
            _ = try run(sqlite, kind)
            _ = try run(postgres, kind)
            #expect(try results(postgres) == results(sqlite), "\(kind)")
        }
        #expect(try run(postgres, .linear, since: true).since != nil)
        #expect(try results(postgres) == results(sqlite))
        // Another session holds the table.
        let other = try PostgreSQLDatabase(url: server.url(schema: "attribution"))
        try other.execute("BEGIN; LOCK TABLE channel_reporting IN ACCESS EXCLUSIVE MODE")
        let impatient = try PostgreSQLDatabase(url: server.url(schema: "attribution"), lockWait: 200)
        #expect(throws: ImpactError.self) { try run(impatient, .linear) }
        other.rollback()
        #expect(try results(postgres) == results(sqlite))
    }

    @Test(arguments: ModelKind.allCases)
    func everyModelConservesCreditAndRevenueInTheTables(kind: ModelKind) throws {
        let scratch = try Scratch()
        let tables = Tables(seed: 3)
        let database = try scratch.database()
        try tables.write(database)
        let outcome = try run(database, kind)
        #expect(outcome.attributed > 50)
        #expect(
            try database.value(
                "SELECT count(*) FROM (SELECT 1 FROM attribution_customer_journey GROUP BY conv_id HAVING sum(ihc) <> 1)"
            ) == "0")
        #expect(
            Int(try database.value("SELECT count(DISTINCT conv_id) FROM attribution_customer_journey") ?? "")
                == outcome.attributed)
        let credit = Double(try database.value("SELECT sum(ihc) FROM channel_reporting") ?? "") ?? 0
        #expect(abs(credit - Double(outcome.attributed)) < 1e-6)
        let revenue =
            Double(
                try database.value(
                    "SELECT sum(revenue) FROM conversions WHERE conv_id IN (SELECT conv_id FROM attribution_customer_journey)"
                ) ?? "") ?? 0
        let reported = Double(try database.value("SELECT sum(ihc_revenue) FROM channel_reporting") ?? "") ?? -1
        #expect(abs(revenue - reported) < 1e-4)
        let cost = Double(try database.value("SELECT sum(cost) FROM session_costs") ?? "") ?? 0
        let spent = Double(try database.value("SELECT sum(cost) FROM channel_reporting") ?? "") ?? -1
        #expect(abs(cost - spent) < 1e-6)
        // All conversions are accounted for.
        #expect(outcome.journeys.conversions == tables.conversions.count)
        #expect(outcome.journeys.journeys + outcome.journeys.withoutJourney == tables.conversions.count)
    }

    @Test func aSecondRunAndAnIncrementalOneChangeNothing() throws {
        let scratch = try Scratch()
        let database = try scratch.database()
        try Tables(seed: 4).write(database)
        for kind in [ModelKind.ihc, .decay, .markov] {
            _ = try run(database, kind)
            let first = try results(database)
            _ = try run(database, kind)
            #expect(try results(database) == first)
            let outcome = try run(database, kind, since: true)
            #expect((outcome.since != nil) == !kind.learns)
            #expect(try results(database) == first, "\(kind)")
        }
    }

    @Test func incrementalRunsDayByDayAreTheFullRun() throws {
        let scratch = try Scratch()
        let tables = Tables(seed: 5, users: 200)
        let (growing, whole) = (try scratch.database("growing.db"), try scratch.database("whole.db"))
        try tables.write(whole)
        _ = try run(whole, .ihc)
        var empty = Tables()
        empty.costs = []
        try empty.write(growing)
        var incremental = 0
        for day in Int32(20_000)..<20_014 {
            let text = CivilDay.text(day)
            // Some sessions come two days late, some costs later still.
            let late = CivilDay.text(day - 2)
            let sessions = tables.sessions.filter { row in
                let isLate = row[0]!.hasSuffix("1")
                return isLate ? row[2] == late : row[2] == text
            }
            try tables.insert(growing, "session_sources", Tables.sessionColumns, sessions)
            try tables.insert(
                growing, "conversions", Tables.conversionColumns, tables.conversions.filter { $0[2] == text })
            if try run(growing, .ihc, since: true).since != nil { incremental += 1 }
        }
        try tables.insert(
            growing, "session_sources", Tables.sessionColumns,
            tables.sessions.filter { $0[0]!.hasSuffix("1") && $0[2]! >= CivilDay.text(20_012) })
        try tables.insert(growing, "session_costs", ["session_id", "cost"], tables.costs)
        #expect(try run(growing, .ihc, since: true).since != nil)
        #expect(incremental > 10)
        #expect(try results(growing) == results(whole))
        // Other settings make the next run a full one.
        let other = try run(growing, .linear, since: true)
        #expect(other.since == nil && !other.remarks.isEmpty)
    }

    @Test func aFailedRunChangesNothing() throws {
        let scratch = try Scratch()
        let database = try scratch.database()
        try Tables(seed: 6).write(database)
        _ = try run(database, .linear)
        let before = try results(database)
        // Two currencies are found in the middle of the run.
        try database.execute("ALTER TABLE conversions ADD COLUMN currency TEXT")
        try database.execute("UPDATE conversions SET currency = CASE WHEN conv_id LIKE '%1' THEN 'USD' ELSE 'EUR' END")
        #expect(throws: ImpactError.self) { try run(database, .ihc) }
        #expect(try results(database) == before)
        var settings = try Tables.reading()
        settings.currencies = try Currencies(report: "EUR", rates: ["USD=0.5"])
        let outcome = try run(database, .linear, reading: settings)
        let expected =
            Double(
                try database.value(
                    """
                    SELECT sum(revenue * CASE currency WHEN 'USD' THEN 0.5 ELSE 1 END) FROM conversions \
                    WHERE conv_id IN (SELECT conv_id FROM attribution_customer_journey)
                    """) ?? "") ?? 0
        #expect(abs(outcome.report.total.revenue - expected) < 1e-4)
    }

    @Test func aLockedDatabaseIsAnErrorAndChangesNothing() throws {
        let scratch = try Scratch()
        let database = try scratch.database()
        try Tables(seed: 7).write(database)
        let other = try SQLiteDatabase(path: scratch.path + "/team.db", creates: false)
        try other.execute("BEGIN IMMEDIATE")
        do {
            _ = try run(database)
            Issue.record("the run went on although the database was locked")
        } catch let error as ImpactError {
            #expect(error.code == "database_locked")
        }
        other.rollback()
        #expect(try run(database).attributed > 0)
    }

    @Test func refundsNetRevenueAndKeepTheCredit() throws {
        let scratch = try Scratch()
        let database = try scratch.database()
        var tables = Tables()
        tables.sessions = [
            ["s1", "u", "2024-01-01", "10:00:00", "A", "1", "1", "0"],
            ["s2", "u", "2024-01-02", "10:00:00", "B", "1", "1", "0"],
        ]
        tables.conversions = [
            ["c1", "u", "2024-01-03", "00:00:00", "100"], ["c2", "u", "2024-01-03", "01:00:00", "50"],
            ["c3", "u", "2024-01-03", "02:00:00", "-20"],
        ]
        try tables.write(database)
        try database.execute("CREATE TABLE refunds (conv_id TEXT, amount REAL)")
        try database.execute("INSERT INTO refunds VALUES ('c1', 30), ('c1', 10), ('c2', 500)")
        let outcome = try run(database, .linear)
        #expect(outcome.attributed == 2)
        #expect(outcome.report.total.revenue == 60)
        #expect(outcome.reading.negativeRevenues == 1)
        #expect(outcome.reading.refunded == Money(90))
        // A late refund reaches the report of an incremental run too.
        try database.execute("INSERT INTO refunds VALUES ('c1', 5)")
        #expect(try run(database, .linear, since: true).report.total.revenue == 55)
    }

    @Test func oddRowsAreCountedClasses() throws {
        let scratch = try Scratch()
        let database = try scratch.database()
        var tables = Tables()
        tables.sessions = [
            ["s1", "u", "2024-01-01", "10:00:00", "A", "1", "1", "0"],
            ["s2", nil, "2024-01-01", "10:00:00", "A", "1", "1", "0"],
            ["s3", "u", "2024-13-01", "10:00:00", "A", "1", "1", "0"],
            ["s4", "u", "2024-01-01", "11:00:00", "", "1", "1", "0"],
            ["s5", "u", "2024-01-01", "12:00:00", "Z", "1", "1", "0"],
        ]
        tables.conversions = [
            ["c1", "u", "2024-01-02", "00:00:00", "10"], ["c2", nil, "2024-01-02", "00:00:00", "10"],
            ["c3", "u", "yesterday", "00:00:00", "10"], ["c4", "v", "2024-01-02", "00:00:00", "7"],
        ]
        tables.costs = [["s1", "2"], ["s4", "-1"]]
        try tables.write(database)
        var settings = try Tables.reading()
        settings.knownChannels = ["A", "B"]
        let outcome = try run(database, .linear, reading: settings)
        #expect(outcome.reading.sessionsWithoutUser == 1)
        #expect(outcome.reading.conversionsWithoutUser == 1)
        #expect(outcome.reading.sessionsWithUnreadableTime == 1)
        #expect(outcome.reading.conversionsWithUnreadableTime == 1)
        #expect(outcome.reading.unknownChannel == 2)
        #expect(outcome.reading.negativeCosts == 1)
        #expect(outcome.journeys.withoutJourney == 1)
        #expect(outcome.journeys.revenueWithoutJourney == Money(7))
        let channels = Dictionary(uniqueKeysWithValues: outcome.report.totals.map { ($0.channel, $0) })
        #expect(abs((channels["(unknown)"]?.credit ?? 0) - 2.0 / 3) < 1e-9)
        #expect(channels["A"]?.cost == Money(2))
        #expect(channels["(unknown)"]?.roas == nil)
    }

    @Test func channelRulesNameChannels() throws {
        let rules = try ChannelRules(
            json: .array([
                .object([
                    .init("source", .string("Google")), .init("campaign", .string("brand*")),
                    .init("channel", .string("Brand")),
                ]),
                .object([.init("medium", .string("e*mail")), .init("channel", .string("Email"))]),
            ]), name: "rules")
        #expect(rules.channel(campaign: "Brand X", source: "google", medium: nil) == "Brand")
        #expect(rules.channel(campaign: "x", source: "google", medium: "e-mail") == "Email")
        #expect(rules.channel(campaign: "x", source: "google", medium: "cpc") == nil)
    }

    @Test func clockChanges() throws {
        var clock = try LocalClock(named: "Europe/Berlin")
        // The hour that 31 March 2024 leaves out, and the one that 27 October has twice.
        let read1 = clock.read(date: "2024-03-31", time: "02:30:00")
        let gap = try #require(read1)
        #expect(gap.oddity == .inGap && gap.time == 1_711_848_600_000)
        let read2 = clock.read(date: "2024-10-27", time: "02:30:00")
        let twice = try #require(read2)
        #expect(twice.oddity == .repeated && twice.time == 1_729_989_000_000)
        let read3 = clock.read(date: "2024-01-10", time: "00:30:00")
        let winter = try #require(read3)
        #expect(
            winter.oddity == .none && winter.time == 1_704_843_000_000 && winter.day == CivilDay.parse("2024-01-10"))
        // A zone of its own wins over the setting, and the day is the local one.
        let read4 = clock.read(date: nil, time: "2024-01-10T23:30:00Z")
        let zoned = try #require(read4)
        #expect(zoned.time == 1_704_929_400_000 && zoned.day == CivilDay.parse("2024-01-11"))
        let (none1, none2) = (
            clock.read(date: "2024-02-30", time: "00:00:00")?.time,
            clock.read(date: "2024-02-28", time: "24:00:00")?.time
        )
        #expect(none1 == nil && none2 == nil)
        #expect(throws: ImpactError.self) { _ = try LocalClock(named: "Europe/Atlantis") }
    }

    /// Ids that stand in tables without keys more than once count once: in credit, revenue and cost, in a whole run and one that
    /// goes on from it.
    @Test func duplicateIdsCountOnceHoweverOftenItRuns() throws {
        let scratch = try Scratch()
        let database = try scratch.database()
        try database.execute(
            """
            CREATE TABLE session_sources (session_id TEXT, user_id TEXT, event_date TEXT, event_time TEXT, channel_name TEXT);
            CREATE TABLE conversions (conv_id TEXT, user_id TEXT, conv_date TEXT, conv_time TEXT, revenue REAL);
            CREATE TABLE session_costs (session_id TEXT, cost REAL);
            INSERT INTO session_sources VALUES ('s1','u1','2024-03-01','10:00:00','Search'), \
            ('s2','u1','2024-03-02','10:00:00','Social'), ('s1','u1','2024-03-01','12:00:00','Other'), \
            ('s1','u1','2024-03-01','10:00:00','Search');
            INSERT INTO conversions VALUES ('c1','u1','2024-03-03','10:00:00',50), ('c1','u1','2024-03-04','10:00:00',70), \
            ('c1','u2','2024-03-05','10:00:00',90);
            INSERT INTO session_costs VALUES ('s1',2), ('s2',3)
            """)
        let outcome = try run(database, .last)
        #expect(outcome.journeys.duplicateSessions == 2 && outcome.journeys.duplicateConversions == 1)
        #expect(outcome.reading.sharedConversions == 1)
        let first = try results(database)
        #expect(
            first == [
                "Search 2024-03-01 2.0 0.0 0.0", "Social 2024-03-02 3.0 1.0 50.0", "c1 s1 0.0", "c1 s2 1.0",
            ])
        for _ in 0..<2 {
            _ = try run(database, .last, since: true)
            #expect(try results(database) == first)
        }
    }
}
