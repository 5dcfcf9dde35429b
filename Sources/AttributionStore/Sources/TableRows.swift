import Attribution
import Base

/// Rows of `session_sources`, by user, with the columns that the table has.
final class SessionRows {
    enum Column: Int, CaseIterable {
        case user, id, date, time, channel, holder, closer, impression, campaign, source, medium, uplift, upliftError
        case cost, costCurrency, credit, revenue, currency, refund
    }

    let cursor: any SQLCursor

    /// What a row stands for.
    enum Kind: Equatable {
        /// A session, by user.
        case sessions
        /// A session with its cost, unordered; with the flag a session whose id stands there more than once is taken once.
        case costs(once: Bool)
        /// A stored share of credit with its conversion's revenue, unordered.
        case credit
    }

    init(_ database: any SQLDatabase, _ scope: JourneyScope, _ kind: Kind = .sessions) throws(ImpactError) {
        let known = try database.columns(of: "session_sources")
        guard !known.isEmpty else { throw Self.missing("session_sources", database) }
        for column in ["session_id", "user_id"] where !known.contains(column) {
            throw Self.missing("session_sources.\(column)", database)
        }
        guard known.contains("event_date") || known.contains("event_time") else {
            throw Self.missing("session_sources.event_time", database)
        }
        func text(_ name: String) -> String { known.contains(name) ? "CAST(s.\(name) AS TEXT)" : "NULL" }
        func value(_ name: String) -> String { known.contains(name) ? "s.\(name)" : "NULL" }
        var costs = false
        var isOnce = kind == .credit
        if case .costs(let once) = kind { (costs, isOnce) = (true, once) }
        let costColumns = costs ? try database.columns(of: "session_costs") : []
        let orders = kind == .credit ? try ConversionRows.expressions(database) : nil
        var selected = [
            text("user_id"), text("session_id"), text("event_date"), text("event_time"), value("channel_name"),
            value("holder_engagement"), value("closer_engagement"), value("impression_interaction"), value("campaign"),
            value("source"), value("medium"), value("uplift"), value("uplift_std_error"),
        ]
        selected.append(costs ? "c.cost" : "NULL")
        selected.append(costs && costColumns.contains("currency") ? "c.currency" : "NULL")
        selected += orders.map { ["a.ihc", $0.revenue, $0.currency, $0.refund] } ?? ["NULL", "NULL", "NULL", "NULL"]
        var sql = "SELECT " + selected.joined(separator: ", ") + " FROM "
        var parameters: [SQLValue] = []
        // The earliest of the rows with one id, as journeys take it.
        let order = ["event_date", "event_time", "channel_name"].filter { known.contains($0) }.joined(separator: ", ")
        let sessions =
            isOnce
            ? "(SELECT * FROM (SELECT t.*, row_number() OVER (PARTITION BY user_id, session_id ORDER BY \(order)) AS impactiq_place "
                + "FROM session_sources t) u WHERE impactiq_place = 1) s"
            : "session_sources s"
        let conversions =
            isOnce && orders != nil
            ? ConversionRows.once(database, try database.columns(of: "conversions")) : "conversions o"
        if let orders {
            sql +=
                "attribution_customer_journey a JOIN \(conversions) "
                + "ON \(database.asText("o.conv_id")) = a.conv_id JOIN \(sessions) ON \(database.asText("s.session_id")) = a.session_id "
                + "AND s.user_id = o.user_id \(orders.join)"
        } else {
            sql += sessions
            if costs { sql += " LEFT JOIN session_costs c ON c.session_id = s.session_id" }
        }
        let condition = try scope.condition(orders == nil ? "s.user_id" : "o.user_id", database)
        sql += condition.sql
        if kind == .sessions { sql += " ORDER BY " + database.byBytes("s.user_id") }
        parameters = condition.parameters
        cursor = try database.query(sql, parameters)
    }

    func text(_ column: Column) -> String? { cursor.text(column.rawValue) }
    func double(_ column: Column) -> Double? { cursor.double(column.rawValue) }
    /// nil when the column is missing or NULL.
    func flag(_ column: Column) -> Bool? {
        double(column).map { $0 != 0 } ?? text(column).map { $0 == "t" || $0 == "true" }
    }

    static func missing(_ what: String, _ database: any SQLDatabase) -> ImpactError {
        ImpactError(
            .badInput, code: "table_missing",
            "\(database.place) has no \(what): attribution reads session_sources (session_id, user_id, event_date, "
                + "event_time, channel_name, …) and conversions (conv_id, user_id, conv_date, conv_time, revenue)")
    }
}

/// Rows of `conversions`, by user: id, user, date, time, revenue, currency, refunded amount.
final class ConversionRows {
    /// The day of a conversion as text, for comparison.
    static func day(_ database: any SQLDatabase) throws(ImpactError) -> String {
        let column = try database.columns(of: "conversions").contains("conv_date") ? "conv_date" : "conv_time"
        return "substr(CAST(\(column) AS TEXT), 1, 10)"
    }

    /// Conversions, each id once: as journeys take them, the first user's earliest, and of those the one with the higher revenue.
    static func once(_ database: any SQLDatabase, _ known: [String]) -> String {
        // SQLite orders texts before it sees their numbers.
        let revenue = database is SQLiteDatabase ? "CAST(revenue AS REAL)" : "revenue"
        let order =
            (["conv_date", "conv_time"].filter { known.contains($0) } + ["\(revenue) DESC NULLS LAST"]).joined(
                separator: ", ")
        return
            "(SELECT * FROM (SELECT t.*, row_number() OVER (PARTITION BY conv_id ORDER BY "
            + "\(order), \(database.byBytes("user_id"))) AS impactiq_place "
            + "FROM conversions t WHERE user_id IS NOT NULL) u WHERE impactiq_place = 1) o"
    }

    let cursor: any SQLCursor

    init(_ database: any SQLDatabase, _ scope: JourneyScope) throws(ImpactError) {
        let sql = try Self.expressions(database)
        let condition = try scope.condition("o.user_id", database)
        cursor = try database.query(
            """
            SELECT CAST(o.conv_id AS TEXT), CAST(o.user_id AS TEXT), \(sql.date), \(sql.time), \(sql.revenue), \
            \(sql.currency), \(sql.refund) FROM conversions o \(sql.join)\(condition.sql) \
            ORDER BY \(database.byBytes("o.user_id"))
            """, condition.parameters)
    }

    static func expressions(
        _ database: any SQLDatabase
    ) throws(ImpactError) -> (
        date: String, time: String, revenue: String, currency: String, refund: String, join: String
    ) {
        let known = try database.columns(of: "conversions")
        guard !known.isEmpty else { throw SessionRows.missing("conversions", database) }
        for column in ["conv_id", "user_id", "revenue"] where !known.contains(column) {
            throw SessionRows.missing("conversions.\(column)", database)
        }
        guard known.contains("conv_date") || known.contains("conv_time") else {
            throw SessionRows.missing("conversions.conv_time", database)
        }
        func text(_ name: String) -> String { known.contains(name) ? "CAST(o.\(name) AS TEXT)" : "NULL" }
        let hasRefunds = try !database.columns(of: "refunds").isEmpty
        return (
            text("conv_date"), text("conv_time"), "o.revenue", text("currency"),
            hasRefunds ? "r.amount" : "NULL",
            hasRefunds
                ? "LEFT JOIN (SELECT conv_id, sum(abs(amount)) AS amount FROM refunds GROUP BY conv_id) r ON r.conv_id = o.conv_id"
                : ""
        )
    }
}
