import Base

/// The tables that events are kept in, and those made of them, in SQLite and PostgreSQL.
enum EventTables {
    /// The log of each user.
    static let logs = "impactiq_user_logs"
    static let refusals = "impactiq_refusals"
    static let positions = "impactiq_event_positions"
    private static let kept = [logs, "conversions", "ad_costs", refusals, positions]

    static func create(_ database: any SQLDatabase) throws(ImpactError) {
        let end = database.clusters
        // A purchase's id is the conversion's: it counts once, whichever user has it.
        try database.execute(
            """
            CREATE TABLE IF NOT EXISTS \(logs) (user_id TEXT PRIMARY KEY, events \(database.bytesType) NOT NULL)\(end);
            CREATE TABLE IF NOT EXISTS conversions (conv_id TEXT PRIMARY KEY, user_id TEXT, conv_date TEXT, \
            conv_time TEXT, revenue DOUBLE PRECISION, currency TEXT)\(end);
            CREATE TABLE IF NOT EXISTS ad_costs (id TEXT PRIMARY KEY, channel_name TEXT, campaign TEXT, date TEXT, \
            amount DOUBLE PRECISION, currency TEXT)\(end);
            CREATE INDEX IF NOT EXISTS ad_costs_date ON ad_costs (date);
            CREATE TABLE IF NOT EXISTS \(refusals) (user_id TEXT PRIMARY KEY, time BIGINT NOT NULL)
            """)
    }

    /// What is made of the logs, for a run over them.
    static func createMade(_ database: any SQLDatabase) throws(ImpactError) {
        try database.execute(
            """
            CREATE TABLE session_sources (user_id TEXT NOT NULL, session_id TEXT NOT NULL, event_date TEXT, \
            event_time TEXT, channel_name TEXT, campaign TEXT, source TEXT, medium TEXT, holder_engagement INTEGER, \
            closer_engagement INTEGER, impression_interaction INTEGER, uplift DOUBLE PRECISION, \
            uplift_std_error DOUBLE PRECISION, PRIMARY KEY (user_id, session_id))\(database.clusters);
            CREATE TABLE refunds (conv_id TEXT PRIMARY KEY, amount DOUBLE PRECISION)
            """)
    }

    /// The tables of a stream: those of ``create(_:)`` and what it needs to go on.
    ///
    /// - Throws: `tables_of_others` where tables of these names are there that no stream made.
    static func createKept(_ database: any SQLDatabase) throws(ImpactError) {
        let isOurs = try !database.columns(of: positions).isEmpty
        if !isOurs {
            for table in kept + ["session_sources"] where try !database.columns(of: table).isEmpty {
                throw ImpactError(
                    .badInput, code: "tables_of_others",
                    "\(database.place) has a table \(table) that 'attribute follow' did not make: it would change it. Give it a "
                        + "file or a database (a schema) of its own; 'attribute run' attributes tables of your own")
            }
        } else if try database.columns(of: logs).isEmpty {
            throw ImpactError(
                .badInput, code: "earlier_version",
                "\(database.place) was made by an earlier version of 'attribute follow': begin with another --out, which reads "
                    + "the topic from its beginning")
        }
        try create(database)
        try database.execute(
            """
            CREATE TABLE IF NOT EXISTS \(positions) (topic TEXT NOT NULL, partition INTEGER NOT NULL, \
            next BIGINT NOT NULL, PRIMARY KEY (topic, partition))
            """)
        try ResultTables.create(database)
        try ChannelSums.create(database)
    }
}
