import Foundation

/// What matters of librdkafka's statistics (STATISTICS.md), by client: sums over its brokers, and the worst of them.
package struct ClientStatistics: Sendable, Equatable {
    package var sentBytes = 0.0
    package var receivedBytes = 0.0
    /// Messages in the producer's queue and on their way.
    package var queuedMessages = 0.0
    /// 99th percentile of the slowest broker's round trip.
    package var roundTripSeconds = 0.0
    package var throttleSeconds = 0.0
    /// Requests that failed or timed out, and answers that could not be read.
    package var errors = 0.0
    package var disconnects = 0.0

    /// Reads a report. The members wanted stand before the topics, which may be a megabyte and are passed over, and after
    /// them: nothing is parsed into objects on the thread that polls.
    package init(json: UnsafePointer<CChar>) {
        queuedMessages = Self.number("\"msg_cnt\":", json, nil) ?? 0
        // A broker's bytes are "txbytes"; these are the client's.
        sentBytes = Self.number("\"tx_bytes\":", json, nil) ?? 0
        receivedBytes = Self.number("\"rx_bytes\":", json, nil) ?? 0
        guard let brokers = strstr(json, "\"brokers\":") else { return }
        let end = strstr(brokers, "\"topics\":").map { UnsafePointer($0) }
        var at = UnsafePointer(brokers)
        while let broker = Self.find("\"nodeid\":", at, end) {
            let next = Self.find("\"nodeid\":", broker, end) ?? end
            for name in ["\"txerrs\":", "\"rxerrs\":", "\"req_timeouts\":"] {
                errors += Self.number(name, broker, next) ?? 0
            }
            disconnects += Self.number("\"disconnects\":", broker, next) ?? 0
            if let rtt = Self.find("\"rtt\":", broker, next) {
                roundTripSeconds = max(roundTripSeconds, (Self.number("\"p99\":", rtt, next) ?? 0) / 1e6)
            }
            if let throttle = Self.find("\"throttle\":", broker, next) {
                throttleSeconds = max(throttleSeconds, (Self.number("\"avg\":", throttle, next) ?? 0) / 1e3)
            }
            at = broker
        }
    }

    /// The byte after the first place of a name, before an end.
    private static func find(
        _ name: String, _ text: UnsafePointer<CChar>, _ end: UnsafePointer<CChar>?
    ) -> UnsafePointer<CChar>? {
        guard let found = strstr(text, name) else { return nil }
        if let end, UnsafePointer(found) >= end { return nil }
        return UnsafePointer(found) + name.utf8.count
    }

    private static func number(
        _ name: String, _ text: UnsafePointer<CChar>, _ end: UnsafePointer<CChar>?
    ) -> Double? {
        find(name, text, end).map { strtod($0, nil) }
    }
}
