import Base
import Foundation

extension MetricTable {
    /// The metrics that have a phrase, as one line for the log: `12 messages, 10 scores, lag 0`.
    package var line: String { metrics.compactMap(Self.phrase).joined(separator: ", ") }

    private static func phrase(_ metric: any Metric) -> String? {
        // A count of records or rows: nothing that is said in words has a fraction.
        let count = metric.total.map { String(format: "%.0f", $0) }
        switch metric.about.phrase {
        case nil: return nil
        case .count(let noun): return "\(count ?? "unknown") \(noun)"
        case .countIfAny(let noun): return (metric.total ?? 0) > 0 ? "\(count ?? "") \(noun)" : nil
        case .named(let name): return "\(name) \(count ?? "unknown")"
        case .p99(let name):
            guard let histogram = metric as? Histogram,
                let seconds = histogram.values.quantile(0.99, of: histogram.values.counts)
            else { return nil }
            return "\(name) \(HumanNumber.latency(milliseconds: seconds * 1_000))"
        }
    }
}
