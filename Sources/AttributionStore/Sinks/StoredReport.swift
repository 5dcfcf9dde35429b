import Attribution
import Base

/// The channel report as a run stored it.
package enum StoredReport {
    /// What the last run that filled the tables said of itself; nil where it said nothing.
    package static func lastRun(_ database: any SQLDatabase) throws(ImpactError) -> LastRun {
        guard try !database.columns(of: ResultTables.state).isEmpty else { return LastRun() }
        return LastRun(
            model: try ResultTables.state("model", database),
            latestConversion: try ResultTables.state("watermark", database).flatMap { Int64($0) },
            asked: try ResultTables.state("asked", database),
            notes: try ResultTables.state("notes", database)?.split(separator: "\n").map(String.init) ?? [])
    }

    package struct LastRun {
        package var model: String?
        package var latestConversion: Int64?
        /// The options that it was asked with, as JSON.
        package var asked: String?
        /// What a reader should know first.
        package var notes: [String] = []
    }

    package static func read(_ database: any SQLDatabase) throws(ImpactError) -> ChannelReport {
        guard try !database.columns(of: ResultTables.report).isEmpty else {
            throw ImpactError(
                .badInput, code: "no_report",
                "\(database.place) has no channel_reporting: make it with 'impactiq attribute run'")
        }
        var report = ChannelReport()
        let rows = try database.query(
            "SELECT channel_name, CAST(date AS TEXT), cost, ihc, ihc_revenue FROM \(ResultTables.report)", [])
        while try rows.next() {
            guard let day = CivilDay.parse(rows.text(1) ?? "") else { continue }
            let name = rows.text(0) ?? ""
            report.add(channel: name, day: day, cost: Money(rows.double(2) ?? 0) ?? .zero)
            report.add(
                channel: name, day: day, storedCredit: rows.double(3) ?? 0, storedRevenue: rows.double(4) ?? 0)
        }
        guard try !database.columns(of: ResultTables.incremental).isEmpty else { return report }
        let effects = try database.query(
            """
            SELECT channel_name, CAST(date AS TEXT), scored_sessions, incremental, incremental_std_error \
            FROM \(ResultTables.incremental)
            """, [])
        while try effects.next() {
            guard let day = CivilDay.parse(effects.text(1) ?? "") else { continue }
            report.add(
                channel: effects.text(0) ?? "", day: day, scored: Int(effects.double(2) ?? 0),
                incremental: effects.double(3) ?? 0, error: effects.double(4) ?? 0)
        }
        return report
    }
}
