import Base
import Rows

/// Columns for linear models: standardised, missing values at the mean; columns without variance are left out.
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
    /// By column, `rows` values.
    let columns: [[Float]]

    var width: Int { columns.count }

    init(_ features: [FloatColumn], threads: Int) {
        rows = features.first?.count ?? 0
        let found = Slots<(Column, [Float])?>(features.count)
        Parallel.forEach(features.count, threads: threads) { feature in
            found[feature] = .some(Self.standardised(feature, features[feature]))
        }
        let kept = found.values.compactMap { $0 }
        sources = kept.map(\.0)
        columns = kept.map(\.1)
    }

    private static func standardised(_ feature: Int, _ column: FloatColumn) -> (Column, [Float])? {
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
        let source = Column(
            feature: feature, mean: mean, deviation: deviation, least: Double(least), greatest: Double(greatest))
        return (source, values.map { $0.isNaN ? 0 : Float((Double($0) - mean) / deviation) })
    }
}
