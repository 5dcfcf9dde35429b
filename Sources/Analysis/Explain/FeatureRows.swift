import Base
import Scoring
import Tabular

/// The features of a CSV's rows in the order of a model.
package struct FeatureRows: Sendable {
    /// Row-major, `stride` floats per row; NaN is missing.
    package private(set) var values: [Float] = []
    package let stride: Int
    package private(set) var count = 0

    /// - Parameters:
    ///   - path: `-` is standard input.
    ///   - limit: rows that are read at the most.
    /// - Throws: `csv_…` naming file, line and column.
    package init(path: String, model: Model, limit: Int = .max) throws(ImpactError) {
        let table = try CSVTable(path: path)
        let reader = try ModelRowReader(table, model)
        stride = model.featureCount
        var row = [Float](repeating: .nan, count: model.rowStride)
        while count < limit, try table.advance() {
            try reader.read(table, into: &row)
            values += row[..<stride]
            count += 1
        }
        guard count > 0 else {
            throw ImpactError(.badInput, code: "csv_empty", "\(table.name) has a heading and no rows")
        }
    }
}
