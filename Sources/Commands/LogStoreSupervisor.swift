import Base
import Foundation
import Settings
import Sinks

/// The log store beside a pipeline: its reader, begun again after it has failed.
///
/// Scoring does not wait for a log store and does not stop for it, unless `log.store.required` says so: what the store lacks
/// is in the output topic, and is read when the store works again.
final class LogStoreSupervisor {
    private let configuration: Configuration
    private(set) var reader: LogStoreReader
    /// Set by ``finish()`` when the log store was never there and need not be.
    private(set) var unreached: ImpactError?
    private var due: ContinuousClock.Instant?
    private var wait = Duration.seconds(10)
    private static let longestWait = Duration.seconds(300)

    /// Nil when `log.store` is none.
    init?(_ configuration: Configuration) {
        guard let reader = LogStoreRun.reader(configuration) else { return nil }
        self.configuration = configuration
        self.reader = reader
    }

    func start() { reader.start() }

    /// Looks after the reader; to be called now and then.
    /// - Throws: what ended it, when the configuration requires a log store.
    func check() throws(ImpactError) {
        guard let failure = reader.failure else { return }
        if configuration.requiresLogStore { throw failure }
        guard let due else {
            Log.error(
                "log-store",
                "scoring goes on without it (log.store.required=false); it is tried again in \(wait / .seconds(1)) s, and "
                    + "reads what it lacks from \(configuration.outputTopic)")
            due = .now + wait
            wait = min(wait * 2, Self.longestWait)
            return
        }
        guard ContinuousClock.now >= due, let next = LogStoreRun.reader(configuration, counters: reader.counters)
        else { return }
        self.due = nil
        reader = next
        reader.start()
    }

    /// Lets the reader store what is left, and leaves.
    /// - Throws: what is wrong with the log store, so that the process does not end as if all was well.
    func finish() throws(ImpactError) {
        let seconds = Double(configuration.shutdownTimeoutMilliseconds) / 3_000
        reader.stop(within: seconds)
        let isDone = try reader.wait(within: seconds + 1)
        Log.info("log-store", LogStoreRun.counts(reader) + LogStoreRun.rest(reader, isDone: isDone))
        guard let trouble = LogStoreRun.unreached(reader, configuration) else { return }
        if configuration.requiresLogStore { throw trouble }
        unreached = trouble
    }
}
