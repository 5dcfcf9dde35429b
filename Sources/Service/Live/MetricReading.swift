import Base

/// The numbers of the metric table that the dashboard draws, at one moment.
///
/// A metric that is not there reads as nothing: a process without a pipeline has none of them.
struct MetricReading: Sendable {
    var messages = 0.0
    /// By decision.
    var scores: [String: Double] = [:]
    /// By code.
    var deadLetters: [String: Double] = [:]
    var requests = 0.0
    var lag = Double.nan
    var users = Double.nan
    var storeLag = Double.nan
    var rebalances = 0.0
    /// Of the latency from a record to its score, seconds.
    var latency: HistogramReading?

    init(_ table: MetricTable) {
        for metric in table.metrics {
            switch metric.about.name {
            case "impactiq_messages_total": messages = metric.total ?? 0
            case "impactiq_scores_total": scores = Self.byLabel(metric)
            case "impactiq_dead_letters_total": deadLetters = Self.byLabel(metric)
            case "impactiq_http_requests_total": requests = metric.total ?? 0
            case "impactiq_consumer_lag_records": lag = metric.total ?? .nan
            case "impactiq_state_users": users = metric.total ?? .nan
            case "impactiq_log_store_lag_records": storeLag = metric.total ?? .nan
            case "impactiq_rebalances_total": rebalances = Self.byLabel(metric)["assigned"] ?? 0
            case "impactiq_score_latency_seconds":
                if case .histogram(let reading)? = metric.samples.first?.value { latency = reading }
            default: break
            }
        }
    }

    private static func byLabel(_ metric: any Metric) -> [String: Double] {
        var values: [String: Double] = [:]
        for sample in metric.samples {
            if case .number(let number) = sample.value { values[sample.labels.first ?? "", default: 0] += number }
        }
        return values
    }

    /// What happened between an earlier reading and this one.
    func moment(since earlier: MetricReading, seconds: Double, time: Int64) -> LiveMoment {
        var moment = LiveMoment()
        func rate(_ now: Double, _ before: Double) -> Double { max(0, now - before) / max(seconds, 1e-3) }
        moment.time = time
        moment.messages = rate(messages, earlier.messages)
        moment.treat = rate(scores["treat"] ?? 0, earlier.scores["treat"] ?? 0)
        moment.suppress = rate(scores["suppress"] ?? 0, earlier.scores["suppress"] ?? 0)
        moment.uncertain = rate(scores["uncertain"] ?? 0, earlier.scores["uncertain"] ?? 0)
        moment.deadLetters = rate(deadLetters.values.reduce(0, +), earlier.deadLetters.values.reduce(0, +))
        moment.requests = rate(requests, earlier.requests)
        moment.lag = lag
        moment.users = users
        moment.storeLag = storeLag
        if let latency {
            let counts = Self.difference(latency.counts, earlier.latency?.counts ?? [])
            moment.median = Self.quantile(0.5, latency.bounds, counts) * 1_000
            moment.p99 = Self.quantile(0.99, latency.bounds, counts) * 1_000
        }
        return moment
    }

    /// Histograms grow by buckets at their end, whose counts before were in the open one.
    private static func difference(_ now: [Int], _ before: [Int]) -> [Int] {
        guard !before.isEmpty else { return now }
        return now.enumerated().map { index, count in
            let earlier = index < before.count - 1 || now.count == before.count ? before[index] : 0
            return max(0, count - earlier)
        }
    }

    /// Within the bucket by its rank, as Prometheus's `histogram_quantile` does.
    private static func quantile(_ q: Double, _ bounds: [Double], _ counts: [Int]) -> Double {
        let total = counts.reduce(0, +)
        guard total > 0 else { return .nan }
        let rank = q * Double(total)
        var below = 0.0
        for (index, count) in counts.enumerated() where count > 0 {
            if below + Double(count) >= rank {
                guard index < bounds.count else { return bounds.last ?? .nan }
                let low = index > 0 ? bounds[index - 1] : 0
                return low + (bounds[index] - low) * (rank - below) / Double(count)
            }
            below += Double(count)
        }
        return bounds.last ?? .nan
    }
}
