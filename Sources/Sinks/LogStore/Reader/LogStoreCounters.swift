import Base
import Synchronization

/// What a ``LogStoreReader`` has done: read from any thread at any time.
package final class LogStoreCounters: Sendable {
    /// What the reader is at.
    package enum Phase: UInt8, Sendable {
        case starting, waitingForBroker, waitingForTopic, waitingForDatabase, reading, draining, stopped, failed
    }

    private let rowsStored = Counter(
        "impactiq_log_store_rows_total", .count("rows stored"), help: "Rows added to the log store")
    private let duplicateRows = Counter(
        "impactiq_log_store_duplicates_total", .count("were there"), help: "Scores whose row was there before")
    private let rejectedMessages = Counter(
        "impactiq_log_store_rejected_total", .count("rejected"),
        help: "Messages of the output topic that are not scores"
    )
    private let erasedRows = Counter(
        "impactiq_log_store_erased_total", .countIfAny("erased"), help: "Rows that tombstones deleted")
    private let passedTombstones = Counter(
        "impactiq_log_store_tombstones_passed_total",
        help: "Tombstones that erased nothing, since erasure is not configured")
    private let storedBatches = Counter(
        "impactiq_log_store_transactions_total", .count("transactions"), help: "Database transactions")
    private let goneRecords = Counter(
        "impactiq_log_store_gone_total", .countIfAny("deleted by retention before they were stored"),
        help: "Offsets of the output topic that were deleted before they were stored")
    private let failedTries = Counter(
        "impactiq_log_store_retries_total", help: "Tries that the database or the broker failed")
    private let recordsBehind = Gauge(
        "impactiq_log_store_lag_records", help: "Committed records of the output topic that are not stored yet")
    private let unreadRecords = Gauge(
        "impactiq_log_store_unread_records",
        help: "Records before the end of the topic when the reader was asked to stop")
    private let state = PhaseCell()

    /// In a class of its own, since `Mirror` reads the properties beside it and a noncopyable one is not for it.
    private final class PhaseCell: Sendable {
        let phase = Atomic<UInt8>(Phase.starting.rawValue)
        let hasOpened = Atomic<Bool>(false)
        let hasHeard = Atomic<Bool>(false)
        let lastReason = Mutex<String?>(nil)
    }

    package init() {}

    package var table: MetricTable { MetricTable(of: self) }

    /// Rows that this reader added.
    package var rows: Int { rowsStored.value }
    /// Scores whose row was there before.
    package var duplicates: Int { duplicateRows.value }
    /// Messages that were no scores.
    package var rejected: Int { rejectedMessages.value }
    /// Rows that tombstones deleted.
    package var erased: Int { erasedRows.value }
    /// Tombstones that erased nothing, since erasure is not configured.
    package var tombstonesPassed: Int { passedTombstones.value }
    /// Database transactions.
    package var batches: Int { storedBatches.value }
    /// Offsets of the topic that were deleted (retention) before they were stored.
    package var gone: Int { goneRecords.value }
    /// Tries that the database or the broker failed.
    package var retries: Int { failedTries.value }
    /// Records of the output topic that are committed and not stored yet, by the last fetch; nil while unknown.
    package var lag: Int64? { recordsBehind.value.map { Int64($0) } }
    /// Records that lay before the end of the topic when somebody asked to stop, and are not read; nil while unknown.
    package var unread: Int64? { unreadRecords.value.map { Int64($0) } }
    /// Whether the database was ever reached.
    package var hasOpened: Bool { state.hasOpened.load(ordering: .relaxed) }
    /// Whether a broker ever answered, and what was heard of it last when none did.
    package var hasHeardBroker: Bool { state.hasHeard.load(ordering: .relaxed) }
    package var brokerProblem: String? { state.lastReason.withLock { $0 } }
    package var phase: Phase { Phase(rawValue: state.phase.load(ordering: .relaxed)) ?? .starting }

    func count(_ outcome: AppendOutcome, rejected: Int) {
        guard case .stored(let inserted, let duplicates, let erased) = outcome else { return }
        rowsStored.add(inserted)
        duplicateRows.add(duplicates)
        erasedRows.add(erased)
        rejectedMessages.add(rejected)
        storedBatches.add(1)
    }

    func countOpening() { state.hasOpened.store(true, ordering: .relaxed) }
    func countBroker() { state.hasHeard.store(true, ordering: .relaxed) }
    func noteBroker(_ reason: String?) { state.lastReason.withLock { $0 = reason ?? $0 } }
    func countTombstone() { passedTombstones.add(1) }
    func countGone(_ count: Int64) { goneRecords.add(Int(count)) }
    func countFailure() { failedTries.add(1) }
    func setLag(_ lag: Int64) { recordsBehind.set(Double(lag)) }
    func setUnread(_ count: Int64) { unreadRecords.set(Double(count)) }
    func enter(_ phase: Phase) { state.phase.store(phase.rawValue, ordering: .relaxed) }
}
