import Base
import Rows

/// Columns for linear models: standardised, missing values at the mean; columns without variance are left out.
///
/// Computed from the features whenever a row is asked for: a copy would cost as much memory as the features themselves.
struct Design: Sendable {
    struct Column: Sendable, Equatable {
        var feature: Int
        var mean: Double
        var deviation: Double
        var least: Double
        var greatest: Double
    }

    let rows: Int
    /// Where each column comes from.
    let sources: [Column]
    private let features: [FloatColumn]

    var width: Int { sources.count }

    init(_ features: [FloatColumn], threads: Int) {
        rows = features.first?.count ?? 0
        let found = Slots<Column?>(features.count)
        Parallel.forEach(features.count, threads: threads) { feature in
            found[feature] = .some(Self.standardised(feature, features[feature]))
        }
        sources = found.values.compactMap { $0 }
        self.features = sources.map { features[$0.feature] }
    }

    /// One value: (x − mean) / deviation.
    @inline(__always)
    func value(_ column: Int, _ row: Int) -> Double {
        let (x, source) = (Double(features[column][row]), sources[column])
        return x.isNaN ? 0 : (x - source.mean) / source.deviation
    }

    /// The first `width` places of `x`.
    @inline(__always)
    func read(_ row: Int, into x: inout [Double]) {
        for column in 0..<sources.count { x[column] = value(column, row) }
    }

    /// Whether a column has two values at the most, missing ones among them.
    func hasTwoValues(_ column: Int) -> Bool {
        let first = value(column, 0)
        var second: Double?
        for row in 1..<max(1, rows) {
            let value = value(column, row)
            if value == first || value == second { continue }
            if second != nil { return false }
            second = value
        }
        return true
    }

    private static func standardised(_ feature: Int, _ column: FloatColumn) -> Column? {
        let values = column.buffer
        var (sum, count) = (0.0, 0)
        var (least, greatest) = (Float.infinity, -Float.infinity)
        for value in values where !value.isNaN {
            sum += Double(value)
            count += 1
            least = min(least, value)
            greatest = max(greatest, value)
        }
        guard count > 1, least < greatest else { return nil }
        let mean = sum / Double(count)
        var squares = 0.0
        for value in values where !value.isNaN { squares += (Double(value) - mean) * (Double(value) - mean) }
        let deviation = (squares / Double(count)).squareRoot()
        guard deviation > 0, deviation.isFinite else { return nil }
        return Column(
            feature: feature, mean: mean, deviation: deviation, least: Double(least), greatest: Double(greatest))
    }
}
