/// What values per feature had in the rows that a model was trained on: for simulators, sanity checks and drift.
package struct FeatureRange: Codable, Sendable, Equatable {
    package enum Kind: String, Codable, Sendable {
        /// 0 and 1 alone.
        case binary = "binary"
        case integer = "integer"
        case number = "number"
    }

    package var kind: Kind
    /// Of the values that are not missing; 0 when there are none.
    package var min: Double
    package var max: Double
    package var mean: Double
    /// The share of rows without a value, 0 … 1.
    package var missing: Double
    /// Quantiles at 0, 1/20, 2/20 … 1: values of the rows themselves.
    package var quantiles: [Double]

    package static let quantileCount = 21

    // Names of the model file.
    private enum CodingKeys: String, CodingKey {
        case kind = "kind"
        case min = "min"
        case max = "max"
        case mean = "mean"
        case missing = "missing"
        case quantiles = "quantiles"
    }

    package init(kind: Kind, min: Double, max: Double, mean: Double, missing: Double, quantiles: [Double]) {
        self.kind = kind
        self.min = min
        self.max = max
        self.mean = mean
        self.missing = missing
        self.quantiles = quantiles
    }

    /// Describes a column; NaN is a missing value. Quantiles come from at most 131,072 values, evenly spread over the rows.
    package init(_ values: UnsafeBufferPointer<Float>) {
        var running = RunningRange()
        running.add(values)
        self = running.range
    }
}

/// A column's description as its values come by, and an even sample of them.
package struct RunningRange: Sendable {
    /// Every so many-th row's value, missing ones left out; doubled whenever the sample is full.
    package private(set) var sample: [Float] = []
    private let most: Int
    private var step = 1
    private var rows = 0
    private var (count, sum, low, high) = (0, 0.0, Float.infinity, -Float.infinity)
    private var (isWhole, isBinary) = (true, true)
    /// The rows of the sample's values, to thin it out evenly.
    private var places: [UInt32] = []

    /// - Parameter most: values that the sample may hold.
    package init(most: Int = 1 << 17) { self.most = most }

    package mutating func add(_ values: UnsafeBufferPointer<Float>) {
        for value in values where !value.isNaN {
            count += 1
            sum += Double(value)
            low = min(low, value)
            high = max(high, value)
            if value != 0, value != 1 { isBinary = false }
            if value != value.rounded() { isWhole = false }
        }
        var row = (rows + step - 1) / step * step
        while row < rows + values.count {
            let value = values[row - rows]
            if !value.isNaN {
                sample.append(value)
                places.append(UInt32(row))
            }
            if sample.count > most { thin() }
            row = (row / step + 1) * step
        }
        rows += values.count
    }

    /// Gives values that are codes other numbers.
    ///
    /// - Parameters:
    ///   - codes: for each code the new one.
    ///   - counts: for each code how many rows have it.
    package mutating func recode(_ codes: [Float], counts: [Int]) {
        sample = sample.map { codes[Int($0)] }
        sum = zip(codes, counts).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        (low, high) = (codes.min() ?? .infinity, codes.max() ?? -.infinity)
        isBinary = codes.count <= 2
    }

    private mutating func thin() {
        step *= 2
        var kept = 0
        for index in sample.indices where Int(places[index]) % step == 0 {
            (sample[kept], places[kept]) = (sample[index], places[index])
            kept += 1
        }
        sample.removeLast(sample.count - kept)
        places.removeLast(places.count - kept)
    }

    package var range: FeatureRange {
        let sorted = sample.sorted()
        let last = FeatureRange.quantileCount - 1
        var quantiles = sorted.isEmpty ? [] : (0...last).map { Double(sorted[(sorted.count - 1) * $0 / last]) }
        if count > 0, !quantiles.isEmpty { (quantiles[0], quantiles[last]) = (Double(low), Double(high)) }
        return FeatureRange(
            kind: isBinary ? .binary : isWhole ? .integer : .number, min: count > 0 ? Double(low) : 0,
            max: count > 0 ? Double(high) : 0, mean: count > 0 ? sum / Double(count) : 0,
            missing: rows == 0 ? 0 : Double(rows - count) / Double(rows), quantiles: quantiles)
    }
}
