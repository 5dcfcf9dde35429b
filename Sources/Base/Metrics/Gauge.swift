import Synchronization

/// A number that goes up and down; nil while nobody knows it.
public final class Gauge: Metric {
    public let about: MetricDescription
    /// A double's bits; NaN is the unknown.
    private let bits = Atomic<UInt64>(Double.nan.bitPattern)

    public init(
        _ name: String, unit: MetricDescription.Unit = .none, _ phrase: MetricDescription.Phrase? = nil, help: String
    ) {
        about = MetricDescription(name, .gauge, unit: unit, phrase: phrase, help: help)
    }

    public func set(_ value: Double?) { bits.store((value ?? .nan).bitPattern, ordering: .relaxed) }
    public func set(_ value: Int) { set(Double(value)) }

    public var value: Double? {
        let value = Double(bitPattern: bits.load(ordering: .relaxed))
        return value.isNaN ? nil : value
    }
    public var total: Double? { value }
    public var samples: [MetricSample] { value.map { [MetricSample(labels: [], value: .number($0))] } ?? [] }
}

/// Gauges of one name, told apart by labels. Each owner (a worker) says all of its own at once, once a second or so.
public final class LabeledGauge: Metric {
    public let about: MetricDescription
    private let values = Mutex<[String: [(labels: [String], value: Double?)]?]>([:])

    /// - Parameter kind: `.counter` for what another library counts and tells as a number.
    public init(
        _ name: String, kind: MetricDescription.Kind = .gauge, labels: [String],
        unit: MetricDescription.Unit = .none, _ phrase: MetricDescription.Phrase? = nil, help: String
    ) {
        about = MetricDescription(name, kind, unit: unit, labels: labels, phrase: phrase, help: help)
    }

    /// Replaces what this owner said before.
    /// - Parameter samples: values with their labels, nil where the value is unknown; nil when all is unknown.
    public func set(_ samples: [(labels: [String], value: Double?)]?, of owner: String) {
        values.withLock { $0[owner] = .some(samples) }
    }

    /// What each owner said, by the owners' names.
    private var all: [[(labels: [String], value: Double?)]?] {
        values.withLock { $0.sorted { $0.key < $1.key }.map(\.value) }
    }

    /// The sum; nil while one of the values is unknown or nobody has said anything.
    public var total: Double? {
        let all = all
        if all.isEmpty { return nil }
        return all.reduce(0.0) { sum, owner in
            guard let sum, let owner else { return nil }
            return owner.reduce(sum as Double?) { sum, sample in sum.flatMap { sum in sample.value.map { sum + $0 } } }
        }
    }

    public var samples: [MetricSample] {
        all.flatMap { $0 ?? [] }.compactMap { sample in
            sample.value.map { MetricSample(labels: sample.labels, value: .number($0)) }
        }
    }
}
