import Base

/// A log store that is tried again until it works: opens, closes and opens it anew, with growing waits between.
final class LogStoreWriter {
    let store: any LogStore
    private let stop: LogStoreStop
    private let counters: LogStoreCounters
    private let retrySeconds: ClosedRange<Double>
    private var wasOpen = false

    init(
        _ store: any LogStore, stop: LogStoreStop, counters: LogStoreCounters, retrySeconds: ClosedRange<Double>
    ) {
        self.store = store
        self.stop = stop
        self.counters = counters
        self.retrySeconds = retrySeconds
    }

    /// Runs `work` on the open store until it succeeds, somebody asks to stop and the time is over, or the store says
    /// that no try will help.
    func persist<Result>(
        _ work: (any LogStore) throws(LogStoreError) -> Result
    ) throws(ReaderInterruption) -> Result {
        var backoff = Backoff(retrySeconds, stop: stop, counters: counters)
        let phase = counters.phase
        while true {
            do throws(LogStoreError) {
                try store.open(stop: stop)
                if !wasOpen {
                    wasOpen = true
                    counters.countOpening()
                    Log.info("log-store", "writing to \(store.place)")
                }
                let result = try work(store)
                backoff.succeeded("\(store.place) works")
                counters.enter(phase)
                return result
            } catch {
                store.close()
                if !error.isRetriable { throw .failed(error.impactError) }
                if stop.isPastDeadline { throw .stopped }
                counters.enter(.waitingForDatabase)
                backoff.wait(error.message)
            }
        }
    }
}
