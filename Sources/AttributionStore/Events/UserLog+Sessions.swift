import Attribution
import Base

/// Sessions and orders, as they follow from a user's log.
struct UserHistory {
    struct Session {
        /// Its first event, which gives it id, channel and campaign.
        var first: Int
        var start: Int64
        var last: Int64
        var isEngaged: Bool
        /// NaN without a score.
        var uplift = Float.nan
        var upliftError = Float.nan
    }

    struct Order {
        var event: Int
        /// The sum of its refunds.
        var refund = 0.0
    }

    /// By time, then by the bytes of their ids.
    var sessions: [Session] = []
    var orders: [Order] = []
    var refunds = 0
    var refundsWithoutOrder = 0
    /// Places of scores that belong to no session, ascending.
    var strays: [Int] = []
}

extension UserLog {
    /// - Parameter timeout: milliseconds of silence that end a session.
    func history(timeout: Int64) -> UserHistory {
        var history = UserHistory()
        var refunds: [Int] = []
        for index in inOrder() {
            let event = events[index]
            switch event.kind {
            case Kind.purchase: history.orders.append(.init(event: index))
            case Kind.refund: refunds.append(index)
            default: add(event, index, timeout, &history.sessions)
            }
        }
        for refund in refunds {
            history.refunds += 1
            guard let place = order(of: events[refund], history.orders) else {
                history.refundsWithoutOrder += 1
                continue
            }
            if !events[refund].value.isNaN { history.orders[place].refund += abs(events[refund].value) }
        }
        if !scores.isEmpty { attach(&history) }
        return history
    }

    /// The places of all events, by time and then by the bytes of their ids.
    private func inOrder() -> [Int] {
        let events = events
        func precedes(_ a: Event, _ b: Event) -> Bool {
            a.time != b.time ? a.time < b.time : TextNumbers.precedes(bytes(a.id), bytes(b.id))
        }
        var order = Array(events.indices)
        // They mostly came in order.
        if events.indices.dropFirst().contains(where: { precedes(events[$0], events[$0 - 1]) }) {
            order.sort { precedes(events[$0], events[$1]) }
        }
        return order
    }

    private func add(
        _ event: Event, _ index: Int, _ timeout: Int64, _ sessions: inout [UserHistory.Session]
    ) {
        let isEngaged = event.kind != Kind.adView && event.kind != Kind.treatment
        if let last = sessions.last, event.time - last.last <= timeout {
            let first = events[last.first]
            if areEqual(first.channel, event.channel), areEqual(first.campaign, event.campaign) {
                sessions[sessions.count - 1].last = event.time
                if isEngaged { sessions[sessions.count - 1].isEngaged = true }
                return
            }
        }
        sessions.append(.init(first: index, start: event.time, last: event.time, isEngaged: isEngaged))
    }

    /// The order that a refund lowers: the one that has its `order_id`, or is an event of that id; without one the latest before it.
    private func order(of refund: Event, _ orders: [UserHistory.Order]) -> Int? {
        guard refund.order.isPresent else { return orders.lastIndex { events[$0.event].time <= refund.time } }
        for (place, order) in orders.enumerated() where areEqual(events[order.event].order, refund.order) {
            return place
        }
        for (place, order) in orders.enumerated() where areEqual(events[order.event].id, refund.order) { return place }
        return nil
    }

    /// Gives each session the effect of its first score.
    private func attach(_ history: inout UserHistory) {
        let order = scores.indices.sorted {
            (scores[$0].time, scores[$0].uplift) < (scores[$1].time, scores[$1].uplift)
        }
        for index in order {
            let score = scores[index]
            guard let place = history.sessions.lastIndex(where: { $0.start <= score.time }),
                score.time - history.sessions[place].start <= ScoreRows.longest
            else {
                history.strays.append(index)
                continue
            }
            guard history.sessions[place].uplift.isNaN else { continue }
            history.sessions[place].uplift = Float(score.uplift)
            history.sessions[place].upliftError = Float(score.error)
        }
        history.strays.sort()
    }
}
