import Base

/// Session ids that more than one user has, in a table without a key: each belongs to the user of its earliest session, at equal
/// times to the first of them by the bytes of their ids. Only these ids are held in memory.
struct SharedSessions {
    private var owners: [String: String] = [:]

    var isEmpty: Bool { owners.isEmpty }

    init() {}

    init(_ database: any SQLDatabase, clock: LocalClock) throws(ImpactError) {
        let known = try database.columns(of: "session_sources")
        let keys = try database.uniqueKeys(of: "session_sources")
        // A key over user and session says that ids are a user's own; costs have no user and would be counted for each.
        let hasCosts = try !database.columns(of: "session_costs").isEmpty
        let areOfUsers = !hasCosts && keys.contains { Set($0) == ["session_id", "user_id"] }
        guard !keys.contains(["session_id"]), !areOfUsers, known.contains("session_id"), known.contains("user_id")
        else {
            return
        }
        // A session without a user is nobody's, so that one of the same id with a user goes first.
        let user = "COALESCE(CAST(user_id AS TEXT), '')"
        func text(_ name: String) -> String { known.contains(name) ? "CAST(\(name) AS TEXT)" : "NULL" }
        let rows = try database.query(
            """
            SELECT CAST(session_id AS TEXT), CAST(user_id AS TEXT), \(text("event_date")), \(text("event_time")) \
            FROM session_sources WHERE session_id IN (SELECT session_id FROM session_sources \
            GROUP BY session_id HAVING min(\(user)) <> max(\(user)))
            """, [])
        var clock = clock
        var first: [String: (time: Int64, user: String)] = [:]
        while try rows.next() {
            guard let id = rows.text(0), let user = rows.text(1), !user.isEmpty,
                let time = clock.read(date: rows.text(2), time: rows.text(3))?.time
            else { continue }
            if let known = first[id], (known.time, known.user) <= (time, user) { continue }
            first[id] = (time, user)
        }
        owners = first.mapValues(\.user)
    }

    /// Whether a session of this id counts for this user.
    func isOf(_ user: String, _ id: String) -> Bool {
        guard !owners.isEmpty, let owner = owners[id] else { return true }
        return owner == user
    }
}
