import Attribution
import Base

/// What a step of a stream changes: the credit of conversions whose journeys are other ones than before, and with it the sums of
/// channels and days.
///
/// What a user had goes out of the sums as it is stored, what they have now comes in. Where neither their orders nor the sessions
/// before the last of them have changed, nothing is done.
final class FollowedCredit {
    private let database: any SQLDatabase
    private var settings: ReadingSettings
    private let initial: Currencies
    /// nil where the model learns from all journeys: then only what erased users leave behind is found here.
    private let model: (any CreditModel)?
    private let timeout: Int64
    private var channels = ChannelTable()
    private var writer: CreditWriter
    private var weights: [Double] = []
    private var units: [Int64] = []

    private var gone = ChannelReport()
    private var come = ChannelReport()
    /// What erased users leave behind.
    private(set) var left = ChannelReport()
    private(set) var attributed = 0
    /// The time of the latest conversion of this step.
    private(set) var latest: Int64?
    /// How far events were read, by partition: scores of events before that which are not there belong to nobody.
    private var next: [Int32: Int64] = [:]
    private var before: UserHistory?
    private var after: UserHistory?

    private typealias Share = (session: String, units: Int64)

    /// - Parameter timeout: milliseconds of silence that end a session.
    init(
        _ database: any SQLDatabase, _ settings: ReadingSettings, _ options: AttributionRun.Options, timeout: Int64
    ) throws(ImpactError) {
        self.database = database
        self.settings = settings
        self.timeout = timeout
        initial = settings.currencies
        model = AttributionModels(options.models, channels: &channels).rule(options.kind)
        writer = CreditWriter(database)
        try reset()
    }

    var learns: Bool { model == nil }

    /// Forgets what was done since the last step, which was undone or has ended.
    func reset() throws(ImpactError) {
        (gone, come, left) = (ChannelReport(), ChannelReport(), ChannelReport())
        (attributed, latest) = (0, nil)
        writer = CreditWriter(database)
        settings.currencies = initial
        // The one that amounts had so far: another one later is an error, as it is within one step.
        settings.currencies.seen = try ResultTables.state("currency", database)
    }

    /// - Parameter next: how far the events are read with this step.
    func hooks(next: [Int32: Int64]) -> EventLogs.Hooks {
        self.next = next
        return EventLogs.Hooks(
            willAppend: { [unowned self] (log, _) throws(ImpactError) in
                before = hasResults(log) ? log.history(timeout: timeout) : nil
                after = nil
            },
            didAppend: { [unowned self] (log, first, hasNewScores) throws(ImpactError) in
                guard hasResults(log) else { return }
                let history = log.history(timeout: timeout)
                after = history
                if model != nil, changes(log, first, hasNewScores, history) { try change(log, history) }
            },
            willErase: { [unowned self] (log) throws(ImpactError) in
                try leave(log)
                after = nil
            },
            strays: { [unowned self] log in
                (after?.strays ?? []).filter { log.scores[$0].offset < self.next[log.scores[$0].partition] ?? 0 }
            })
    }

    /// Ends the step's credit and gives the changes of the sums.
    ///
    /// - Parameter costDays: days whose stated costs are summed anew.
    func finish(costDays: Set<String>) throws(ImpactError) -> ChannelReport {
        try writer.flush()
        for line in gone.lines { come.add(-line) }
        let reader = JourneyReader(database, settings, channels: channels)
        try reader.addCosts(to: &come, of: costDays)
        settings.currencies = reader.settings.currencies
        try noteCurrency()
        return come
    }

    private func noteCurrency() throws(ImpactError) {
        guard let seen = settings.currencies.seen, try ResultTables.state("currency", database) != seen else { return }
        try ResultTables.setState("currency", seen, database)
    }

    private func hasResults(_ log: UserLog) -> Bool { log.purchases > 0 || !log.scores.isEmpty }

    /// Whether the credit or the effects may be other ones than before.
    private func changes(_ log: UserLog, _ first: Int, _ hasNewScores: Bool, _ now: UserHistory) -> Bool {
        guard let before, !hasNewScores, log.scores.isEmpty,
            !log.events[first...].contains(where: { $0.kind >= UserLog.Kind.purchase }),
            let last = now.orders.last.map({ log.events[$0.event].time })
        else { return true }
        func counting(_ history: UserHistory) -> ArraySlice<UserHistory.Session> {
            history.sessions.prefix { $0.start < last }
        }
        return !counting(before).elementsEqual(counting(now)) {
            $0.first == $1.first && $0.isEngaged == $1.isEngaged
        }
    }

    private func change(_ log: UserLog, _ now: UserHistory) throws(ImpactError) {
        var stored: [String: [Share]] = [:]
        if let before {
            stored = try credit(log, before)
            try add(stored, log, before, to: &gone)
        }
        addEffects(log, now, to: &come)
        var touches = now.sessions.map { session in
            let (channel, day) = place(log, session)
            var touch = Touch(
                session: log.string(log.events[session.first].id), channel: channels.number(of: channel),
                time: session.start, day: day,
                flags: session.isEngaged ? [.holderEngagement, .closerEngagement] : [.impression])
            (touch.uplift, touch.upliftError) = (session.uplift, session.upliftError)
            return touch
        }
        var conversions: [Conversion] = []
        for order in now.orders {
            guard let revenue = try revenue(log, order) else { continue }
            let event = log.events[order.event]
            latest = max(latest ?? .min, event.time)
            conversions.append(Conversion(id: log.string(event.id), time: event.time, revenue: revenue))
        }
        var builder = JourneyBuilder(settings.journeys)
        try builder.journeys(sessions: &touches, conversions: &conversions) { (journey) throws(ImpactError) in
            guard let conversion = journey.conversion, let model else { return }
            model.weights(of: journey.touches, conversion: conversion.time, into: &weights)
            Credit.divide(weights, into: &units)
            for (touch, share) in zip(journey.touches, units) {
                come.add(channel: channels[touch.channel], day: touch.day, units: share, revenue: conversion.revenue)
            }
            let had = stored.removeValue(forKey: conversion.id)
            if let had, isSame(had, journey.touches) { return }
            try writer.add(conversion.id, journey.touches, units, isNew: had == nil)
            attributed += 1
        }
        for id in stored.keys { try writer.remove(id) }
    }

    private func isSame(_ had: [Share], _ touches: [Touch]) -> Bool {
        guard had.count == touches.count else { return false }
        let shares = Dictionary(had.map { ($0.session, $0.units) }, uniquingKeysWith: { first, _ in first })
        return zip(touches, units).allSatisfy { shares[$0.session] == $1 }
    }

    /// Leaves the sums of a user who is going to be erased behind as those of nobody, and removes their credit. Where the model
    /// learns from all journeys they are those of the last step.
    private func leave(_ log: UserLog) throws(ImpactError) {
        guard let history = learns ? before : after else { return }
        try writer.flush()
        try add(try credit(log, history), log, history, to: &left)
        for order in history.orders {
            try database.run(
                "DELETE FROM \(ResultTables.credit) WHERE conv_id = $1",
                [.text(log.string(log.events[order.event].id))])
        }
    }

    // MARK: What a user has

    /// The stored credit of a user's conversions.
    private func credit(_ log: UserLog, _ history: UserHistory) throws(ImpactError) -> [String: [Share]] {
        var found: [String: [Share]] = [:]
        for start in stride(from: 0, to: history.orders.count, by: 400) {
            let orders = history.orders[start..<min(history.orders.count, start + 400)]
            let places = orders.indices.map { "$\($0 - start + 1)" }.joined(separator: ",")
            let rows = try database.query(
                "SELECT conv_id, session_id, ihc FROM \(ResultTables.credit) WHERE conv_id IN (\(places))",
                orders.map { .text(log.string(log.events[$0.event].id)) })
            while try rows.next() {
                guard let id = rows.text(0), let session = rows.text(1) else { continue }
                found[id, default: []].append((session, Credit.units(rows.double(2) ?? 0)))
            }
        }
        return found
    }

    /// Adds stored credit, and the effects of the sessions.
    private func add(
        _ credit: [String: [Share]], _ log: UserLog, _ history: UserHistory, to report: inout ChannelReport
    ) throws(ImpactError) {
        addEffects(log, history, to: &report)
        guard !credit.isEmpty else { return }
        let sessions = Dictionary(
            history.sessions.map { (log.string(log.events[$0.first].id), $0) }, uniquingKeysWith: { first, _ in first })
        for order in history.orders {
            guard let shares = credit[log.string(log.events[order.event].id)], let revenue = try revenue(log, order)
            else { continue }
            for share in shares {
                guard let session = sessions[share.session] else { continue }
                let (channel, day) = place(log, session)
                report.add(channel: channel, day: day, units: share.units, revenue: revenue)
            }
        }
    }

    private func addEffects(_ log: UserLog, _ history: UserHistory, to report: inout ChannelReport) {
        guard !log.scores.isEmpty else { return }
        for session in history.sessions where session.uplift.isFinite {
            let (channel, day) = place(log, session)
            report.add(channel: channel, day: day, uplift: session.uplift, error: session.upliftError)
        }
    }

    private func place(_ log: UserLog, _ session: UserHistory.Session) -> (channel: String, day: Int32) {
        let first = log.events[session.first]
        let campaign = settings.rules.isEmpty ? nil : log.optional(first.campaign)
        let channel = settings.channel(log.optional(first.channel), campaign: campaign, source: nil, medium: nil)
        return (channel ?? JourneyReader.unknownChannel, settings.clock.reading(session.start).day)
    }

    /// What an order brought after its refunds; nil for a negative one, which is a refund without an order.
    private func revenue(_ log: UserLog, _ order: UserHistory.Order) throws(ImpactError) -> Money? {
        let event = log.events[order.event]
        let currency = log.optional(event.currency)
        let paid = event.value.isNaN ? .zero : try settings.money(event.value, currency) ?? .zero
        guard paid.micros >= 0 else { return nil }
        let refund = order.refund > 0 ? try settings.money(order.refund, currency) ?? .zero : .zero
        return paid - min(paid, refund)
    }
}
