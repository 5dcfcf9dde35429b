import Base
import Pipeline
import Simulation
import Synchronization
import Terminal

/// The counters at one moment; two of them give rates.
struct DemoReading {
    private let time = ContinuousClock.now
    private let messages: Int
    private let board: DemoScoreboard
    private let distribution: Distribution
    private let latencies: [Int]

    init(_ metrics: PipelineMetrics, _ follower: DemoScoreFollower) {
        messages = metrics.messages.value
        board = follower.snapshot
        distribution = follower.latency
        latencies = distribution.counts
    }

    /// What to show: totals, with rates and latencies of the time since an earlier reading (nil: of all the time).
    func snapshot(since earlier: DemoReading?, metrics: PipelineMetrics, sent: Int) -> DemoSnapshot {
        var snapshot = DemoSnapshot(board: board)
        snapshot.events = messages
        snapshot.lag = max(0, sent - messages)
        snapshot.deadLetters = metrics.deadLetters.value
        snapshot.duplicates = metrics.duplicates.value
        snapshot.late = metrics.late.value
        snapshot.users = Int(metrics.users.total ?? 0)
        var counts = latencies
        if let earlier {
            let seconds = (time - earlier.time) / .seconds(1)
            if seconds > 0 {
                snapshot.eventsPerSecond = Double(messages - earlier.messages) / seconds
                snapshot.scoresPerSecond = Double(board.total - earlier.board.total) / seconds
            }
            counts = zip(latencies, earlier.latencies).map { $0 - $1 }
        }
        snapshot.median = distribution.quantile(0.5, of: counts)
        snapshot.p99 = distribution.quantile(0.99, of: counts)
        return snapshot
    }
}

extension DemoSnapshot {
    /// The same for machines.
    var json: JSONOutput {
        [
            "elapsed_s": .number((elapsed * 10).rounded() / 10), "events": .integer(events),
            "events_per_s": .number(eventsPerSecond.rounded()), "scores": .integer(board.total),
            "scores_per_s": .number(scoresPerSecond.rounded()), "lag": .integer(lag),
            "latency_p50_ms": median.map { .number($0) } ?? .null, "latency_p99_ms": p99.map { .number($0) } ?? .null,
            "dead_letters": .integer(deadLetters), "duplicates": .integer(duplicates), "late": .integer(late),
            "users": .integer(users), "segments": .array(board.rows.map(\.json)),
        ]
    }
}

extension DemoScoreboard.Row {
    fileprivate var json: JSONOutput {
        let n = Double(max(scores, 1))
        let mean = { (sum: Double) in scores > 0 ? JSONOutput.number(sum / n) : .null }
        return [
            "segment": .text(segment.name), "scores": .integer(scores), "truth": mean(truth),
            "estimate": mean(estimate),
            "std_error": mean(standardError), "interval_holds_truth": mean(Double(covered)),
            "treat": .integer(treat), "suppress": .integer(suppress), "uncertain": .integer(uncertain),
        ]
    }
}
