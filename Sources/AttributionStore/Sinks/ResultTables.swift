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
            ihc DOUBLE PRECISION NOT NULL, PRIMARY KEY (conv_id, session_id))
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
    private let isEmpty: Bool
    private var conversions: [String] = []
    private var rows: [(conversion: Int, session: String, units: Int64)] = []
    private(set) var written = 0

    /// - Parameter isEmpty: the table holds nothing: nothing has to go.
    init(_ database: any SQLDatabase, isEmpty: Bool) {
        self.database = database
        self.isEmpty = isEmpty
    }

    func add(_ conversion: String, _ touches: [Touch], _ units: [Int64]) throws(ImpactError) {
        for (touch, share) in zip(touches, units) { rows.append((conversions.count, touch.session, share)) }
        conversions.append(conversion)
        if conversions.count == Self.batch { try flush() }
    }

    /// Removes the credit of conversions that have a journey no more.
    func flush() throws(ImpactError) {
        guard !conversions.isEmpty else { return }
        if !isEmpty {
            let places = conversions.indices.map { "$\($0 + 1)" }.joined(separator: ",")
            try database.run(
                "DELETE FROM \(ResultTables.credit) WHERE conv_id IN (\(places))", conversions.map { .text($0) })
        }
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
