import Attribution
import AttributionStore
import Base
import Foundation
import Testing

/// Odd rows of tables and odd events: counted, and never in a sum where they do not belong.
@Suite struct OddRowsTests {
    private let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private func database(_ sql: String, revenue: Bool = true, name: String = "odd.db") throws -> SQLiteDatabase {
        let database = try scratch.database(name)
        try database.execute(
            """
            CREATE TABLE session_sources (session_id, user_id, event_date, event_time, channel_name);
            CREATE TABLE conversions (conv_id, user_id, conv_date, conv_time\(revenue ? ", revenue" : ""));
            CREATE TABLE session_costs (session_id, cost); CREATE TABLE refunds (conv_id, amount);
            """ + sql)
        return database
    }

    private func line(_ outcome: AttributionRun.Outcome, _ channel: String) -> ChannelReport.Line? {
        outcome.report.totals.first { $0.channel == channel }
    }

    @Test func anIdOfTwoUsersIsTheEarliestOnes() throws {
        let database = try database(
            """
            INSERT INTO session_sources VALUES ('s1', 'u2', '2026-05-01', '10:00:00', 'b'), ('s1', 'u1', '2026-05-01', '09:00:00', 'a'),
            ('s2', 'u2', '2026-05-01', '09:30:00', 'b');
            INSERT INTO session_costs VALUES ('s1', 5), ('gone', 500);
            INSERT INTO conversions VALUES ('c1', 'u1', '2026-05-01', '12:00:00', 100), ('c1', 'u2', '2026-05-01', '11:00:00', 10);
            """)
        let outcome = try run(database, .linear)
        #expect(outcome.report.total.cost == Money(5))
        #expect(line(outcome, "a")?.cost == Money(5))
        // The conversion is u2's, which came earlier, although u1 sorts first.
        #expect(outcome.report.total.revenue == 10 && line(outcome, "b")?.credit == 1)
        #expect(outcome.journeys.duplicateSessions == 1 && outcome.journeys.duplicateConversions == 1)
        #expect(outcome.reading.unplacedCosts.sum == Money(500))
    }

    @Test func whatIsLeftOutIsCounted() throws {
        let database = try database(
            """
            INSERT INTO session_sources VALUES ('s1', 'u', '2026-05-01', '09:00:00', 'a'), (NULL, 'u', '2026-05-01', '09:10:00', 'a'),
            ('s3', 'u', '2026-13-01', '09:10:00', 'a');
            INSERT INTO conversions VALUES ('c1', 'u', '2026-05-01', '12:00:00', 100), ('c2', 'u', '2026-05-01', '13:00:00', NULL),
            (NULL, 'u', '2026-05-01', '13:00:00', 3), ('c4', 'u', 'bad', '13:00:00', 3);
            INSERT INTO refunds VALUES ('c1', 150), ('nosuch', 40), ('c2', 'abc'), ('c2', NULL);
            """)
        let counts = try run(database, .linear).reading
        #expect(counts.sessionsWithoutID == 1 && counts.conversionsWithoutID == 1 && counts.missingRevenues == 1)
        #expect(counts.firstUnreadableSession == "2026-13-01 09:10:00")
        #expect(counts.firstUnreadableConversion == "bad 13:00:00")
        #expect(counts.refundsWithoutConversion.rows == 1 && counts.refundedBeyond.sum == Money(50))
        #expect(counts.unreadableAmounts >= 2)
    }

    @Test func aColumnThatCountsMustBeThere() throws {
        let missing = try database("", revenue: false, name: "missing.db")
        #expect(throws: ImpactError.self) { try run(missing, .linear) }
        let costs = try database("DROP TABLE session_costs; CREATE TABLE session_costs (session_id, price)")
        let error = #expect(throws: ImpactError.self) { try run(costs, .linear) }
        #expect(error?.message.contains("session_costs.cost") == true)
    }

    @Test func tiesDoNotDependOnTheOrderOfRows() throws {
        let rows = ["('c', 'u', '2026-05-01', '12:00:00', 100)", "('c', 'u', '2026-05-01', '12:00:00', 200)"]
        let totals = try [rows, rows.reversed()].enumerated().map { index, rows in
            let database = try database(
                "INSERT INTO session_sources VALUES ('s', 'u', '2026-05-01', '09:00:00', 'a');"
                    + "INSERT INTO conversions VALUES \(rows.joined(separator: ","))", name: "\(index).db")
            return try run(database, .linear).report.total.revenue
        }
        #expect(totals == [200, 200])
    }

    @Test func creditOfConversionsThatHaveGoneGoes() throws {
        let database = try database(
            """
            INSERT INTO session_sources VALUES ('s1', 'u', '2026-05-01', '09:00:00', 'a');
            INSERT INTO conversions VALUES ('c1', 'u', '2026-05-01', '12:00:00', 100), ('c2', 'u', '2026-05-02', '12:00:00', 100);
            """)
        _ = try run(database, .linear, since: true)
        try database.execute("DELETE FROM conversions WHERE conv_id = 'c1'")
        _ = try run(database, .linear, since: true)
        #expect(try database.value("SELECT group_concat(conv_id) FROM attribution_customer_journey") == "c2")
    }

    @Test func aConversionAheadOfTheClockDoesNotEndTheRunsAfterIt() throws {
        let database = try database(
            """
            INSERT INTO session_sources VALUES ('s1', 'u', date('now', '-2 days'), '09:00:00', 'a');
            INSERT INTO conversions VALUES ('c1', 'u', '2099-01-01', '12:00:00', 100);
            """)
        _ = try run(database, .linear, since: true)
        try database.execute("INSERT INTO conversions VALUES ('c2', 'u', date('now', '-1 days'), '12:00:00', 100)")
        _ = try run(database, .linear, since: true)
        #expect(try database.value("SELECT count(*) FROM attribution_customer_journey WHERE conv_id = 'c2'") == "1")
    }

    // MARK: Events

    private func events(_ lines: [String]) throws -> (RawEvents, AttributionRun.Outcome) {
        let raw = try RawEvents(clock: try LocalClock(named: "UTC"))
        for (index, line) in lines.enumerated() {
            try Array(line.utf8).withUnsafeBytes { try raw.add($0, place: "e/0/\(index)") }
        }
        try raw.finish(timeout: 1_800_000)
        return (raw, try run(raw.database, .linear))
    }

    private let click = "{\"id\":\"k\",\"user_id\":\"u\",\"type\":\"click\",\"time\":1000,\"channel\":\"social\"}"

    @Test(arguments: [
        ("\"order_id\":\"o\"", "\"order_id\":\"o\""), ("\"properties\":{\"order_id\":\"o\"}", "\"order_id\":\"o\""),
        ("\"properties\":{\"order_id\":\"o\"}", "\"properties\":{\"order_id\":\"o\"}"),
        ("\"channel\":\"x\"", "\"order_id\":\"p\""), ("\"order_id\":\"o\"", "\"channel\":\"x\""),
        ("\"order_id\":17", "\"order_id\":\"17\""),
    ])
    func aRefundLowersTheOrderThatItNames(_ order: String, _ refund: String) throws {
        let (raw, outcome) = try events([
            click,
            "{\"id\":\"p\",\"user_id\":\"u\",\"type\":\"purchase\",\"time\":2000,\"value\":100,\(order)}",
            "{\"id\":\"r\",\"user_id\":\"u\",\"type\":\"refund\",\"time\":3000,\"value\":30,\(refund)}",
        ])
        #expect(outcome.report.total.revenue == 70)
        #expect(raw.counts.refundsWithoutOrder == 0)
    }

    @Test func anAssignmentIsNoSession() throws {
        let arm = "\"treatment\":{\"experiment_id\":\"x\",\"arm\":\"control\"}"
        let (raw, outcome) = try events([
            click, "{\"user_id\":\"u\",\"type\":\"treatment\",\"time\":1500,\(arm)}",
            "{\"user_id\":\"u\",\"type\":\"click\",\"time\":1700,\"channel\":\"social\"}",
            "{\"user_id\":\"v\",\"type\":\"treatment\",\"time\":1500,\"channel\":\"mail\",\(arm)}",
            "{\"id\":\"p\",\"user_id\":\"u\",\"type\":\"purchase\",\"time\":2000,\"value\":100}",
        ])
        #expect(raw.counts.sessions == 2 && raw.counts.skipped == 1)
        #expect(outcome.report.totals.map(\.channel) == ["social"])
        #expect(outcome.rows == 1)
    }

    @Test func aCostsDateIsReadOrItIsLeftOut() throws {
        let (raw, outcome) = try events([
            "{\"type\":\"ad_cost\",\"time\":\"2026-03-02T12:00:00Z\",\"channel\":\"a\",\"properties\":{\"date\":\"2026-02-01\",\"amount\":7}}",
            "{\"type\":\"ad_cost\",\"time\":\"2026-03-02T12:00:00Z\",\"channel\":\"a\",\"amount\":9,\"date\":\"garbage\"}",
            "{\"type\":\"ad_cost\",\"time\":\"2026-03-02T12:00:00Z\",\"channel\":\"a\",\"amount\":9,\"date\":20260201}",
            "{\"type\":\"ad_cost\",\"time\":\"2026-03-03T12:00:00Z\",\"campaign_id\":\"c\",\"amount\":2}",
        ])
        #expect(raw.counts.costsWithoutDay == 2)
        let days = outcome.report.lines.map { "\($0.channel) \(CivilDay.text($0.day ?? 0)) \($0.cost.amount)" }
        #expect(Set(days) == ["a 2026-02-01 7.0", "(unknown) 2026-03-03 2.0"])
        #expect(outcome.reading.unknownCosts.rows == 1)
    }

    // MARK: Paths

    @Test func conversionsOfEmptyPathsAreCounted() throws {
        let file = scratch.path + "/paths.csv"
        try "path,conversions\na,4\na>b,6.5\n,3\n".write(toFile: file, atomically: true, encoding: .utf8)
        for kinds in [[ModelKind.linear, .markov], [.markov]] {
            let outcome = try PathComparison.compare(file, kinds, ModelOptions(), divides: false)
            #expect(outcome.comparison.conversions == 10.5)
            #expect(
                outcome.comparison.remarks.contains { $0.hasPrefix("3 conversions without a channel in their path") })
            // Alone, Markov states its own totals: no journey was divided.
            #expect(outcome.comparison.divided.count == kinds.count - (kinds.count == 1 ? 1 : 0))
        }
    }
}
