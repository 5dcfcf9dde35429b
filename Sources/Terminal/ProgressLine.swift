/// How far a long piece of work is: redrawn in place on a terminal, otherwise a line now and then, on standard error.
///
/// Used by one thread. ``update(_:now:)`` reads the clock each time; call it once a batch, not once an item.
public final class ProgressLine {
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
    ///   - plainInterval: the time between two lines when standard error is no terminal.
    public convenience init(_ label: String, total: Int? = nil, unit: String, plainInterval: Duration = .seconds(10)) {
        let stream = Terminal.Stream.error
        self.init(
            label, total: total, unit: unit, isLive: stream.isTerminal, plainInterval: plainInterval, start: .now,
            write: { stream.write($0) })
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
    public func update(_ done: Int, now: ContinuousClock.Instant = .now) {
        guard now - last >= interval else { return }
        last = now
        write(isLive ? "\r\(line(done, now))\u{1B}[K" : line(done, now) + "\n")
    }

    /// Says the final count, the rate and the time taken.
    public func finish(_ done: Int, now: ContinuousClock.Instant = .now) {
        let seconds = (now - start) / .seconds(1)
        let text =
            "\(label): \(HumanNumber.grouped(done)) \(unit) in \(HumanNumber.latency(milliseconds: seconds * 1000))"
            + (seconds > 0 ? ", \(HumanNumber.rate(Double(done) / seconds))" : "")
        write(isLive ? "\r\(text)\u{1B}[K\n" : text + "\n")
    }

    private func line(_ done: Int, _ now: ContinuousClock.Instant) -> String {
        let seconds = (now - start) / .seconds(1)
        let rate = seconds > 0 ? Double(done) / seconds : 0
        guard let total, total > 0 else {
            return "\(label): \(HumanNumber.grouped(done)) \(unit), \(HumanNumber.rate(rate))"
        }
        let left = rate > 0 ? ", \(HumanNumber.span(seconds: Double(max(total - done, 0)) / rate)) left" : ""
        return "\(label): \(HumanNumber.grouped(done)) of \(HumanNumber.grouped(total)) \(unit) "
            + "(\(Int(100 * Double(done) / Double(total))) %), \(HumanNumber.rate(rate))\(left)"
    }
}
