/// What a metric is: the one place where its name, kind, unit and help stand.
///
/// A metric is declared once, as a property of the class that counts it (`PipelineMetrics`, `LogStoreCounters`). The log
/// line, `/metrics` and the dashboard go over ``MetricTable`` and name none.
public struct MetricDescription: Sendable, Equatable {
    /// Prometheus's types.
    public enum Kind: String, Sendable, CaseIterable {
        case counter, gauge, histogram
    }

    /// Base units only, as Prometheus asks.
    public enum Unit: String, Sendable {
        case none = "", seconds, bytes
    }

    /// How the log line says a number.
    public enum Phrase: Sendable, Equatable {
        /// `12 scores`.
        case count(String)
        /// `12 merged late`; left out while it is 0.
        case countIfAny(String)
        /// `lag 12`, or `lag unknown`.
        case named(String)
        /// `latency p99 ≤ 12 ms`, of a histogram in seconds; left out while it is empty.
        case p99(String)
    }

    /// `impactiq_…`, in Prometheus's style: base unit and, for a counter, `_total` at the end.
    public let name: String
    public let kind: Kind
    public let unit: Unit
    /// One sentence without a full stop.
    public let help: String
    /// Names of the labels, in the order of a sample's values.
    public let labels: [String]
    /// Nil for a metric that the log line leaves out.
    public let phrase: Phrase?

    public init(
        _ name: String, _ kind: Kind, unit: Unit = .none, labels: [String] = [], phrase: Phrase? = nil, help: String
    ) {
        self.name = name
        self.kind = kind
        self.unit = unit
        self.help = help
        self.labels = labels
        self.phrase = phrase
    }
}

/// What a metric says at one moment.
public struct MetricSample: Sendable, Equatable {
    public enum Value: Sendable, Equatable {
        case number(Double)
        case histogram(HistogramReading)
    }

    /// One value for each of the description's labels.
    public var labels: [String]
    public var value: Value

    public init(labels: [String], value: Value) {
        self.labels = labels
        self.value = value
    }
}

/// A histogram at one moment.
public struct HistogramReading: Sendable, Equatable {
    /// Upper bounds, growing; the last bucket has none (`+Inf`), so there is one count more.
    public var bounds: [Double]
    /// Values of each bucket alone (Prometheus's `le` buckets are the sums up to there).
    public var counts: [Int]
    public var sum: Double
    public var count: Int { counts.reduce(0, +) }
}

/// A counter, gauge or histogram: written by the hot path with relaxed atomics, read by anyone at any time.
public protocol Metric: AnyObject, Sendable {
    var about: MetricDescription { get }
    /// What is known now: a gauge nobody knows the value of has no sample.
    var samples: [MetricSample] { get }
    /// All samples as one number: the sum over the labels, nil while one of them is unknown or for a histogram.
    var total: Double? { get }
}

/// The metrics of one or more owners, in the order of their declaration.
public struct MetricTable: Sendable {
    public let metrics: [any Metric]

    /// - Parameter owners: objects whose stored properties are metrics; a property of another kind is passed over.
    public init(of owners: Any...) {
        metrics = owners.flatMap { Mirror(reflecting: $0).children.compactMap { $0.value as? any Metric } }
        let names = Set(metrics.map(\.about.name))
        precondition(names.count == metrics.count, "two metrics have one name")
    }
}
