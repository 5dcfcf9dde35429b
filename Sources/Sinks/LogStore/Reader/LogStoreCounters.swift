import Synchronization

/// What a ``LogStoreReader`` has done, for live tables and metrics: read from any thread at any time.
package final class LogStoreCounters: Sendable {
    /// What the reader is at.
    package enum Phase: UInt8, Sendable {
        case starting, waitingForBroker, waitingForTopic, waitingForDatabase, reading, draining, stopped, failed
    }

    private let rowsStored = Atomic<Int>(0)
    private let duplicateRows = Atomic<Int>(0)
    private let rejectedMessages = Atomic<Int>(0)
    private let erasedRows = Atomic<Int>(0)
    private let passedTombstones = Atomic<Int>(0)
    private let storedBatches = Atomic<Int>(0)
    private let failedTries = Atomic<Int>(0)
    private let goneRecords = Atomic<Int64>(0)
    private let recordsBehind = Atomic<Int64>(-1)
    private let unreadRecords = Atomic<Int64>(-1)
    private let currentPhase = Atomic<UInt8>(Phase.starting.rawValue)

    package init() {}

    /// Rows that this reader added.
    package var rows: Int { rowsStored.load(ordering: .relaxed) }
    /// Scores whose row was there before.
    package var duplicates: Int { duplicateRows.load(ordering: .relaxed) }
    /// Messages that were no scores.
    package var rejected: Int { rejectedMessages.load(ordering: .relaxed) }
    /// Rows that tombstones deleted.
    package var erased: Int { erasedRows.load(ordering: .relaxed) }
    /// Tombstones that erased nothing, since erasure is not configured.
    package var tombstonesPassed: Int { passedTombstones.load(ordering: .relaxed) }
    /// Database transactions.
    package var batches: Int { storedBatches.load(ordering: .relaxed) }
    /// Offsets of the topic that were deleted (retention) before they were stored.
    package var gone: Int64 { goneRecords.load(ordering: .relaxed) }
    /// Tries that the database or the broker failed.
    package var retries: Int { failedTries.load(ordering: .relaxed) }
    /// Records of the output topic that are committed and not stored yet, by the last fetch; nil while unknown.
    package var lag: Int64? {
        let lag = recordsBehind.load(ordering: .relaxed)
        return lag < 0 ? nil : lag
    }
    /// Records that lay before the end of the topic when somebody asked to stop, and are not read; nil while unknown.
    package var unread: Int64? {
        let unread = unreadRecords.load(ordering: .relaxed)
        return unread < 0 ? nil : unread
    }
    package var phase: Phase { Phase(rawValue: currentPhase.load(ordering: .relaxed)) ?? .starting }

    func count(_ outcome: AppendOutcome, rejected: Int) {
        guard case .stored(let inserted, let duplicates, let erased) = outcome else { return }
        rowsStored.add(inserted, ordering: .relaxed)
        duplicateRows.add(duplicates, ordering: .relaxed)
        erasedRows.add(erased, ordering: .relaxed)
        rejectedMessages.add(rejected, ordering: .relaxed)
        storedBatches.add(1, ordering: .relaxed)
    }

    func countTombstone() { passedTombstones.add(1, ordering: .relaxed) }
    func countGone(_ count: Int64) { goneRecords.add(count, ordering: .relaxed) }
    func countFailure() { failedTries.add(1, ordering: .relaxed) }
    func setLag(_ lag: Int64) { recordsBehind.store(lag, ordering: .relaxed) }
    func setUnread(_ count: Int64) { unreadRecords.store(count, ordering: .relaxed) }
    func enter(_ phase: Phase) { currentPhase.store(phase.rawValue, ordering: .relaxed) }
}
