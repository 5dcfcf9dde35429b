import Synchronization

/// A number that only grows, except that a rollback may take events back.
public final class Counter: Metric {
    public let about: MetricDescription
    private let count = Atomic<Int>(0)

    public init(_ name: String, _ phrase: MetricDescription.Phrase? = nil, help: String) {
        about = MetricDescription(name, .counter, phrase: phrase, help: help)
    }

    @inline(__always)
    public func add(_ more: Int) { count.wrappingAdd(more, ordering: .relaxed) }

    public var value: Int { count.load(ordering: .relaxed) }
    public var total: Double? { Double(value) }
    public var samples: [MetricSample] { [MetricSample(labels: [], value: .number(Double(value)))] }
}

/// Counters of one name, told apart by a label.
public final class LabeledCounter: Metric {
    public let about: MetricDescription
    private let fixed: [String]
    private let counts: [AtomicCount]
    private let others = Mutex<[String: Int]>([:])

    /// - Parameter values: labels known beforehand, which are counted by their place, without a lock; shown while 0.
    public init(
        _ name: String, label: String, values: [String] = [], _ phrase: MetricDescription.Phrase? = nil, help: String
    ) {
        about = MetricDescription(name, .counter, labels: [label], phrase: phrase, help: help)
        fixed = values
        counts = values.map { _ in AtomicCount() }
    }

    /// Counts under the label at this place of `values`.
    @inline(__always)
    public func add(_ more: Int, at place: Int) { counts[place].add(more) }

    /// Counts under any label: for what is rare.
    public func add(_ more: Int, _ label: String) {
        if let place = fixed.firstIndex(of: label) { return add(more, at: place) }
        others.withLock { $0[label, default: 0] += more }
    }

    /// Over all labels.
    public var value: Int { counts.reduce(0) { $0 + $1.value } + others.withLock { $0.values.reduce(0, +) } }
    public var total: Double? { Double(value) }
    /// Under one label.
    public func value(of label: String) -> Int {
        fixed.firstIndex(of: label).map { counts[$0].value } ?? others.withLock { $0[label] ?? 0 }
    }
    /// Counts of labels that were not known beforehand.
    public var byLabel: [String: Int] { others.withLock { $0 } }
    public var samples: [MetricSample] {
        let known = zip(fixed, counts).map { ($0, $1.value) }
        let rare = others.withLock { $0.sorted { $0.key < $1.key } }
        return (known + rare.map { ($0.key, $0.value) })
            .map { MetricSample(labels: [$0.0], value: .number(Double($0.1))) }
    }
}

/// An atomic number in an array.
final class AtomicCount: Sendable {
    private let count = Atomic<Int>(0)

    @inline(__always)
    func add(_ more: Int) { count.wrappingAdd(more, ordering: .relaxed) }
    var value: Int { count.load(ordering: .relaxed) }
}
