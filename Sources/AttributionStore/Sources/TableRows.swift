import Attribution
import Base

/// Rows of `session_sources`, by user, with the columns that the table has.
final class SessionRows {
    enum Column: Int, CaseIterable {
        case user, id, date, time, channel, holder, closer, impression, campaign, source, medium, uplift, upliftError
        case cost, costCurrency, credit, revenue, currency, refund
    }

    let cursor: any SQLCursor

    /// - Parameters:
    ///   - costs: with the cost of each session, unordered.
    ///   - credit: a row a stored share of credit, with its conversion's revenue, unordered.
    init(
        _ database: any SQLDatabase, _ scope: JourneyScope, costs: Bool = false, credit: Bool = false
    ) throws(ImpactError) {
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
        let costColumns = costs ? try database.columns(of: "session_costs") : []
        let orders = credit ? try ConversionRows.expressions(database) : nil
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
        if let orders {
            sql +=
                "attribution_customer_journey a JOIN session_sources s ON s.session_id = a.session_id "
                + "JOIN conversions o ON o.conv_id = a.conv_id \(orders.join)"
        } else {
            sql += "session_sources s"
            if costs { sql += " LEFT JOIN session_costs c ON c.session_id = s.session_id" }
            let condition = try scope.condition("s.user_id", database)
            sql += condition.sql
            parameters = condition.parameters
            if !costs { sql += " ORDER BY " + database.byBytes("s.user_id") }
        }
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
        for column in ["conv_id", "user_id"] where !known.contains(column) {
            throw SessionRows.missing("conversions.\(column)", database)
        }
        guard known.contains("conv_date") || known.contains("conv_time") else {
            throw SessionRows.missing("conversions.conv_time", database)
        }
        func text(_ name: String) -> String { known.contains(name) ? "CAST(o.\(name) AS TEXT)" : "NULL" }
        let hasRefunds = try !database.columns(of: "refunds").isEmpty
        return (
            text("conv_date"), text("conv_time"), known.contains("revenue") ? "o.revenue" : "NULL", text("currency"),
            hasRefunds ? "r.amount" : "NULL",
            hasRefunds
                ? "LEFT JOIN (SELECT conv_id, sum(abs(amount)) AS amount FROM refunds GROUP BY conv_id) r ON r.conv_id = o.conv_id"
                : ""
        )
    }
}
