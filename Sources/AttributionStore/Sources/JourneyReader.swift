import Attribution
import Base
import Foundation

/// How a team's tables are read.
package struct ReadingSettings {
    package var journeys = JourneySettings()
    package var clock: LocalClock
    package var rules = ChannelRules()
    package var currencies = Currencies()
    /// The only channels that are known; none means that any name is a channel.
    package var knownChannels: Set<String> = []

    package init(clock: LocalClock) { self.clock = clock }

    /// The channel of a session; nil for one that is empty or not known.
    func channel(_ name: String?, campaign: String?, source: String?, medium: String?) -> String? {
        let ruled = rules.isEmpty ? nil : rules.channel(campaign: campaign, source: source, medium: medium)
        guard let name = ruled ?? name, !name.isEmpty, knownChannels.isEmpty || knownChannels.contains(name) else {
            return nil
        }
        return name
    }

    /// An amount in the report's currency; nil for what no sum holds.
    mutating func money(_ amount: Double, _ currency: String?) throws(ImpactError) -> Money? {
        Money(try currencies.convert(amount, currency))
    }
}

/// Journeys out of the tables `session_sources` and `conversions`, user by user, in bounded memory: both are read in the order
/// of the user, and only one user's rows are held at a time.
package final class JourneyReader {
    package static let unknownChannel = "(unknown)"

    package var settings: ReadingSettings
    package private(set) var counts = ReadingCounts()
    package private(set) var journeyCounts = JourneyCounts()
    package var channels: ChannelTable
    private let database: any SQLDatabase
    /// Is called with all sessions of each user, each once.
    var eachUser: (([Touch]) -> Void)?
    private var shared = SharedIDs()
    /// Where uplift scores are, in a table `scores` as the log store has it.
    private let scores: (any SQLDatabase)?

    package init(
        _ database: any SQLDatabase, _ settings: ReadingSettings, channels: ChannelTable,
        scores: (any SQLDatabase)? = nil
    ) {
        self.scores = scores
        self.database = database
        self.settings = settings
        self.channels = channels
    }

    /// Calls `body` with every journey.
    ///
    /// - Parameter progress: is told how many sessions were read.
    package func forEachJourney(
        of scope: JourneyScope = .all, progress: ((Int) -> Void)? = nil, _ body: (Journey) throws(ImpactError) -> Void
    ) throws(ImpactError) {
        counts = ReadingCounts()
        var builder = JourneyBuilder(settings.journeys)
        let sessions = try SessionRows(database, scope)
        let conversions = try ConversionRows(database, scope)
        let scored = try scores.map { (database) throws(ImpactError) in try ScoreRows(database) }
        shared = try SharedIDs(database)
        var touches: [Touch] = []
        var orders: [Conversion] = []
        var session = try next(sessions)
        var conversion = try next(conversions)
        var read = 0
        while session != nil || conversion != nil {
            // By bytes, as the databases sort.
            let user = Self.lesser(session?.user, conversion?.user)
            touches.removeAll(keepingCapacity: true)
            orders.removeAll(keepingCapacity: true)
            while let row = session, row.user.utf8.elementsEqual(user.utf8) {
                touches.append(row.touch)
                session = try next(sessions)
                read += 1
                if read & 0xFFFF == 0 { progress?(read) }
            }
            while let row = conversion, row.user.utf8.elementsEqual(user.utf8) {
                orders.append(row.conversion)
                conversion = try next(conversions)
            }
            if let scored { try scored.attach(to: &touches, of: user, clock: &settings.clock, counts: &counts) }
            try builder.journeys(sessions: &touches, conversions: &orders, body)
            eachUser?(touches)
        }
        journeyCounts = builder.counts
        try countRefunds(scope)
    }

    private func countRefunds(_ scope: JourneyScope) throws(ImpactError) {
        guard scope == .all, try !database.columns(of: "refunds").isEmpty else { return }
        let stray = try database.value(
            "SELECT count(*) FROM refunds WHERE conv_id IS NULL OR \(database.asText("conv_id")) NOT IN (SELECT "
                + "\(database.asText("conv_id")) FROM conversions WHERE conv_id IS NOT NULL)")
        counts.refundsWithoutConversion = stray.flatMap { Int($0) } ?? 0
        let rows = try database.query("SELECT amount FROM refunds", [])
        while try rows.next() { if rows.double(0)?.isFinite != true { counts.unreadableAmounts += 1 } }
    }

    private static func lesser(_ a: String?, _ b: String?) -> String {
        guard let a else { return b ?? "" }
        guard let b else { return a }
        return a.utf8.lexicographicallyPrecedes(b.utf8) ? a : b
    }

    // MARK: Rows

    private func next(_ rows: SessionRows) throws(ImpactError) -> (user: String, touch: Touch)? {
        while try rows.cursor.next() {
            guard let user = rows.text(.user), !user.isEmpty else {
                counts.sessionsWithoutUser += 1
                continue
            }
            let (date, time) = (rows.text(.date), rows.text(.time))
            guard let id = rows.text(.id), !id.isEmpty else {
                counts.sessionsWithoutID += 1
                continue
            }
            guard let reading = settings.clock.read(date: date, time: time) else {
                counts.sessionsWithUnreadableTime += 1
                if counts.firstUnreadableSession == nil {
                    counts.firstUnreadableSession = "\(date ?? "") \(time ?? "")"
                }
                continue
            }
            guard shared.isOwner(user, ofSession: id) else {
                counts.sharedSessions += 1
                continue
            }
            note(reading)
            var flags: Touch.Flags = []
            // A table without the columns says nothing about engagement: then every session has it.
            if rows.flag(.holder) ?? true { flags.insert(.holderEngagement) }
            if rows.flag(.closer) ?? true { flags.insert(.closerEngagement) }
            if rows.flag(.impression) ?? false { flags.insert(.impression) }
            var touch = Touch(
                session: id, channel: channels.number(of: channel(rows)), time: reading.time, day: reading.day,
                flags: flags)
            if let uplift = rows.double(.uplift) {
                touch.uplift = Float(uplift)
                touch.upliftError = Float(rows.double(.upliftError) ?? .nan)
            }
            return (user, touch)
        }
        return nil
    }

    private func channel(_ rows: SessionRows) -> String {
        let hasRules = !settings.rules.isEmpty
        if let name = settings.channel(
            rows.text(.channel), campaign: hasRules ? rows.text(.campaign) : nil,
            source: hasRules ? rows.text(.source) : nil, medium: hasRules ? rows.text(.medium) : nil)
        {
            return name
        }
        counts.unknownChannel += 1
        return Self.unknownChannel
    }

    private func next(_ rows: ConversionRows) throws(ImpactError) -> (user: String, conversion: Conversion)? {
        while try rows.cursor.next() {
            guard let user = rows.cursor.text(1), !user.isEmpty else {
                counts.conversionsWithoutUser += 1
                continue
            }
            let (date, time) = (rows.cursor.text(2), rows.cursor.text(3))
            guard let id = rows.cursor.text(0), !id.isEmpty else {
                counts.conversionsWithoutID += 1
                continue
            }
            guard let reading = settings.clock.read(date: date, time: time) else {
                counts.conversionsWithUnreadableTime += 1
                if counts.firstUnreadableConversion == nil {
                    counts.firstUnreadableConversion = "\(date ?? "") \(time ?? "")"
                }
                continue
            }
            guard shared.isOwner(user, ofConversion: id) else {
                counts.sharedConversions += 1
                continue
            }
            if (rows.cursor.text(4) ?? "").isEmpty { counts.missingRevenues += 1 }
            note(reading)
            let revenue = try money(rows.cursor.text(4), rows.cursor.double(4), rows.cursor.text(5))
            if revenue.micros < 0 {
                counts.negativeRevenues += 1
                counts.negativeRevenue += revenue
                continue
            }
            let stated = max(.zero, try money(rows.cursor.text(6), rows.cursor.double(6), rows.cursor.text(5)))
            let refund = min(revenue, stated)
            if stated > revenue { counts.refundsAboveRevenue += 1 }
            counts.refunded += refund
            counts.latest = max(counts.latest ?? .min, reading.time)
            return (user, Conversion(id: id, time: reading.time, day: reading.day, revenue: revenue - refund))
        }
        return nil
    }

    /// An amount in the report's currency; a missing one is 0.
    private func money(_ text: String?, _ amount: Double?, _ currency: String?) throws(ImpactError) -> Money {
        guard let text, !text.isEmpty else { return .zero }
        guard let amount, let money = try settings.money(amount, currency) else {
            counts.unreadableAmounts += 1
            return .zero
        }
        return money
    }

    private func note(_ reading: LocalClock.Reading) {
        switch reading.oddity {
        case .none: break
        case .inGap: counts.timesInClockGap += 1
        case .repeated: counts.timesRepeatedByClock += 1
        }
    }

    // MARK: Costs

    /// Adds the costs of all sessions, whether they led to a conversion or not, and those that are stated by channel and day.
    ///
    /// - Parameters:
    ///   - days: only the stated costs of these days; nil for all.
    ///   - hasDuplicates: whether ids of sessions may stand there more than once; the search for them is not free.
    package func addCosts(
        to report: inout ChannelReport, of days: Set<String>? = nil, hasDuplicates: Bool = true
    ) throws(ImpactError) {
        counts.missingCosts = 0
        counts.negativeCosts = 0
        counts.costsWithoutChannel = 0
        if let days {
            for day in days.sorted() { try addStatedCosts(to: &report, " WHERE date = $1", [.text(day)]) }
            return
        }
        let known = try database.columns(of: "session_costs")
        if known.isEmpty {
            // Where no cost is stated at all, that is a word too.
            if try database.columns(of: "ad_costs").isEmpty { counts.missingCosts = journeyCounts.sessions }
        } else {
            guard known.contains("cost") else {
                throw ImpactError(
                    .badInput, code: "table_missing",
                    "\(database.place) has no session_costs.cost: costs need session_id and cost")
            }
            var placed = 0
            let rows = try SessionRows(database, .all, .costs(once: hasDuplicates))
            while try rows.cursor.next() {
                guard let reading = settings.clock.read(date: rows.text(.date), time: rows.text(.time)) else {
                    continue
                }
                let before = counts
                let name = channel(rows)
                counts = before
                if rows.text(.costSession) != nil { placed += 1 }
                guard rows.text(.cost) != nil else {
                    counts.missingCosts += 1
                    report.add(channel: name, day: reading.day, cost: .zero)
                    continue
                }
                try add(rows.text(.cost), rows.double(.cost), rows.text(.costCurrency), name, reading.day, &report)
            }
            let all = try database.value("SELECT count(*) FROM session_costs").flatMap { Int($0) } ?? 0
            counts.costsWithoutSession = max(0, all - placed)
        }
        try addStatedCosts(to: &report, "", [])
    }

    private func addStatedCosts(
        to report: inout ChannelReport, _ condition: String, _ parameters: [SQLValue]
    ) throws(ImpactError) {
        let columns = try database.columns(of: "ad_costs")
        guard !columns.isEmpty else { return }
        func column(_ name: String) -> String { columns.contains(name) ? name : "NULL" }
        let rows = try database.query(
            """
            SELECT \(column("channel_name")), CAST(date AS TEXT), amount, \(column("currency")), \(column("campaign")) \
            FROM ad_costs\(condition)
            """, parameters)
        while try rows.next() {
            guard let day = settings.clock.read(date: rows.text(1), time: nil)?.day else {
                counts.unreadableAmounts += 1
                continue
            }
            let named = rows.text(0).flatMap { $0.isEmpty ? nil : $0 }
            let ruled = settings.rules.channel(campaign: rows.text(4), source: nil, medium: nil)
            if named == nil, ruled == nil { counts.costsWithoutChannel += 1 }
            try add(rows.text(2), rows.double(2), rows.text(3), named ?? ruled ?? Self.unknownChannel, day, &report)
        }
    }

    private func add(
        _ text: String?, _ amount: Double?, _ currency: String?, _ channel: String, _ day: Int32,
        _ report: inout ChannelReport
    ) throws(ImpactError) {
        let cost = try money(text, amount, currency)
        guard cost.micros >= 0 else {
            counts.negativeCosts += 1
            return
        }
        report.add(channel: channel, day: day, cost: cost)
    }

    /// Adds credit that is stored, with the revenue that its conversions have by now.
    package func addStoredCredit(to report: inout ChannelReport) throws(ImpactError) {
        let rows = try SessionRows(database, .all, .credit)
        while try rows.cursor.next() {
            guard let reading = settings.clock.read(date: rows.text(.date), time: rows.text(.time)) else { continue }
            let before = counts
            let name = channel(rows)
            let revenue = try money(rows.text(.revenue), rows.double(.revenue), rows.text(.currency))
            let refund = min(
                revenue, max(.zero, try money(rows.text(.refund), rows.double(.refund), rows.text(.currency))))
            counts = before
            report.add(
                channel: name, day: reading.day, units: Credit.units(rows.double(.credit) ?? 0),
                revenue: revenue - refund)
        }
    }
}
