import Base
import Consumer
import Foundation
import Kafka
import Synchronization

/// Keeps a log store up to date with the output topic: one row per committed score, after any crash of either side.
///
/// ```swift
/// let reader = LogStoreReader(properties: kafka, options: .init(topic: "uplift-scores")) { SQLiteLogStore(path: path) }
/// reader.start()
/// …
/// reader.stop(within: 5)          // reads to the end, stores, leaves
/// try reader.wait()
/// ```
/// It costs the pipeline nothing: it reads `read_committed` what was published, on a thread of its own, in `run` or in a
/// process of its own. While broker or database are away it waits and says so.
package final class LogStoreReader: Sendable {
    package let counters: LogStoreCounters
    private let properties: KafkaProperties
    private let options: LogStoreReaderOptions
    private let makeStore: @Sendable () throws(LogStoreError) -> any LogStore
    private let signal = LogStoreStop()
    private let outcome = Mutex<ImpactError?>(nil)
    private let isStarted = Atomic<Bool>(false)
    private let finished = DispatchSemaphore(value: 0)

    /// - Parameters:
    ///   - properties: bootstrap servers and the user's `kafka.consumer.*`.
    ///   - counters: those of the reader before this one go on, for who looks at them.
    ///   - makeStore: makes the store, closed; called once, on the reader's thread.
    package init(
        properties: KafkaProperties, options: LogStoreReaderOptions, counters: LogStoreCounters = LogStoreCounters(),
        makeStore: @escaping @Sendable () throws(LogStoreError) -> any LogStore
    ) {
        self.properties = properties
        self.options = options
        self.counters = counters
        self.makeStore = makeStore
    }

    /// Runs on a thread of its own. Once only.
    package func start() {
        guard !isStarted.exchange(true, ordering: .acquiringAndReleasing) else { return }
        let thread = Thread { [self] in
            do throws(ImpactError) {
                try run()
            } catch {
                Log.error("log-store", "stopped: \(error)")
                outcome.withLock { $0 = error }
            }
            finished.signal()
        }
        thread.name = "log-store"
        thread.stackSize = 1 << 20
        thread.start()
    }

    /// Asks to read to the topic's present end, store that and leave, within so many seconds; returns at once.
    ///
    /// What the time does not suffice for is read at the next start; ``LogStoreCounters/unread`` tells how much that is.
    package func stop(within seconds: Double) { signal.stop(within: seconds) }

    /// Waits for the thread that ``start()`` made. Throws what ended it, if not ``stop(within:)``.
    package func wait() throws(ImpactError) {
        finished.wait()
        finished.signal()
        if let problem = failure { throw problem }
    }

    /// The same, but for so many seconds at most; false when the thread is still at work then.
    package func wait(within seconds: Double) throws(ImpactError) -> Bool {
        guard finished.wait(timeout: .now() + seconds) == .success else { return false }
        finished.signal()
        if let problem = failure { throw problem }
        return true
    }

    /// What ended the reader by itself: a damaged database, a topic that was made anew. Nil while it runs.
    package var failure: ImpactError? { outcome.withLock { $0 } }

    /// Runs on the calling thread until ``stop(within:)``.
    package func run() throws(ImpactError) {
        do throws(ImpactError) {
            try follow()
            counters.enter(.stopped)
        } catch {
            counters.enter(.failed)
            throw error
        }
    }

    private func follow() throws(ImpactError) {
        let store: any LogStore
        do throws(LogStoreError) { store = try makeStore() } catch { throw error.impactError }
        defer { store.close() }
        var consumerOptions = ConsumerOptions()
        consumerOptions.isolation = .readCommitted
        // Never a silent jump: an offset that is gone is looked at and told.
        consumerOptions.reset = .error
        consumerOptions.reportsPartitionEnd = true
        consumerOptions.prefetchBytes = options.prefetchBytes
        consumerOptions.clientID = "impactiq-log-store"
        let consumer = try EventConsumer(
            properties: properties, topics: [options.topic], options: consumerOptions, component: "log-store")
        defer { consumer.close(timeoutMilliseconds: Int(min(5, max(1, signal.secondsLeft)) * 1_000)) }
        let writer = LogStoreWriter(store, stop: signal, counters: counters, retrySeconds: options.retrySeconds)
        let follower = LogStoreFollower(
            consumer: consumer, properties: properties, writer: writer, options: options, counters: counters,
            stop: signal)
        try follower.run()
    }
}
