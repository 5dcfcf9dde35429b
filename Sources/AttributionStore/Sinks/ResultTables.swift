import Attribution
import Base

/// The tables that attribution writes.
enum ResultTables {
    static let credit = "attribution_customer_journey"
    static let report = "channel_reporting"
    static let incremental = "channel_incremental"
    static let state = "impactiq_attribution_state"

    static func create(_ database: any SQLDatabase) throws(ImpactError) {
        try database.execute(
            """
            CREATE TABLE IF NOT EXISTS \(credit) (conv_id TEXT NOT NULL, session_id TEXT NOT NULL, \
            ihc DOUBLE PRECISION NOT NULL, PRIMARY KEY (conv_id, session_id))\(database.clusters)
            """)
        try database.execute(
            """
            CREATE TABLE IF NOT EXISTS \(report) (channel_name TEXT NOT NULL, date TEXT NOT NULL, \
            cost DOUBLE PRECISION NOT NULL, ihc DOUBLE PRECISION NOT NULL, ihc_revenue DOUBLE PRECISION NOT NULL, \
            PRIMARY KEY (channel_name, date))
            """)
        try database.execute(
            """
            CREATE TABLE IF NOT EXISTS \(incremental) (channel_name TEXT NOT NULL, date TEXT NOT NULL, \
            scored_sessions BIGINT NOT NULL, incremental DOUBLE PRECISION NOT NULL, \
            incremental_std_error DOUBLE PRECISION NOT NULL, PRIMARY KEY (channel_name, date))
            """)
        try database.execute(
            "CREATE TABLE IF NOT EXISTS \(state) (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
    }

    static func state(_ name: String, _ database: any SQLDatabase) throws(ImpactError) -> String? {
        try database.value("SELECT value FROM \(state) WHERE name = $1", [.text(name)])
    }

    static func setState(_ name: String, _ value: String, _ database: any SQLDatabase) throws(ImpactError) {
        try database.run("DELETE FROM \(state) WHERE name = $1", [.text(name)])
        try database.run("INSERT INTO \(state) (name, value) VALUES ($1, $2)", [.text(name), .text(value)])
    }

    /// What a reader of the report should know first, a line each.
    static func setNotes(_ notes: [String], _ database: any SQLDatabase) throws(ImpactError) {
        try setState("notes", notes.map { $0.replacing("\n", with: " ") }.joined(separator: "\n"), database)
    }

    private static func fingerprint(_ settings: String) -> String { SHA256.hex(SHA256.digest(Array(settings.utf8))) }

    /// Whether the last run had these settings.
    static func hasSettings(_ settings: String, _ database: any SQLDatabase) throws(ImpactError) -> Bool {
        try state("settings", database) == fingerprint(settings)
    }

    /// What the next run goes on from.
    ///
    /// - Parameter latest: the time of the latest conversion of this run.
    static func noteRun(
        latest: Int64?, settings: String, model: String, _ database: any SQLDatabase
    ) throws(ImpactError) {
        let watermark = try state("watermark", database).flatMap { Int64($0) }
        if let latest = [latest, watermark].compactMap({ $0 }).max(), latest != watermark {
            try setState("watermark", String(latest), database)
        }
        for (name, value) in [("settings", fingerprint(settings)), ("model", model)]
        where try state(name, database) != value {
            try setState(name, value, database)
        }
    }

    /// Replaces the channel report.
    static func write(_ channelReport: ChannelReport, _ database: any SQLDatabase) throws(ImpactError) {
        try database.execute("DELETE FROM \(report)")
        try database.execute("DELETE FROM \(incremental)")
        let writer = try Writer(database, replaces: false)
        for line in channelReport.lines { try writer.add(line) }
        try writer.finish()
    }

    /// Writes lines of the channel report, and of the incremental conversions beside it.
    struct Writer {
        private let database: any SQLDatabase
        private let lines: any SQLInsertion
        private let effects: any SQLInsertion
        private let replaces: Bool

        /// - Parameter replaces: whether lines of the same channel and day are there.
        init(_ database: any SQLDatabase, replaces: Bool) throws(ImpactError) {
            func insertion(_ table: String, _ columns: [String]) throws(ImpactError) -> any SQLInsertion {
                let assigned = columns.map { "\($0) = excluded.\($0)" }.joined(separator: ", ")
                return try database.insertion(
                    into: table, columns: ["channel_name", "date"] + columns,
                    suffix: replaces ? "ON CONFLICT (channel_name, date) DO UPDATE SET \(assigned)" : "")
            }
            self.database = database
            self.replaces = replaces
            lines = try insertion(report, ["cost", "ihc", "ihc_revenue"])
            effects = try insertion(incremental, ["scored_sessions", "incremental", "incremental_std_error"])
        }

        func add(_ line: ChannelReport.Line) throws(ImpactError) {
            let (channel, day) = (SQLValue.text(line.channel), SQLValue.text(CivilDay.text(line.day ?? 0)))
            if line.creditRows > 0 || line.costRows > 0 {
                try lines.add([
                    channel, day, .double(line.cost.amount), .double(line.credit), .double(line.revenue),
                ])
            } else if replaces {
                try database.run("DELETE FROM \(report) WHERE channel_name = $1 AND date = $2", [channel, day])
            }
            if line.scored > 0 {
                try effects.add([
                    channel, day, .integer(Int64(line.scored)), .double(line.incremental),
                    .double(line.incrementalError),
                ])
            } else if replaces {
                try database.run("DELETE FROM \(incremental) WHERE channel_name = $1 AND date = $2", [channel, day])
            }
        }

        func finish() throws(ImpactError) {
            try lines.finish()
            try effects.finish()
        }
    }
}

/// Writes the credit of conversions; what a conversion had before goes first, so that writing twice changes nothing.
final class CreditWriter {
    private static let batch = 400
    private let database: any SQLDatabase
    private var conversions: [String] = []
    /// Conversions that had credit.
    private var known: [String] = []
    private var rows: [(conversion: Int, session: String, units: Int64)] = []
    private(set) var written = 0

    init(_ database: any SQLDatabase) { self.database = database }

    /// - Parameter isNew: whether the table holds nothing of this conversion.
    func add(_ conversion: String, _ touches: [Touch], _ units: [Int64], isNew: Bool) throws(ImpactError) {
        for (touch, share) in zip(touches, units) { rows.append((conversions.count, touch.session, share)) }
        conversions.append(conversion)
        if !isNew { known.append(conversion) }
        if conversions.count == Self.batch { try flush() }
    }

    /// Removes the credit of a conversion that has a journey no more.
    func remove(_ conversion: String) throws(ImpactError) {
        known.append(conversion)
        if known.count >= Self.batch { try flush() }
    }

    func flush() throws(ImpactError) {
        if !known.isEmpty {
            let places = known.indices.map { "$\($0 + 1)" }.joined(separator: ",")
            try database.run(
                "DELETE FROM \(ResultTables.credit) WHERE conv_id IN (\(places))", known.map { .text($0) })
            known.removeAll(keepingCapacity: true)
        }
        guard !rows.isEmpty || !conversions.isEmpty else { return }
        let insertion = try insertion()
        for row in rows {
            try insertion.add([
                .text(conversions[row.conversion]), .text(row.session), .double(Credit.value(row.units)),
            ])
        }
        try insertion.finish()
        written += rows.count
        conversions.removeAll(keepingCapacity: true)
        rows.removeAll(keepingCapacity: true)
    }

    private var open: (any SQLInsertion)?

    private func insertion() throws(ImpactError) -> any SQLInsertion {
        if let open { return open }
        let made = try database.insertion(
            into: ResultTables.credit, columns: ["conv_id", "session_id", "ihc"], suffix: "")
        open = made
        return made
    }
}
