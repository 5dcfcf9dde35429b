import Synchronization

/// What a ``LogStoreReader`` has done, for live tables and metrics: read from any thread at any time.
public final class LogStoreCounters: Sendable {
    /// What the reader is at.
    public enum Phase: UInt8, Sendable {
        case starting, waitingForBroker, waitingForTopic, waitingForDatabase, reading, draining, stopped, failed
    }

    private let rowsStored = Atomic<Int>(0)
    private let duplicateRows = Atomic<Int>(0)
    private let rejectedMessages = Atomic<Int>(0)
    private let erasedRows = Atomic<Int>(0)
    private let passedTombstones = Atomic<Int>(0)
    private let storedBatches = Atomic<Int>(0)
    private let failedTries = Atomic<Int>(0)
    private let recordsBehind = Atomic<Int64>(-1)
    private let unreadRecords = Atomic<Int64>(-1)
    private let currentPhase = Atomic<UInt8>(Phase.starting.rawValue)

    public init() {}

    /// Rows that this reader added.
    public var rows: Int { rowsStored.load(ordering: .relaxed) }
    /// Scores whose row was there before.
    public var duplicates: Int { duplicateRows.load(ordering: .relaxed) }
    /// Messages that were no scores.
    public var rejected: Int { rejectedMessages.load(ordering: .relaxed) }
    /// Rows that tombstones deleted.
    public var erased: Int { erasedRows.load(ordering: .relaxed) }
    /// Tombstones that erased nothing, since erasure is not configured.
    public var tombstonesPassed: Int { passedTombstones.load(ordering: .relaxed) }
    /// Database transactions.
    public var batches: Int { storedBatches.load(ordering: .relaxed) }
    /// Tries that the database or the broker failed.
    public var retries: Int { failedTries.load(ordering: .relaxed) }
    /// Records of the output topic that are committed and not stored yet, by the last fetch; nil while unknown.
    public var lag: Int64? {
        let lag = recordsBehind.load(ordering: .relaxed)
        return lag < 0 ? nil : lag
    }
    /// Records that lay before the end of the topic when somebody asked to stop, and are not read; nil while unknown.
    public var unread: Int64? {
        let unread = unreadRecords.load(ordering: .relaxed)
        return unread < 0 ? nil : unread
    }
    public var phase: Phase { Phase(rawValue: currentPhase.load(ordering: .relaxed)) ?? .starting }

    func count(_ outcome: AppendOutcome, rejected: Int) {
        guard case .stored(let inserted, let duplicates, let erased) = outcome else { return }
        rowsStored.add(inserted, ordering: .relaxed)
        duplicateRows.add(duplicates, ordering: .relaxed)
        erasedRows.add(erased, ordering: .relaxed)
        rejectedMessages.add(rejected, ordering: .relaxed)
        storedBatches.add(1, ordering: .relaxed)
    }

    func countTombstone() { passedTombstones.add(1, ordering: .relaxed) }
    func countFailure() { failedTries.add(1, ordering: .relaxed) }
    func setLag(_ lag: Int64) { recordsBehind.store(lag, ordering: .relaxed) }
    func setUnread(_ count: Int64) { unreadRecords.store(count, ordering: .relaxed) }
    func enter(_ phase: Phase) { currentPhase.store(phase.rawValue, ordering: .relaxed) }
}
