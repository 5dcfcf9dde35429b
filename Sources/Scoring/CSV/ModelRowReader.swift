import Base
import Tabular

/// Reads the rows of a CSV as a model's inputs, one at a time: its columns in any order, categories by their texts, features
/// `column=text` as 0 and 1, arithmetic of the specification computed where it has no column.
///
/// For commands that look at rows one by one; `CSVScorer` streams files of any size by the same rules.
package struct ModelRowReader {
    private let model: Model
    /// For each feature its column, −1 when it follows from others; and the text that makes a feature `column=text` 1.
    private let columns: [Int]
    private let texts: [[UInt8]?]
    private let values: RowValues

    /// - Throws: `csv_header` naming the features that have no column.
    package init(_ table: CSVTable, _ model: Model) throws(ImpactError) {
        self.model = model
        values = RowValues(model)
        let derivable = Set(values.derivable)
        var (columns, texts, absent): ([Int], [[UInt8]?], [String]) = ([], [], [])
        for name in model.featureNames {
            var (column, text): (Int?, [UInt8]?) = (table.columns.firstIndex(of: name), nil)
            if column == nil, derivable.contains(name) {
                column = -1
            } else if column == nil, let equals = name.firstIndex(of: "=") {
                column = table.columns.firstIndex(of: String(name[..<equals]))
                text = Array(name[name.index(after: equals)...].utf8)
            }
            if column == nil { absent.append(name) }
            columns.append(column ?? -1)
            texts.append(text)
        }
        guard absent.isEmpty else {
            throw ImpactError(
                .badInput, code: "csv_header",
                "\(table.name), line 1: no column \(NameList.text(absent, quoted: true)) for the model's "
                    + (absent.count == 1 ? "feature" : "features"))
        }
        self.columns = columns
        self.texts = texts
    }

    /// Reads the row that the table stands at.
    ///
    /// - Parameters:
    ///   - row: `model.featureCount` floats at the least; NaN is missing.
    ///   - refusesMissing: a missing value that the model does not accept is an error; otherwise it is NaN.
    /// - Throws: `csv_value` with line and column.
    package func read(
        _ table: CSVTable, into row: UnsafeMutablePointer<Float>, refusesMissing: Bool = false
    ) throws(ImpactError) {
        for (feature, column) in columns.enumerated() where column >= 0 {
            row[feature] = try value(table, feature, column)
            if refusesMissing, row[feature].isNaN, !model.acceptsMissing(feature: feature) {
                throw table.fault(column, "a value is missing, and the model needs it")
            }
        }
        values.complete(row) { columns[$0] >= 0 }
    }

    private func value(_ table: CSVTable, _ feature: Int, _ column: Int) throws(ImpactError) -> Float {
        if let text = texts[feature] {
            guard !table.record.trimmedBytes(table.text, column).isEmpty else { return .nan }
            return table.record.isText(table.text, column, text) ? 1 : 0
        }
        if let categories = model.categories[feature] {
            let found = table.record.trimmedText(table.text, column)
            return found.isEmpty ? .nan : categories.code(of: found)
        }
        switch CSVNumber.read(table.text, table.record[column]) {
        case .value(let value): return value
        case .missing: return .nan
        case .notANumber:
            throw table.fault(column, "\"\(table.record.text(table.text, column).prefix(40))\" is not a number")
        case .outOfRange:
            throw table.fault(
                column, "\"\(table.record.text(table.text, column).prefix(40))\" is beyond what a float32 holds")
        }
    }
}
