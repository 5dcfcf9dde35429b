import Attribution
import Base

/// The tables that attribution writes.
enum ResultTables {
    static let credit = "attribution_customer_journey"
    static let report = "channel_reporting"
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
            "CREATE TABLE IF NOT EXISTS \(state) (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
    }

    static func state(_ name: String, _ database: any SQLDatabase) throws(ImpactError) -> String? {
        try database.value("SELECT value FROM \(state) WHERE name = $1", [.text(name)])
    }

    static func setState(_ name: String, _ value: String, _ database: any SQLDatabase) throws(ImpactError) {
        try database.run("DELETE FROM \(state) WHERE name = $1", [.text(name)])
        try database.run("INSERT INTO \(state) (name, value) VALUES ($1, $2)", [.text(name), .text(value)])
    }

    /// Replaces the channel report.
    static func write(_ channelReport: ChannelReport, _ database: any SQLDatabase) throws(ImpactError) {
        try database.execute("DELETE FROM \(report)")
        let insertion = try database.insertion(
            into: report, columns: ["channel_name", "date", "cost", "ihc", "ihc_revenue"], suffix: "")
        for line in channelReport.lines {
            try insertion.add([
                .text(line.channel), .text(CivilDay.text(line.day ?? 0)), .double(line.cost.amount),
                .double(line.credit), .double(line.revenue),
            ])
        }
        try insertion.finish()
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
