import Attribution
import Base

/// Writes what logs stand for into the tables of a run: `session_sources` and `refunds`, and, where they are not there already,
/// `conversions` and `ad_costs`.
struct MadeTables {
    private(set) var sessions = 0
    private(set) var conversions = 0
    private(set) var refundsWithoutOrder = 0

    init(_ logs: EventLogs, _ database: any SQLDatabase, clock: LocalClock, timeout: Int64) throws(ImpactError) {
        try EventTables.createMade(database)
        var clock = clock
        let rows = try database.insertion(
            into: "session_sources",
            columns: [
                "session_id", "user_id", "event_date", "event_time", "channel_name", "campaign", "holder_engagement",
                "closer_engagement", "impression_interaction", "uplift", "uplift_std_error",
            ], suffix: "")
        let refunds = try database.insertion(into: "refunds", columns: ["conv_id", "amount"], suffix: "")
        let target = try EventLogs(database)
        let copies = logs.database !== database
        try logs.forEach { (user, log) throws(ImpactError) in
            let history = log.history(timeout: timeout)
            sessions += history.sessions.count
            conversions += history.orders.count
            refundsWithoutOrder += history.refundsWithoutOrder
            for session in history.sessions {
                let first = log.events[session.first]
                let engaged = SQLValue.integer(session.isEngaged ? 1 : 0)
                try rows.add([
                    .text(log.string(first.id)), .text(user), .text(CivilDay.text(clock.reading(session.start).day)),
                    .text(RawEvents.written(session.start)), .init(log.optional(first.channel)),
                    .init(log.optional(first.campaign)), engaged, engaged, .integer(session.isEngaged ? 0 : 1),
                    session.uplift.isFinite ? .double(Double(session.uplift)) : .null,
                    session.upliftError.isFinite ? .double(Double(session.upliftError)) : .null,
                ])
            }
            for order in history.orders {
                let purchase = log.events[order.event]
                if copies { try target.add(purchase, log, user, &clock) }
                if order.refund != 0 { try refunds.add([.text(log.string(purchase.id)), .double(order.refund)]) }
            }
        }
        try rows.finish()
        try refunds.finish()
        if copies { try target.copyCosts(from: logs.database) }
        try database.execute("CREATE INDEX conversions_user ON conversions (user_id)")
    }
}
