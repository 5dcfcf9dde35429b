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
    package internal(set) var counts = ReadingCounts()
    package private(set) var journeyCounts = JourneyCounts()
    package var channels: ChannelTable
    let database: any SQLDatabase
    /// Is called with all sessions of each user, each once.
    var eachUser: (([Touch]) -> Void)?
    /// Milliseconds since 1970: nothing goes on from a conversion that is still to come.
    let now = Int64(Date().timeIntervalSince1970 * 1_000)
    /// Where uplift scores are, in a table `scores` as the log store has it.
    private let scores: (any SQLDatabase)?
    /// Looked for once: the whole table is read for it.
    private var shared: (sessions: SharedIDs, conversions: SharedIDs)?
    private var sharedLeftOut = (sessions: 0, conversions: 0)

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
        sharedLeftOut = (0, 0)
        let shared = try sharedIDs()
        var builder = JourneyBuilder(settings.journeys)
        let sessions = try SessionRows(database, scope)
        let conversions = try ConversionRows(database, scope)
        let scored = try scores.map { (database) throws(ImpactError) in try ScoreRows(database) }
        var touches: [Touch] = []
        var names: [String] = []
        var orders: [Conversion] = []
        var session = try next(sessions)
        var conversion = try next(conversions)
        var read = 0
        while session != nil || conversion != nil {
            // By bytes, as the databases sort.
            let user = Self.lesser(session?.user, conversion?.user)
            touches.removeAll(keepingCapacity: true)
            orders.removeAll(keepingCapacity: true)
            names.removeAll(keepingCapacity: true)
            while let row = session, row.user.utf8.elementsEqual(user.utf8) {
                if shared.sessions.isOf(user, row.touch.session) {
                    touches.append(row.touch)
                    touches[touches.count - 1].channel = Int32(names.count)
                    names.append(row.channel)
                } else {
                    sharedLeftOut.sessions += 1
                }
                session = try next(sessions)
                read += 1
                if read & 0xFFFF == 0 { progress?(read) }
            }
            while let row = conversion, row.user.utf8.elementsEqual(user.utf8) {
                if shared.conversions.isOf(user, row.conversion.id) {
                    orders.append(row.conversion)
                } else {
                    sharedLeftOut.conversions += 1
                }
                conversion = try next(conversions)
            }
            number(&touches, names)
            if let scored { try scored.attach(to: &touches, of: user, clock: &settings.clock, counts: &counts) }
            try builder.journeys(sessions: &touches, conversions: &orders, body)
            eachUser?(touches)
        }
        journeyCounts = builder.counts
        journeyCounts.duplicateSessions += sharedLeftOut.sessions
        journeyCounts.duplicateConversions += sharedLeftOut.conversions
    }

    /// A table in which an id stands more than once; nil for none. Tables with a key are not searched.
    func tableWithRepeatedIDs() throws(ImpactError) -> String? {
        for (table, columns) in [("conversions", ["conv_id"]), ("session_sources", ["session_id", "user_id"])] {
            let keys = try database.uniqueKeys(of: table)
            if keys.contains(where: { Set($0).isSubset(of: columns) }) { continue }
            let names = columns.joined(separator: ", ")
            let found = try database.value("SELECT 1 FROM \(table) GROUP BY \(names) HAVING count(*) > 1 LIMIT 1")
            if found != nil { return table }
        }
        return nil
    }

    func sharedIDs() throws(ImpactError) -> (sessions: SharedIDs, conversions: SharedIDs) {
        if let shared { return shared }
        let found = (
            sessions: try SharedIDs(sessionsOf: database, clock: settings.clock),
            conversions: try SharedIDs(conversionsOf: database, clock: settings.clock)
        )
        shared = found
        return found
    }

    /// Brings a user's sessions in order and numbers their channels, so that neither depends on the order of the rows.
    private func number(_ touches: inout [Touch], _ names: [String]) {
        func precedes(_ a: Touch, _ b: Touch) -> Bool {
            if a.time != b.time { return a.time < b.time }
            if a.session != b.session { return a.session < b.session }
            let (x, y) = (names[Int(a.channel)], names[Int(b.channel)])
            return x != y ? x < y : a.flags.rawValue > b.flags.rawValue
        }
        touches.sort(by: precedes)
        for index in touches.indices {
            touches[index].channel = channels.number(of: names[Int(touches[index].channel)])
        }
    }

    private static func lesser(_ a: String?, _ b: String?) -> String {
        guard let a else { return b ?? "" }
        guard let b else { return a }
        return a.utf8.lexicographicallyPrecedes(b.utf8) ? a : b
    }

    // MARK: Rows

    private func next(_ rows: SessionRows) throws(ImpactError) -> (user: String, channel: String, touch: Touch)? {
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
                if counts.firstUnreadableSession == nil { counts.firstUnreadableSession = Self.moment(date, time) }
                continue
            }
            note(reading)
            var flags: Touch.Flags = []
            // A table without the columns says nothing about engagement: then every session has it.
            if rows.flag(.holder) ?? true { flags.insert(.holderEngagement) }
            if rows.flag(.closer) ?? true { flags.insert(.closerEngagement) }
            if rows.flag(.impression) ?? false { flags.insert(.impression) }
            var touch = Touch(session: id, channel: -1, time: reading.time, day: reading.day, flags: flags)
            if let uplift = rows.double(.uplift) {
                touch.uplift = Float(uplift)
                touch.upliftError = Float(rows.double(.upliftError) ?? .nan)
            }
            return (user, channel(rows), touch)
        }
        return nil
    }

    private static func moment(_ date: String?, _ time: String?) -> String {
        [date, time].compactMap { $0 }.joined(separator: " ")
    }

    func channel(_ rows: SessionRows) -> String {
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
                    counts.firstUnreadableConversion = Self.moment(date, time)
                }
                continue
            }
            note(reading)
            let stated = rows.cursor.text(4)
            if stated?.isEmpty ?? true { counts.missingRevenues += 1 }
            let revenue = try money(stated, rows.cursor.double(4), rows.cursor.text(5))
            if revenue.micros < 0 {
                counts.negativeRevenues += revenue
                continue
            }
            let asked = max(.zero, try money(rows.cursor.text(6), rows.cursor.double(6), rows.cursor.text(5)))
            let refund = min(revenue, asked)
            if asked > refund { counts.refundedBeyond += asked - refund }
            counts.refunded += refund
            if reading.time > now {
                counts.conversionsAhead += 1
            } else {
                counts.latest = max(counts.latest ?? .min, reading.time)
            }
            return (user, Conversion(id: id, time: reading.time, day: reading.day, revenue: revenue - refund))
        }
        return nil
    }

    /// An amount in the report's currency; a missing one is 0.
    func money(_ text: String?, _ amount: Double?, _ currency: String?) throws(ImpactError) -> Money {
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
