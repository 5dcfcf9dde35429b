import Base

/// How far a long piece of work is: redrawn in place on a terminal, otherwise a line now and then, on standard error.
///
/// Used by one thread. ``update(_:now:)`` reads the clock each time; call it once a batch, not once an item.
package final class ProgressLine {
    private let label: String
    private let unit: String
    private let total: Int?
    private let isLive: Bool
    private let interval: Duration
    private let write: (String) -> Void
    private let start: ContinuousClock.Instant
    private var last: ContinuousClock.Instant

    /// - Parameters:
    ///   - label: what is being done, `generate`.
    ///   - total: how many items there will be, when known: gives the share done and the time left.
    ///   - unit: what is counted, `events`.
    ///   - plainInterval: the time between two lines when standard error is not a terminal.
    package convenience init(_ label: String, total: Int? = nil, unit: String, plainInterval: Duration = .seconds(10)) {
        let stream = Terminal.Stream.error
        self.init(
            label, total: total, unit: unit, isLive: stream.isTerminal, plainInterval: plainInterval, start: .now,
            write: { stream.writeRaw($0) })
    }

    package init(
        _ label: String, total: Int?, unit: String, isLive: Bool, plainInterval: Duration,
        start: ContinuousClock.Instant,
        write: @escaping (String) -> Void
    ) {
        self.label = label
        self.unit = unit
        self.total = total
        self.isLive = isLive
        interval = isLive ? .milliseconds(200) : plainInterval
        self.write = write
        self.start = start
        last = start
    }

    /// Says how many items are done, when it is time to say so again.
    /// - Parameter share: the part of the work that is done, 0 … 1, when something else than the items' total tells it
    ///   (bytes of a file).
    package func update(_ done: Int, share: Double? = nil, now: ContinuousClock.Instant = .now) {
        guard now - last >= interval else { return }
        last = now
        let text = line(done, share, now)
        write(isLive ? "\r\(text)\u{1B}[K" : text + "\n")
    }

    /// Says the final count, the rate and the time taken.
    package func finish(_ done: Int, now: ContinuousClock.Instant = .now) {
        let seconds = (now - start) / .seconds(1)
        let text =
            "\(label): \(HumanNumber.grouped(done)) \(unit) in \(HumanNumber.latency(milliseconds: seconds * 1000))"
            + (seconds > 0 ? ", \(HumanNumber.rate(Double(done) / seconds))" : "")
        write(isLive ? "\r\(text)\u{1B}[K\n" : text + "\n")
    }

    private func line(_ done: Int, _ share: Double?, _ now: ContinuousClock.Instant) -> String {
        let seconds = (now - start) / .seconds(1)
        let rate = HumanNumber.rate(seconds > 0 ? Double(done) / seconds : 0)
        let count = total.map { $0 > 0 ? " of \(HumanNumber.grouped($0))" : "" } ?? ""
        let items = "\(label): \(HumanNumber.grouped(done))\(count) \(unit)"
        guard let part = share ?? total.flatMap({ $0 > 0 ? Double(done) / Double($0) : nil }) else {
            return "\(items), \(rate)"
        }
        let left = part > 0 ? ", \(HumanNumber.span(seconds: seconds * max(1 / part - 1, 0))) left" : ""
        return "\(items) (\(Int(saturating: 100 * part)) %), \(rate)\(left)"
    }
}
