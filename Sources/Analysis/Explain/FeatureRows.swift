import Base
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
    package init(path: String, features: [String], limit: Int = .max) throws(ImpactError) {
        let table = try CSVTable(path: path)
        let places = try features.map { name throws(ImpactError) in
            guard let place = table.columns.firstIndex(of: name) else {
                let absent = features.filter { !table.columns.contains($0) }
                throw ImpactError(
                    .badInput, code: "csv_header",
                    "\(table.name), line 1: the model's features \(NameList.text(absent, quoted: true)) have no column")
            }
            return place
        }
        stride = features.count
        while count < limit, try table.advance() {
            for place in places {
                switch CSVDouble.read(table.text, table.record[place]) {
                case .value(let value): values.append(Float(value))
                case .missing: values.append(.nan)
                case .outOfRange, .notANumber:
                    throw table.fault(place, "'\(table.record.text(table.text, place).prefix(40))' is not a number")
                }
            }
            count += 1
        }
        guard count > 0 else {
            throw ImpactError(.badInput, code: "csv_empty", "\(table.name) has a heading and no rows")
        }
    }
}
