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

    /// Describes a column; NaN is a missing value. Quantiles come from at most `sample` values, evenly spread over the rows.
    package init(_ values: UnsafeBufferPointer<Float>, sample: Int = 100_000) {
        var (count, sum, low, high) = (0, 0.0, Float.infinity, -Float.infinity)
        var (isWhole, isBinary) = (true, true)
        for value in values where !value.isNaN {
            count += 1
            sum += Double(value)
            low = Swift.min(low, value)
            high = Swift.max(high, value)
            if value != 0, value != 1 { isBinary = false }
            if value != value.rounded() { isWhole = false }
        }
        let step = Swift.max(1, values.count / Swift.max(1, sample))
        var sorted = stride(from: 0, to: values.count, by: step).compactMap { values[$0].isNaN ? nil : values[$0] }
        sorted.sort()
        let last = Self.quantileCount - 1
        quantiles = sorted.isEmpty ? [] : (0...last).map { Double(sorted[(sorted.count - 1) * $0 / last]) }
        if count > 0, !quantiles.isEmpty { (quantiles[0], quantiles[last]) = (Double(low), Double(high)) }
        kind = isBinary ? .binary : isWhole ? .integer : .number
        min = count > 0 ? Double(low) : 0
        max = count > 0 ? Double(high) : 0
        mean = count > 0 ? sum / Double(count) : 0
        missing = values.isEmpty ? 0 : Double(values.count - count) / Double(values.count)
    }
}
