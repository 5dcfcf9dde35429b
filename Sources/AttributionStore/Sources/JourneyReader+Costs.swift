import Attribution
import Base

extension JourneyReader {
    /// Adds the costs of all sessions, whether they led to a conversion or not, and those that are stated by channel and day.
    ///
    /// - Parameters:
    ///   - days: only the stated costs of these days; nil for all.
    ///   - hasDuplicates: whether ids of sessions may stand there more than once; the search for them is not free.
    package func addCosts(
        to report: inout ChannelReport, of days: Set<String>? = nil, hasDuplicates: Bool = true
    ) throws(ImpactError) {
        counts.missingCosts = 0
        counts.negativeCosts = .init()
        if let days {
            for day in days.sorted() { try addStatedCosts(to: &report, " WHERE date = $1", [.text(day)]) }
            return
        }
        let hasTable = try !database.columns(of: "session_costs").isEmpty
        if hasTable { try addSessionCosts(to: &report, hasDuplicates: hasDuplicates) }
        let stated = try addStatedCosts(to: &report, "", [])
        counts.hasNoCosts = !hasTable && stated == 0
    }

    private func addSessionCosts(to report: inout ChannelReport, hasDuplicates: Bool) throws(ImpactError) {
        // What is spent in all; what of it no session places is counted apart.
        let columns = try database.columns(of: "session_costs")
        for column in ["session_id", "cost"] where !columns.contains(column) {
            throw ImpactError(
                .badInput, code: "table_missing",
                "\(database.place) has no session_costs.\(column): costs of sessions stand in session_costs (session_id, cost)"
            )
        }
        let all = try database.query(
            "SELECT cost, \(columns.contains("currency") ? "currency" : "NULL") FROM session_costs", [])
        var unplaced = ReadingCounts.Amounts()
        while try all.next() {
            guard all.text(0) != nil, let cost = try spent(all.text(0), all.double(0), all.text(1)) else { continue }
            unplaced += cost
        }
        let shared = try sharedIDs().sessions
        let rows = try SessionRows(database, .all, .costs(once: hasDuplicates))
        while try rows.cursor.next() {
            guard let reading = settings.clock.read(date: rows.text(.date), time: rows.text(.time)),
                shared.isOf(rows.text(.user) ?? "", rows.text(.id) ?? "")
            else { continue }
            let before = counts
            let name = channel(rows)
            let cost = try spent(rows.text(.cost), rows.double(.cost), rows.text(.costCurrency))
            counts = before
            if rows.text(.cost) == nil {
                counts.missingCosts += 1
            } else if let cost {
                unplaced.rows -= 1
                unplaced.sum = unplaced.sum - cost
            }
            report.add(channel: name, day: reading.day, cost: cost ?? .zero)
        }
        counts.unplacedCosts = unplaced
    }

    /// - Returns: how many rows were read.
    @discardableResult
    private func addStatedCosts(
        to report: inout ChannelReport, _ condition: String, _ parameters: [SQLValue]
    ) throws(ImpactError) -> Int {
        let columns = try database.columns(of: "ad_costs")
        guard !columns.isEmpty else { return 0 }
        func column(_ name: String) -> String { columns.contains(name) ? name : "NULL" }
        let rows = try database.query(
            """
            SELECT \(column("channel_name")), CAST(date AS TEXT), amount, \(column("currency")), \(column("campaign")) \
            FROM ad_costs\(condition)
            """, parameters)
        var count = 0
        while try rows.next() {
            count += 1
            guard let day = settings.clock.read(date: rows.text(1), time: nil)?.day else {
                counts.costsWithoutDay += 1
                continue
            }
            guard let cost = try spent(rows.text(2), rows.double(2), rows.text(3)) else { continue }
            let named = rows.text(0).flatMap { $0.isEmpty ? nil : $0 }
            let ruled = settings.rules.channel(campaign: rows.text(4), source: nil, medium: nil)
            let known = (named ?? ruled).flatMap {
                settings.knownChannels.isEmpty || settings.knownChannels.contains($0) ? $0 : nil
            }
            if known == nil { counts.unknownCosts += cost }
            report.add(channel: known ?? Self.unknownChannel, day: day, cost: cost)
        }
        return count
    }

    /// What something cost; nil for a negative amount, which is counted.
    private func spent(_ text: String?, _ amount: Double?, _ currency: String?) throws(ImpactError) -> Money? {
        let cost = try money(text, amount, currency)
        guard cost.micros < 0 else { return cost }
        counts.negativeCosts += cost
        return nil
    }

    /// Counts the refunds that no conversion takes.
    package func countRefunds() throws(ImpactError) {
        let columns = try database.columns(of: "refunds")
        guard !columns.isEmpty else { return }
        let currency = columns.contains("currency") ? "r.currency" : "NULL"
        let rows = try database.query(
            """
            SELECT r.amount, \(currency), CASE WHEN o.conv_id IS NULL THEN 1 ELSE 0 END FROM refunds r \
            LEFT JOIN (SELECT DISTINCT conv_id FROM conversions) o ON o.conv_id = r.conv_id
            """, [])
        while try rows.next() {
            guard let text = rows.text(0), !text.isEmpty, let amount = rows.double(0), Money(amount) != nil else {
                counts.unreadableAmounts += 1
                continue
            }
            guard rows.double(2) == 1 else { continue }
            counts.refundsWithoutConversion += try money(text, abs(amount), rows.text(1))
        }
    }
}
