import Base
import Kafka

/// The way to the end after somebody has asked to stop.
struct Drainage {
    /// Where the log ended then; nil while the broker has not told.
    var ends: [Int32: Int64]?
    /// Since when all that is committed has been read.
    var idleSince: UInt64?
    var nextQuestion: UInt64 = 0
}

extension LogStoreFollower {
    /// One look at how far it is to the end; true when the reader may leave, all that it read being stored.
    ///
    /// The end is that of the log, not of its committed part: a commit is answered before its markers are written, so
    /// that the scores that the process has just committed may not count as committed yet. What others have in hand at
    /// that moment is waited for only a while.
    func drain(_ builder: ScoreBatchBuilder) throws(ReaderInterruption) -> Bool {
        counters.enter(.draining)
        let now = LogStoreStop.now()
        var state = drainage ?? Drainage()
        defer { drainage = state }
        if state.ends == nil, now >= state.nextQuestion {
            state.nextQuestion = now &+ 200_000_000
            do throws(ImpactError) {
                state.ends = try probe.logEnds(partitionCount)
            } catch {
                Log.warning("log-store", "asking where \(options.topic) ends before leaving: \(error.message)")
            }
        }
        if let ends = state.ends {
            let unread = ends.reduce(0) { $0 + max(0, $1.value - (builder.position($1.key) ?? 0)) }
            counters.setUnread(unread + Int64(builder.batch.rows.count))
            if unread == 0 || isPatienceOver(&state, now) {
                try flush(builder)
                counters.setUnread(unread)
                return true
            }
        }
        // A tenth of a second is kept for the last transaction.
        guard stop.secondsLeft < 0.1 else { return false }
        try flush(builder)
        throw .stopped
    }

    /// Whether all that is committed has been read, and for so long that what is open need not be waited for.
    private func isPatienceOver(_ state: inout Drainage, _ now: UInt64) -> Bool {
        guard atEnd.count == Int(partitionCount) else {
            state.idleSince = nil
            return false
        }
        let since = state.idleSince ?? now
        state.idleSince = since
        return Double(now &- since) / 1e9 >= options.openTransactionSeconds
    }

    /// The time is over, and the end was not reached.
    func sayWhatIsLeft() {
        let records = counters.unread.map { "\($0) records of \(options.topic)" } ?? "what \(options.topic) holds"
        Log.warning(
            "log-store",
            "the time to stop was over before \(records) could be stored: the next start, or impactiq log-store, reads on"
        )
    }
}
