import Base

/// Ids that more than one user has, in a table without a key: each belongs to the user of its earliest row, at equal times to the
/// first of them. Only these ids are held in memory.
struct SharedIDs {
    private var owners: [String: String] = [:]

    init() {}

    init(sessionsOf database: any SQLDatabase, clock: LocalClock) throws(ImpactError) {
        let keys = try database.uniqueKeys(of: "session_sources")
        // A key over user and session says that ids are a user's own; costs have no user and would be counted for each.
        let hasCosts = try !database.columns(of: "session_costs").isEmpty
        if !hasCosts, keys.contains(where: { Set($0) == ["session_id", "user_id"] }) { return }
        try search(database, "session_sources", ["session_id", "event_date", "event_time"], clock)
    }

    init(conversionsOf database: any SQLDatabase, clock: LocalClock) throws(ImpactError) {
        try search(database, "conversions", ["conv_id", "conv_date", "conv_time", "revenue"], clock)
    }

    /// - Parameter columns: the id, date and time, and an amount: rows with a negative one do not count.
    private mutating func search(
        _ database: any SQLDatabase, _ table: String, _ columns: [String], _ clock: LocalClock
    ) throws(ImpactError) {
        let known = try database.columns(of: table)
        let id = columns[0]
        guard known.contains(id), known.contains("user_id"), try !database.uniqueKeys(of: table).contains([id]) else {
            return
        }
        // A row without a user is nobody's, so that one of the same id with a user goes first.
        let user = "COALESCE(CAST(user_id AS TEXT), '')"
        let selected = columns.dropFirst().map { known.contains($0) ? "CAST(\($0) AS TEXT)" : "NULL" }
        let rows = try database.query(
            """
            SELECT CAST(\(id) AS TEXT), CAST(user_id AS TEXT), \(selected.joined(separator: ", ")) FROM \(table) \
            WHERE \(id) IN (SELECT \(id) FROM \(table) GROUP BY \(id) HAVING min(\(user)) <> max(\(user)))
            """, [])
        var clock = clock
        var first: [String: (time: Int64, user: String)] = [:]
        while try rows.next() {
            guard let id = rows.text(0), let user = rows.text(1), !user.isEmpty,
                let time = clock.read(date: rows.text(2), time: rows.text(3))?.time,
                columns.count < 4 || (rows.double(4) ?? 0) >= 0
            else { continue }
            if let known = first[id], (known.time, known.user) <= (time, user) { continue }
            first[id] = (time, user)
        }
        owners = first.mapValues(\.user)
    }

    /// Whether a row of this id counts for this user.
    func isOf(_ user: String, _ id: String) -> Bool {
        guard !owners.isEmpty, let owner = owners[id] else { return true }
        return owner == user
    }
}
