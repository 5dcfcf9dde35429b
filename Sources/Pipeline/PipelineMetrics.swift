import Synchronization

/// What the pipeline has done so far: written by one worker a batch at a time, read by anyone.
///
/// Relaxed atomics: the numbers of one reading may be a batch apart, none is ever lost.
package final class PipelineMetrics: Sendable {
    package let messages = Atomic<Int>(0)
    /// Valid events applied to state.
    package let events = Atomic<Int>(0)
    package let scores = Atomic<Int>(0)
    package let deadLetters = Atomic<Int>(0)
    package let duplicates = Atomic<Int>(0)
    package let late = Atomic<Int>(0)
    /// Records of several input topics that came after the merge's wait: a replay may order them differently.
    package let outOfOrder = Atomic<Int>(0)
    package let commits = Atomic<Int>(0)
    package let aborts = Atomic<Int>(0)
    package let changelogRecords = Atomic<Int>(0)
    /// Users erased by `user.delete` events.
    package let erasures = Atomic<Int>(0)
    /// Users restored from the local copy, and records of the changelog replayed.
    package let restoredUsers = Atomic<Int>(0)
    package let replayedRecords = Atomic<Int>(0)
    /// Users dropped from memory, which the local copy has, and users brought back.
    package let evictedUsers = Atomic<Int>(0)
    package let reloadedUsers = Atomic<Int>(0)
    /// Scores by decision, in the order of `Decision`'s raw values.
    package let treat = Atomic<Int>(0)
    package let suppress = Atomic<Int>(0)
    package let uncertain = Atomic<Int>(0)
    /// Lag and users, as each worker last said (once a second).
    package let workers = WorkerGauges()
    /// What the events are like, as each worker last said (once a second).
    package let input = InputStatistics()
    /// Milliseconds from a record's timestamp to its score's hand-over to the producer.
    package let latency = LatencyHistogram()

    package init() {}
}

/// A histogram of latencies in milliseconds with bounds growing by a quarter of an octave (relative error ≤ 19 %).
///
/// One writer, many readers; relaxed atomics.
package final class LatencyHistogram: Sendable {
    /// Quarter octaves from 1/16 ms: the last bound lies beyond a day.
    static let bucketCount = 128
    private let buckets: [AtomicCount]

    private final class AtomicCount: Sendable {
        let value = Atomic<Int>(0)
    }

    package init() { buckets = (0..<Self.bucketCount).map { _ in AtomicCount() } }

    package func record(milliseconds: Double, count: Int) {
        buckets[Self.bucket(milliseconds)].value.wrappingAdd(count, ordering: .relaxed)
    }

    /// Counts a bucket since the start; differences of two give the latencies of an interval.
    package func snapshot() -> [Int] { buckets.map { $0.value.load(ordering: .relaxed) } }

    /// The upper bound of the bucket that holds the quantile, in milliseconds; nil of an empty histogram.
    package static func quantile(_ q: Double, of counts: [Int]) -> Double? {
        let total = counts.reduce(0, +)
        guard total > 0 else { return nil }
        var below = 0
        for (index, count) in counts.enumerated() {
            below += count
            if Double(below) >= q * Double(total) { return upperBound(index) }
        }
        return upperBound(counts.count - 1)
    }

    static func bucket(_ milliseconds: Double) -> Int {
        guard milliseconds > 1.0 / 16 else { return 0 }
        // Exponent and the two highest bits of the fraction: a quarter octave without a logarithm.
        let scaled = (milliseconds * 16).bitPattern
        let quarterOctaves = Int(scaled >> 50) - Int((1.0).bitPattern >> 50)
        return min(max(quarterOctaves + 1, 0), bucketCount - 1)
    }

    static func upperBound(_ bucket: Int) -> Double {
        guard bucket > 0 else { return 1.0 / 16 }
        return Double(bitPattern: (1.0).bitPattern + UInt64(bucket) << 50) / 16
    }
}

/// What each worker said last about its lag and its users.
package final class WorkerGauges: Sendable {
    private let values = Mutex<[String: (lag: Int, users: Int)]>([:])

    func update(_ worker: String, lag: Int, users: Int) { values.withLock { $0[worker] = (lag, users) } }

    /// Messages not yet consumed, over all workers of this process.
    package var lag: Int { values.withLock { $0.values.reduce(0) { $0 + $1.lag } } }
    /// Users in state, over all workers of this process.
    package var users: Int { values.withLock { $0.values.reduce(0) { $0 + $1.users } } }
}
