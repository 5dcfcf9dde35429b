/// Decides which of the library's connection errors a person gets to read: that all brokers are away is said once, and
/// once again when one is back; other errors at most every 30 s a code, with the count of those left out.
///
/// ```
///                 all brokers down / says so
///   reachable ───────────────────────────────► away
///       ▲                                       │
///       └──── a broker was up in two reports ◄──┘
///                in a row / says so
/// ```
/// Two reports, since the first may have been made before the connection was lost.
package struct BrokerWatch {
    package enum Entry: Equatable {
        case warning(String)
        case error(String)
        case info(String)
    }

    private let bootstrap: String
    private var awaySince: Double?
    /// When a connection was lost that no report has shown to be back.
    private var lostSince: Double?
    /// When the first of the good reports at hand came.
    private var backSince = 0.0
    private var reportsWithBroker = 0
    private var lastShown: [String: (time: Double, left: Int)] = [:]
    private static let interval = 30.0

    package init(bootstrap: String) { self.bootstrap = bootstrap }

    package var isAway: Bool { awaySince != nil }

    /// A connection was lost, or did not come about: an outage that turns out to be one began here.
    package mutating func connectionLost(now: Double) { lostSince = lostSince ?? now }

    /// No broker is connected. `now` in seconds of any monotonic clock, as everywhere here.
    package mutating func allBrokersDown(now: Double) -> Entry? {
        reportsWithBroker = 0
        if awaySince != nil { return nil }
        awaySince = lostSince ?? now
        return .warning(
            "no broker answers at \(bootstrap); trying again until one does (is it running, and the address right?)")
    }

    /// A report on all connections: whether at least one broker is up.
    package mutating func report(anyBrokerUp: Bool, now: Double) -> Entry? {
        guard let since = awaySince else {
            if anyBrokerUp { lostSince = nil }
            return nil
        }
        reportsWithBroker = anyBrokerUp ? reportsWithBroker + 1 : 0
        if reportsWithBroker == 1 { backSince = now }
        if reportsWithBroker < 2 { return nil }
        awaySince = nil
        lostSince = nil
        reportsWithBroker = 0
        lastShown = [:]
        return .info("a broker answers again at \(bootstrap), after \(Int((backSince - since).rounded())) s")
    }

    /// Any other error. A lost connection of one broker matters less than one that no retry mends.
    package mutating func error(name: String, reason: String, lasting: Bool, now: Double) -> Entry? {
        if let (time, left) = lastShown[name], now - time < Self.interval {
            lastShown[name] = (time, left + 1)
            return nil
        }
        let left = lastShown[name]?.left ?? 0
        lastShown[name] = (now, 0)
        let text = reason + (left > 0 ? " (and \(left) like it in the last while)" : "")
        return lasting ? .error(text) : .warning(text)
    }
}
