import Synchronization

/// Counts of values in buckets that grow by a quarter of an octave (relative error ≤ 19 %).
///
/// Many writers, many readers; relaxed atomics.
public final class Distribution: Sendable {
    /// From 1/16 ms, 128 quarter octaves reach beyond a day.
    public static let bucketCount = 128
    /// The first bucket's upper bound.
    public let smallest: Double
    private let buckets: [AtomicCount]
    private let sumBits = Atomic<UInt64>(0)

    public init(smallest: Double) {
        self.smallest = smallest
        buckets = (0..<Self.bucketCount).map { _ in AtomicCount() }
    }

    public func record(_ value: Double, count: Int = 1) {
        buckets[bucket(value)].add(count)
        var seen = sumBits.load(ordering: .relaxed)
        while true {
            let sum = (Double(bitPattern: seen) + value * Double(count)).bitPattern
            let (exchanged, original) = sumBits.weakCompareExchange(expected: seen, desired: sum, ordering: .relaxed)
            if exchanged { return }
            seen = original
        }
    }

    /// Counts a bucket since the start; differences of two give the distribution of an interval.
    public var counts: [Int] { buckets.map(\.value) }
    public var sum: Double { Double(bitPattern: sumBits.load(ordering: .relaxed)) }

    /// The upper bound of the bucket that holds the quantile; nil of an empty distribution.
    public func quantile(_ q: Double, of counts: [Int]) -> Double? {
        let total = counts.reduce(0, +)
        guard total > 0 else { return nil }
        var below = 0
        for (index, count) in counts.enumerated() {
            below += count
            if Double(below) >= q * Double(total) { return upperBound(index) }
        }
        return upperBound(counts.count - 1)
    }

    private func bucket(_ value: Double) -> Int {
        guard value > smallest else { return 0 }
        // Exponent and the two highest bits of the fraction: a quarter octave without a logarithm.
        let quarterOctaves = Int((value / smallest).bitPattern >> 50) - Int((1.0).bitPattern >> 50)
        return min(max(quarterOctaves + 1, 0), Self.bucketCount - 1)
    }

    private func upperBound(_ bucket: Int) -> Double {
        guard bucket > 0 else { return smallest }
        return Double(bitPattern: (1.0).bitPattern + UInt64(bucket) << 50) * smallest
    }

    /// Octaves that a reading tells apart: from 1/16 ms to 17 minutes.
    public static let octaves = 24

    /// The distribution in octaves: 128 bounds for each metric would only fill disks. The bounds are always the same, for sums
    /// over instances and labels need one set of them.
    public var reading: HistogramReading {
        let counts = counts
        let octaves = Self.octaves
        var sums = [counts[0]]
        for octave in 0..<octaves { sums.append(counts[(4 * octave + 1)...(4 * octave + 4)].reduce(0, +)) }
        sums.append(counts[(4 * octaves + 1)...].reduce(0, +))
        return HistogramReading(bounds: (0...octaves).map { upperBound(4 * $0) }, counts: sums, sum: sum)
    }
}

/// A ``Distribution`` in the metric table.
public final class Histogram: Metric {
    public let about: MetricDescription
    public let values: Distribution

    /// - Parameter smallest: the first bucket's upper bound, in the unit.
    public init(
        _ name: String, unit: MetricDescription.Unit = .none, smallest: Double,
        _ phrase: MetricDescription.Phrase? = nil, help: String
    ) {
        about = MetricDescription(name, .histogram, unit: unit, phrase: phrase, help: help)
        values = Distribution(smallest: smallest)
    }

    public func record(_ value: Double, count: Int = 1) { values.record(value, count: count) }

    public var total: Double? { nil }
    public var samples: [MetricSample] { [MetricSample(labels: [], value: .histogram(values.reading))] }
}

/// Histograms of one name, told apart by a label known beforehand.
public final class LabeledHistogram<Label: RawRepresentable & CaseIterable & Sendable>: Metric
where Label.RawValue == String {
    public let about: MetricDescription
    private let labels: [String]
    private let values: [Distribution]

    public init(
        _ name: String, label: String, _ type: Label.Type, unit: MetricDescription.Unit = .none, smallest: Double,
        help: String
    ) {
        about = MetricDescription(name, .histogram, unit: unit, labels: [label], help: help)
        labels = Label.allCases.map(\.rawValue)
        values = labels.map { _ in Distribution(smallest: smallest) }
    }

    public func record(_ value: Double, _ label: Label) {
        guard let place = labels.firstIndex(of: label.rawValue) else { return }
        values[place].record(value)
    }

    public var total: Double? { nil }
    public var samples: [MetricSample] {
        zip(labels, values).map { MetricSample(labels: [$0], value: .histogram($1.reading)) }
    }
}
