import Base

/// Ids that several users have in a team's tables, and whose they are: the user's of the earliest row.
struct SharedIDs {
    private var sessions: [String: String] = [:]
    private var conversions: [String: String] = [:]

    init() {}

    init(_ database: any SQLDatabase) throws(ImpactError) {
        // In tables that were made of events an id is its user's.
        guard try database.columns(of: EventTables.logs).isEmpty else { return }
        sessions = try Self.find("session_sources", "session_id", ["event_date", "event_time"], database)
        conversions = try Self.find("conversions", "conv_id", ["conv_date", "conv_time"], database)
    }

    func isOwner(_ user: String, ofSession id: String) -> Bool { sessions.isEmpty || sessions[id] ?? user == user }
    func isOwner(_ user: String, ofConversion id: String) -> Bool {
        conversions.isEmpty || conversions[id] ?? user == user
    }

    private static func find(
        _ table: String, _ id: String, _ times: [String], _ database: any SQLDatabase
    ) throws(ImpactError) -> [String: String] {
        let known = try database.columns(of: table)
        guard known.contains(id), known.contains("user_id"), try !database.isUnique(id, of: table) else { return [:] }
        let order = [id] + times.filter { known.contains($0) } + [database.byBytes("user_id")]
        let rows = try database.query(
            """
            SELECT CAST(\(id) AS TEXT), CAST(user_id AS TEXT) FROM \(table) WHERE user_id IS NOT NULL AND \(id) IN \
            (SELECT \(id) FROM \(table) WHERE user_id IS NOT NULL AND CAST(user_id AS TEXT) <> '' GROUP BY \(id) \
            HAVING min(\(database.asText("user_id"))) <> max(\(database.asText("user_id")))) ORDER BY \(order.joined(separator: ", "))
            """, [])
        var owners: [String: String] = [:]
        while try rows.next() {
            if let id = rows.text(0), let user = rows.text(1), !user.isEmpty, owners[id] == nil { owners[id] = user }
        }
        return owners
    }
}
