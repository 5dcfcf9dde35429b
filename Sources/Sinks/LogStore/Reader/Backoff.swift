import Base

/// Waits between tries, each twice as long as the one before, and says in the log what it waits for: once when it
/// begins, then once a minute, and when it is over.
struct Backoff {
    private let range: ClosedRange<Double>
    private let stop: LogStoreStop
    private let counters: LogStoreCounters
    private var next: Double
    private var since: UInt64?
    private var saidAt: UInt64 = 0
    private var said = ""

    init(_ range: ClosedRange<Double>, stop: LogStoreStop, counters: LogStoreCounters) {
        self.range = range
        self.stop = stop
        self.counters = counters
        next = range.lowerBound
    }

    /// Says why, and sleeps: until it is time to try again, or somebody asks to stop.
    mutating func wait(_ reason: @autoclosure () -> String) {
        counters.countFailure()
        let now = LogStoreStop.now()
        if since == nil { since = now }
        let text = reason()
        if text != said || now &- saidAt > 60_000_000_000 {
            said = text
            saidAt = now
            Log.warning("log-store", "\(text). Trying again; nothing is lost.")
        }
        // Asked to stop: a few quick tries are left before the deadline.
        if stop.isStopping {
            stop.sleepPastStop(seconds: min(next, 0.2))
        } else {
            stop.sleep(seconds: next)
        }
        next = min(next * 2, range.upperBound)
    }

    /// A try succeeded.
    mutating func succeeded(_ what: @autoclosure () -> String) {
        guard let begun = since else { return }
        let seconds = Double(LogStoreStop.now() &- begun) / 1e9
        let rounded = (seconds * 10).rounded() / 10
        Log.info("log-store", "\(what()) again after \(rounded) s")
        since = nil
        said = ""
        next = range.lowerBound
    }
}
