import Synchronization

/// A number that goes up and down; nil while nobody knows it.
package final class Gauge: Metric {
    package let about: MetricDescription
    /// A double's bits; NaN is the unknown.
    private let bits = Atomic<UInt64>(Double.nan.bitPattern)

    package init(
        _ name: String, unit: MetricDescription.Unit = .none, _ phrase: MetricDescription.Phrase? = nil, help: String
    ) {
        about = MetricDescription(name, .gauge, unit: unit, phrase: phrase, help: help)
    }

    package func set(_ value: Double?) { bits.store((value ?? .nan).bitPattern, ordering: .relaxed) }
    package func set(_ value: Int) { set(Double(value)) }

    package var value: Double? {
        let value = Double(bitPattern: bits.load(ordering: .relaxed))
        return value.isNaN ? nil : value
    }
    package var total: Double? { value }
    package var samples: [MetricSample] { value.map { [MetricSample(labels: [], value: .number($0))] } ?? [] }
}

/// Gauges of one name, told apart by labels. Each owner (a worker) says all of its own at once, once a second or so.
package final class LabeledGauge: Metric {
    package let about: MetricDescription
    private let values = Mutex<[String: [(labels: [String], value: Double?)]]>([:])

    package init(
        _ name: String, labels: [String], unit: MetricDescription.Unit = .none,
        _ phrase: MetricDescription.Phrase? = nil, help: String
    ) {
        about = MetricDescription(name, .gauge, unit: unit, labels: labels, phrase: phrase, help: help)
    }

    /// Replaces what this owner said before; nothing when it has nothing any more.
    /// - Parameter samples: values with their labels, nil where the value is unknown.
    package func set(_ samples: [(labels: [String], value: Double?)], of owner: String) {
        values.withLock { $0[owner] = samples.isEmpty ? nil : samples }
    }

    /// All that is known or known to be unknown, by the owners' names.
    private var all: [(labels: [String], value: Double?)] {
        values.withLock { $0.sorted { $0.key < $1.key }.flatMap(\.value) }
    }

    /// The sum; nil while one of the values is unknown.
    package var total: Double? {
        all.reduce(0.0) { sum, sample in sum.flatMap { sum in sample.value.map { sum + $0 } } }
    }

    package var samples: [MetricSample] {
        all.compactMap { sample in
            sample.value.map { MetricSample(labels: sample.labels, value: .number($0)) }
        }
    }
}
