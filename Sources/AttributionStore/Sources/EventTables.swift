import Base

/// The tables that events are kept in, and those made of them, in SQLite and PostgreSQL.
enum EventTables {
    static let refusals = "impactiq_refusals"
    static let positions = "impactiq_event_positions"
    /// What is known of single users, by `user_id`.
    static let ofUsers = ["raw", "session_sources", "conversions", "refunds", "scores"]

    static func create(_ database: any SQLDatabase) throws(ImpactError) {
        let end = database.clusters
        // A purchase's id is the conversion's: it counts once, whichever user has it.
        try database.execute(
            """
            CREATE TABLE IF NOT EXISTS raw (user_id TEXT NOT NULL, id TEXT NOT NULL, time BIGINT, type TEXT, channel TEXT, \
            campaign TEXT, value DOUBLE PRECISION, currency TEXT, order_id TEXT, PRIMARY KEY (user_id, id))\(end);
            CREATE UNIQUE INDEX IF NOT EXISTS raw_purchase ON raw (id) WHERE type = 'purchase';
            CREATE TABLE IF NOT EXISTS ad_costs (id TEXT PRIMARY KEY, channel_name TEXT, campaign TEXT, date TEXT, \
            amount DOUBLE PRECISION, currency TEXT)\(end);
            CREATE INDEX IF NOT EXISTS ad_costs_date ON ad_costs (date);
            CREATE TABLE IF NOT EXISTS session_sources (user_id TEXT NOT NULL, session_id TEXT NOT NULL, event_date TEXT, \
            event_time TEXT, channel_name TEXT, campaign TEXT, source TEXT, medium TEXT, holder_engagement INTEGER, \
            closer_engagement INTEGER, impression_interaction INTEGER, uplift DOUBLE PRECISION, \
            uplift_std_error DOUBLE PRECISION, PRIMARY KEY (user_id, session_id))\(end);
            CREATE TABLE IF NOT EXISTS conversions (conv_id TEXT PRIMARY KEY, user_id TEXT, conv_date TEXT, \
            conv_time TEXT, revenue DOUBLE PRECISION, currency TEXT);
            CREATE INDEX IF NOT EXISTS conversions_user ON conversions (user_id);
            CREATE TABLE IF NOT EXISTS refunds (conv_id TEXT, amount DOUBLE PRECISION, user_id TEXT);
            CREATE INDEX IF NOT EXISTS refunds_user ON refunds (user_id);
            CREATE TABLE IF NOT EXISTS scores (user_id TEXT NOT NULL, source_partition INTEGER NOT NULL, \
            source_offset BIGINT NOT NULL, time BIGINT, uplift DOUBLE PRECISION, std_error DOUBLE PRECISION, \
            PRIMARY KEY (user_id, source_partition, source_offset))\(end);
            CREATE TABLE IF NOT EXISTS \(refusals) (user_id TEXT PRIMARY KEY, time BIGINT NOT NULL)
            """)
    }

    /// The tables of a stream: those of ``create(_:)`` and what it needs to go on.
    ///
    /// - Throws: `tables_of_others` where tables of these names are there that no stream made.
    static func createKept(_ database: any SQLDatabase) throws(ImpactError) {
        let isOurs = try !database.columns(of: positions).isEmpty
        if !isOurs {
            for table in ofUsers + ["ad_costs"] where try !database.columns(of: table).isEmpty {
                throw ImpactError(
                    .badInput, code: "tables_of_others",
                    "\(database.place) has a table \(table) that 'attribute follow' did not make: it would change it. Give it a "
                        + "file or a database (a schema) of its own; 'attribute run' attributes tables of your own")
            }
        } else if try !database.columns(of: "scores").contains("source_offset") {
            throw ImpactError(
                .badInput, code: "earlier_version",
                "\(database.place) was made by an earlier version of 'attribute follow': begin with another --out, which reads "
                    + "the topic from its beginning")
        }
        try create(database)
        try database.execute(
            """
            CREATE TABLE IF NOT EXISTS \(positions) (topic TEXT NOT NULL, partition INTEGER NOT NULL, \
            next BIGINT NOT NULL, PRIMARY KEY (topic, partition));
            CREATE TABLE IF NOT EXISTS \(JourneyScope.touchedTable) (user_id TEXT PRIMARY KEY)\(database.clusters)
            """)
        try ResultTables.create(database)
        try ChannelSums.create(database)
    }
}
