import Attribution
import Base

/// The exact sums behind the channel report of a stream, by channel and day, so that a step changes only the channels and days
/// of its users: what they had goes out, what they have now comes in. Integers, so that no order of steps leaves a trace.
///
/// Sums have two parts. *Live* is what the stored credit gives, and could be summed again at any time. *Erased* is what users
/// who were erased left behind: it names nobody, and nothing can tell it apart any more.
struct ChannelSums {
    private static let table = "impactiq_channel_sums"
    private static let columns = [
        "channel_name", "date", "part", "credit_rows", "cost_rows", "scored", "cost", "credit", "revenue", "uplift",
        "uplift_error",
    ]

    private enum Part: String, CaseIterable { case live, erased }

    static func create(_ database: any SQLDatabase) throws(ImpactError) {
        // 128-bit integers as text: no number of a database holds them.
        try database.execute(
            """
            CREATE TABLE IF NOT EXISTS \(table) (channel_name TEXT NOT NULL, date TEXT NOT NULL, part TEXT NOT NULL, \
            credit_rows BIGINT NOT NULL, cost_rows BIGINT NOT NULL, scored BIGINT NOT NULL, cost BIGINT NOT NULL, \
            credit TEXT NOT NULL, revenue TEXT NOT NULL, uplift TEXT NOT NULL, uplift_error TEXT NOT NULL, \
            PRIMARY KEY (date, channel_name, part))\(database.clusters)
            """)
    }

    private let database: any SQLDatabase
    /// The sums of the days that were read, by part, channel and day.
    private var known: [Part: [String: ChannelReport.Line]] = [:]

    private init(_ database: any SQLDatabase) { self.database = database }

    private static func key(_ line: ChannelReport.Line) -> String { "\(line.day ?? 0) \(line.channel)" }

    /// Adds changes, which may be negative, and states the sums that changed in the channel report.
    ///
    /// - Parameters:
    ///   - costDays: days whose costs `changes` states anew, instead of adding to them.
    /// - Returns: how many channels and days changed.
    static func add(
        _ changes: ChannelReport, costDays: Set<String>, _ database: any SQLDatabase
    ) throws(ImpactError) -> Int {
        var sums = ChannelSums(database)
        let lines = changes.lines
        try sums.read(Set(lines.map { $0.day ?? 0 }).union(costDays.compactMap { CivilDay.parse($0) }))
        var changed: Set<String> = []
        for (key, line) in sums.known[.live] ?? [:]
        where line.costRows > 0 && costDays.contains(CivilDay.text(line.day ?? 0)) {
            sums.known[.live]?[key]?.cost = .zero
            sums.known[.live]?[key]?.costRows = 0
            changed.insert(key)
        }
        for line in lines {
            sums.add(line, .live)
            changed.insert(key(line))
        }
        try sums.write(changed)
        return changed.count
    }

    /// Moves what a user had from the live part to the erased one: the report stays as it is.
    static func leave(_ stored: ChannelReport, _ database: any SQLDatabase) throws(ImpactError) {
        var sums = ChannelSums(database)
        let lines = stored.lines
        try sums.read(Set(lines.map { $0.day ?? 0 }))
        for line in lines {
            sums.add(-line, .live)
            sums.add(line, .erased)
        }
        try sums.write(Set(lines.map(key)))
    }

    /// States the whole report anew; what erased users left behind stays in it.
    static func replace(_ live: ChannelReport, _ database: any SQLDatabase) throws(ImpactError) {
        try database.run("DELETE FROM \(table) WHERE part = $1", [.text(Part.live.rawValue)])
        try database.execute("DELETE FROM \(ResultTables.report)")
        try database.execute("DELETE FROM \(ResultTables.incremental)")
        var sums = ChannelSums(database)
        try sums.read(nil)
        var changed = Set((sums.known[.erased] ?? [:]).keys)
        for line in live.lines {
            sums.add(line, .live)
            changed.insert(key(line))
        }
        try sums.write(changed)
    }

    private mutating func add(_ line: ChannelReport.Line, _ part: Part) {
        known[part, default: [:]][Self.key(line), default: .init(channel: line.channel, day: line.day)] += line
    }

    /// - Parameter days: nil for all.
    private mutating func read(_ days: Set<Int32>?) throws(ImpactError) {
        guard let days else { return try read(where: "", []) }
        let texts = days.map(CivilDay.text)
        for start in stride(from: 0, to: texts.count, by: 400) {
            let piece = texts[start..<min(texts.count, start + 400)]
            let places = piece.indices.map { "$\($0 - start + 1)" }.joined(separator: ",")
            try read(where: " WHERE date IN (\(places))", piece.map { .text($0) })
        }
    }

    private mutating func read(where condition: String, _ parameters: [SQLValue]) throws(ImpactError) {
        let rows = try database.query(
            "SELECT \(Self.columns.joined(separator: ", ")) FROM \(Self.table)\(condition)", parameters)
        while try rows.next() {
            guard let channel = rows.text(0), let day = rows.text(1).flatMap({ CivilDay.parse($0) }),
                let part = rows.text(2).flatMap({ Part(rawValue: $0) })
            else { continue }
            func number<Number: FixedWidthInteger>(_ column: Int) -> Number {
                rows.text(column).flatMap { Number($0) } ?? 0
            }
            var line = ChannelReport.Line(channel: channel, day: day)
            line.creditRows = number(3)
            line.costRows = number(4)
            line.scored = number(5)
            line.cost = Money(micros: number(6))
            line.creditUnits = number(7)
            line.revenueUnits = number(8)
            line.upliftUnits = number(9)
            line.upliftErrorUnits = number(10)
            add(line, part)
        }
    }

    /// Writes the sums of some channels and days, and their rows of the report.
    private func write(_ keys: Set<String>) throws(ImpactError) {
        let assigned = Self.columns.dropFirst(3).map { "\($0) = excluded.\($0)" }.joined(separator: ", ")
        let insertion = try database.insertion(
            into: Self.table, columns: Self.columns,
            suffix: "ON CONFLICT (date, channel_name, part) DO UPDATE SET \(assigned)")
        let report = try ResultTables.Writer(database, replaces: true)
        for key in keys.sorted() {
            var whole: ChannelReport.Line?
            for part in Part.allCases {
                guard let line = known[part]?[key] else { continue }
                if whole == nil { whole = line } else { whole? += line }
                if line.isEmpty {
                    try database.run(
                        "DELETE FROM \(Self.table) WHERE date = $1 AND channel_name = $2 AND part = $3",
                        [.text(CivilDay.text(line.day ?? 0)), .text(line.channel), .text(part.rawValue)])
                    continue
                }
                try insertion.add([
                    .text(line.channel), .text(CivilDay.text(line.day ?? 0)), .text(part.rawValue),
                    .integer(Int64(line.creditRows)), .integer(Int64(line.costRows)), .integer(Int64(line.scored)),
                    .integer(line.cost.micros), .text(String(line.creditUnits)), .text(String(line.revenueUnits)),
                    .text(String(line.upliftUnits)), .text(String(line.upliftErrorUnits)),
                ])
            }
            if let whole { try report.add(whole) }
        }
        try insertion.finish()
        try report.finish()
    }
}
