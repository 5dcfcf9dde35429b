import Attribution
import Base

/// The logs of users in a database, and the conversions and costs that they name.
final class EventLogs {
    /// Hears of a user's log before and after it changes.
    struct Hooks {
        /// What is going to be appended to; the log is as it was stored, or as an erasure left it.
        var willAppend: (UserLog, _ user: String) throws(ImpactError) -> Void
        /// Events from this place on are new; scores may be.
        var didAppend: (UserLog, _ first: Int, _ hasNewScores: Bool) throws(ImpactError) -> Void
        /// All that is known of the user is going to be removed.
        var willErase: (UserLog) throws(ImpactError) -> Void
        /// Places of scores that are not to be kept.
        var strays: (UserLog) -> [Int]
    }

    private static let piece = 500
    let database: any SQLDatabase
    private let log = UserLog()
    private let written: any SQLInsertion
    private let conversions: any SQLInsertion
    private let costs: any SQLInsertion

    /// In tables that are there.
    init(_ database: any SQLDatabase) throws(ImpactError) {
        self.database = database
        written = try database.insertion(
            into: EventTables.logs, columns: ["user_id", "events"],
            suffix: "ON CONFLICT (user_id) DO UPDATE SET events = excluded.events")
        conversions = try database.insertion(
            into: "conversions", columns: ["conv_id", "user_id", "conv_date", "conv_time", "revenue", "currency"],
            suffix: """
                ON CONFLICT (conv_id) DO UPDATE SET user_id = excluded.user_id, conv_date = excluded.conv_date, \
                conv_time = excluded.conv_time, revenue = excluded.revenue, currency = excluded.currency
                """)
        costs = try database.insertion(
            into: "ad_costs", columns: ["id", "channel_name", "campaign", "date", "amount", "currency"],
            suffix: "ON CONFLICT DO NOTHING")
    }

    func readRefusals() throws(ImpactError) -> [String: Int64] {
        var refusals: [String: Int64] = [:]
        let rows = try database.query("SELECT user_id, time FROM \(EventTables.refusals)", [])
        while try rows.next() {
            if let user = rows.text(0), let time = rows.text(1).flatMap({ Int64($0) }) { refusals[user] = time }
        }
        return refusals
    }

    /// Writes what was read.
    func apply(_ intake: EventIntake, _ hooks: Hooks?) throws(ImpactError) {
        for user in intake.changedRefusals.sorted() {
            try database.run("DELETE FROM \(EventTables.refusals) WHERE user_id = $1", [.text(user)])
            guard let since = intake.refusals[user] else { continue }
            try database.run(
                "INSERT INTO \(EventTables.refusals) (user_id, time) VALUES ($1, $2)", [.text(user), .integer(since)])
        }
        for cost in intake.costs {
            try costs.add([
                .text(cost.id), .init(cost.channel), .init(cost.campaign), .text(cost.day), .double(cost.amount),
                .init(cost.currency),
            ])
        }
        var claims = PurchaseClaims(intake, self)
        let refused = try claims.refused()
        // Who is erased goes first: ids of theirs may be another's after that.
        let erased = Set(intake.erasures.map { intake.entries[Int($0)].user })
        let sorted = intake.users.sorted()
        let order = sorted.filter { erased.contains($0) } + sorted.filter { !erased.contains($0) }
        for start in stride(from: 0, to: order.count, by: Self.piece) {
            let numbers = order[start..<min(order.count, start + Self.piece)]
            let stored = try stored(numbers, intake)
            for number in numbers { try apply(intake, Int(number), stored[number], refused, hooks) }
        }
        try finish()
    }

    /// Copies the stated costs, and sends what is buffered.
    func copyCosts(from database: any SQLDatabase) throws(ImpactError) {
        let rows = try database.query("SELECT id, channel_name, campaign, date, amount, currency FROM ad_costs", [])
        while try rows.next() {
            try costs.add([
                .init(rows.text(0)), .init(rows.text(1)), .init(rows.text(2)), .init(rows.text(3)),
                rows.double(4).map { .double($0) } ?? .null, .init(rows.text(5)),
            ])
        }
        try finish()
    }

    private func finish() throws(ImpactError) {
        try written.finish()
        try conversions.finish()
        try costs.finish()
    }

    /// The stored logs of some users, by their numbers.
    func stored(_ numbers: some Collection<Int32>, _ intake: EventIntake) throws(ImpactError) -> [Int32: [UInt8]] {
        var found: [Int32: [UInt8]] = [:]
        let places = (1...max(1, numbers.count)).map { "$\($0)" }.joined(separator: ",")
        let users = numbers.isEmpty ? [SQLValue.null] : numbers.map { .text(intake.users.string(Int($0))) }
        let rows = try database.query(
            "SELECT user_id, events FROM \(EventTables.logs) WHERE user_id IN (\(places))", users)
        while try rows.next() {
            // By its bytes: to Swift, texts of other bytes may be equal.
            guard let user = rows.text(0), let number = intake.number(of: user) else { continue }
            found[Int32(number)] = rows.bytes(1)
        }
        return found
    }

    private func apply(
        _ intake: EventIntake, _ number: Int, _ stored: [UInt8]?, _ refused: Set<Int32>, _ hooks: Hooks?
    ) throws(ImpactError) {
        let user = intake.users.string(number)
        if let stored { try load(stored) } else { log.removeAll() }
        var place = intake.chains[number].first
        while place >= 0 {
            try hooks?.willAppend(log, user)
            let (first, scores) = (log.events.count, log.scores.count)
            var isErased = false
            while place >= 0, !isErased {
                let entry = intake.entries[Int(place)]
                defer { place = entry.next }
                if entry.kind == UserLog.Kind.erasure {
                    isErased = true
                } else if refused.contains(place) {
                    intake.counts.duplicates += 1
                } else if try !log.append(intake.bytes(entry)) {
                    if entry.kind != UserLog.Kind.score { intake.counts.duplicates += 1 }
                } else if entry.kind == UserLog.Kind.purchase {
                    try add(log.events[log.events.count - 1], log, user, &intake.clock)
                }
            }
            try hooks?.didAppend(log, first, log.scores.count > scores)
            if isErased { try erase(user, hooks) }
        }
        if let hooks { log.remove(scores: hooks.strays(log)) }
        if !log.isEmpty { return try written.add([.text(user), .bytes(Array(log.bytes))]) }
        if stored != nil { try database.run("DELETE FROM \(EventTables.logs) WHERE user_id = $1", [.text(user)]) }
    }

    func load(_ stored: [UInt8]) throws(ImpactError) { try load(stored, into: log) }

    func load(_ stored: [UInt8], into log: UserLog) throws(ImpactError) {
        let result: Result<Void, ImpactError> = stored.withUnsafeBytes { bytes in
            do throws(ImpactError) { return .success(try log.load(bytes)) } catch { return .failure(error) }
        }
        try result.get()
    }

    /// Writes a purchase as a conversion.
    func add(
        _ purchase: UserLog.Event, _ log: UserLog, _ user: String, _ clock: inout LocalClock
    ) throws(ImpactError) {
        try conversions.add([
            .text(log.string(purchase.id)), .text(user), .text(CivilDay.text(clock.reading(purchase.time).day)),
            .text(RawEvents.written(purchase.time)), purchase.value.isNaN ? .null : .double(purchase.value),
            .init(log.optional(purchase.currency)),
        ])
    }

    private func erase(_ user: String, _ hooks: Hooks?) throws(ImpactError) {
        try conversions.finish()
        try hooks?.willErase(log)
        for event in log.events where event.kind == UserLog.Kind.purchase {
            try database.run(
                "DELETE FROM conversions WHERE conv_id = $1 AND user_id = $2",
                [.text(log.string(event.id)), .text(user)])
        }
        log.removeAll()
    }

    /// Calls `body` with every log, in the order of the users' bytes.
    func forEach(_ body: (String, UserLog) throws(ImpactError) -> Void) throws(ImpactError) {
        let rows = try database.query(
            "SELECT user_id, events FROM \(EventTables.logs) ORDER BY \(database.byBytes("user_id"))", [])
        while try rows.next() {
            guard let user = rows.text(0), let bytes = rows.bytes(1) else { continue }
            try load(bytes)
            try body(user, log)
        }
    }
}
