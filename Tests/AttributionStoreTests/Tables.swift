import Attribution
import AttributionStore
import Base
import Foundation
import Statistics

/// A team's tables as rows of text, and the ways to write them.
struct Tables {
    var sessions: [[String?]] = []
    var conversions: [[String?]] = []
    var costs: [[String?]] = []

    static let sessionColumns = [
        "session_id", "user_id", "event_date", "event_time", "channel_name", "holder_engagement", "closer_engagement",
        "impression_interaction",
    ]
    static let conversionColumns = ["conv_id", "user_id", "conv_date", "conv_time", "revenue"]

    init() {}

    /// Random users over two weeks.
    init(seed: UInt64, users: Int = 120) {
        var random = RandomStream(seed: seed, lane: 40)
        let names = ["Paid Search", "Direct Traffic", "Newsletter & Email", "Social, \"organic\"", "Referral"]
        func time() -> (String, String) {
            let second = random.below(86_400)
            let text = String(format: "%02d:%02d:%02d", second / 3600, second / 60 % 60, second % 60)
            return (CivilDay.text(20_000 + Int32(random.below(14))), text)
        }
        for user in 0..<users {
            for index in 0..<(1 + random.below(6)) {
                let (day, clock) = time()
                let id = "s\(user)-\(index)"
                sessions.append([
                    id, "user é\(user)", day, clock, names[random.below(names.count)], "\(random.below(2))",
                    "\(random.below(2))", "0",
                ])
                if random.happens(0.7) { costs.append([id, "\(Double(random.below(500)) / 100)"]) }
            }
            for index in 0..<random.below(3) {
                let (day, clock) = time()
                conversions.append([
                    "c\(user)-\(index)", "user é\(user)", day, clock, "\(Double(random.below(20_000)) / 100)",
                ])
            }
        }
    }

    func write(_ database: any SQLDatabase, dates: Bool = false) throws {
        let date = dates ? "DATE" : "TEXT"
        try database.execute(
            """
            CREATE TABLE session_sources (session_id TEXT PRIMARY KEY, user_id TEXT, event_date \(date), event_time TEXT, \
            channel_name TEXT, holder_engagement INTEGER, closer_engagement INTEGER, impression_interaction INTEGER)
            """)
        try database.execute(
            """
            CREATE TABLE conversions (conv_id TEXT PRIMARY KEY, user_id TEXT, conv_date \(date), conv_time TEXT, \
            revenue DOUBLE PRECISION)
            """)
        try database.execute("CREATE TABLE session_costs (session_id TEXT, cost DOUBLE PRECISION)")
        try insert(database, "session_sources", Self.sessionColumns, sessions)
        try insert(database, "conversions", Self.conversionColumns, conversions)
        try insert(database, "session_costs", ["session_id", "cost"], costs)
    }

    func insert(_ database: any SQLDatabase, _ table: String, _ columns: [String], _ rows: [[String?]]) throws {
        try database.transaction(writing: true) { () throws(ImpactError) in
            let insertion = try database.insertion(into: table, columns: columns, suffix: "")
            for row in rows {
                try insertion.add(
                    row.map { text -> SQLValue in if let text { .text(text) } else { .null } })
            }
            try insertion.finish()
        }
    }

    func writeCSV(_ folder: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        func file(_ name: String, _ columns: [String], _ rows: [[String?]]) throws {
            let lines = ([columns] + rows.map { $0.map { $0 ?? "" } }).map { row in
                row.map { "\"" + $0.replacing("\"", with: "\"\"") + "\"" }.joined(separator: ",")
            }
            try lines.joined(separator: "\n").write(toFile: folder + "/" + name, atomically: true, encoding: .utf8)
        }
        try file("session_sources.csv", Self.sessionColumns, sessions)
        try file("conversions.csv", Self.conversionColumns, conversions)
        try file("session_costs.csv", ["session_id", "cost"], costs)
    }

    static func reading() throws -> ReadingSettings {
        var settings = ReadingSettings(clock: try LocalClock(named: "UTC"))
        settings.journeys.lookback = 30 * 86_400_000
        return settings
    }
}

/// A folder that goes with the test.
final class Scratch {
    let path: String
    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "attribution-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
    func database(_ name: String = "team.db") throws -> SQLiteDatabase {
        try SQLiteDatabase(path: path + "/" + name, creates: true, lockWait: 300)
    }
}

/// The journeys of a source, comparable.
func journeys(_ database: any SQLDatabase) throws -> [String] {
    let reader = JourneyReader(database, try Tables.reading(), channels: ChannelTable())
    var lines: [String] = []
    try database.transaction(writing: false) { () throws(ImpactError) in
        try reader.forEachJourney { (journey) throws(ImpactError) in
            let touches = journey.touches.map {
                "\($0.session)/\(reader.channels[$0.channel])/\($0.time)/\($0.flags.rawValue)"
            }
            let revenue = journey.conversion?.revenue.micros ?? 0
            lines.append("\(journey.conversion?.id ?? "none") \(revenue) " + touches.joined(separator: " "))
        }
    }
    return lines.sorted()
}

func run(
    _ database: any SQLDatabase, _ kind: ModelKind = .ihc, since: Bool = false, out: (any SQLDatabase)? = nil,
    reading: ReadingSettings? = nil, answers: Bool = false
) throws -> AttributionRun.Outcome {
    var options = AttributionRun.Options()
    options.kind = kind
    options.since = since
    options.usesAnswers = answers
    return try AttributionRun(
        source: database, sink: out ?? database, reading: try reading ?? Tables.reading(), options: options,
        settingsText: kind.rawValue
    ).run()
}

/// Both result tables as text.
func results(_ database: any SQLDatabase) throws -> [String] {
    var lines: [String] = []
    let credit = try database.query(
        "SELECT conv_id, session_id, ihc FROM attribution_customer_journey ORDER BY 1, 2", [])
    while try credit.next() { lines.append("\(credit.text(0)!) \(credit.text(1)!) \(credit.double(2)!)") }
    let report = try database.query(
        "SELECT channel_name, CAST(date AS TEXT), cost, ihc, ihc_revenue FROM channel_reporting ORDER BY 1, 2", [])
    while try report.next() {
        lines.append(
            "\(report.text(0)!) \(report.text(1)!) \(report.double(2)!) \(report.double(3)!) \(report.double(4)!)")
    }
    return lines.sorted()
}
