import Base
import Scoring
import Tabular

/// The rows of a CSV as a model's inputs, with the text of every field beside them: for commands that look at customers one
/// by one. (`model score` streams files of any size.)
struct ModelRows {
    var columns: [String] = []
    /// The fields of each row, as text.
    var texts: [[String]] = []
    var lines: [Int] = []

    static let mostRows = 1_000_000

    init(path: String) throws(ImpactError) {
        let table = try CSVTable(path: path)
        columns = table.columns
        while try table.advance() {
            guard texts.count < Self.mostRows else {
                throw ImpactError(
                    .badInput, code: "too_many_rows",
                    "\(path) has more than \(Self.mostRows) rows; this command holds all of them")
            }
            texts.append(columns.indices.map { table.record.text(table.text, $0) })
            lines.append(table.line)
        }
        guard !texts.isEmpty else {
            throw ImpactError(.badInput, code: "rows_empty", "\(path) has a heading and no rows")
        }
    }

    func column(_ name: String, for role: String) throws(ImpactError) -> Int {
        if let index = columns.firstIndex(of: name) { return index }
        let near = NearestName.find(name, among: columns).map { "; did you mean '\($0)'?" } ?? ""
        throw ImpactError(.badInput, code: "csv_column", "the rows have no column '\(name)' for the \(role)\(near)")
    }

    /// A row's values for a model: `model.rowStride` floats per row.
    func rows(for model: Model) throws(ImpactError) -> [Float] {
        var places: [Int] = []
        for name in model.featureNames { places.append(try column(name, for: "model's feature")) }
        var rows = [Float](repeating: 0, count: texts.count * model.rowStride)
        for (row, fields) in texts.enumerated() {
            for (feature, column) in places.enumerated() {
                rows[row * model.rowStride + feature] = try value(fields[column], model, feature, row, column)
            }
        }
        return rows
    }

    private func value(
        _ field: String, _ model: Model, _ feature: Int, _ row: Int, _ column: Int
    ) throws(ImpactError) -> Float {
        let text = field.trimmingSpaces
        func fault(_ what: String) -> ImpactError {
            ImpactError(.badInput, code: "csv_value", "line \(lines[row]), column '\(columns[column])': \(what)")
        }
        if model.levels(feature: feature) != nil {
            return text.isEmpty ? .nan : model.code(feature: feature, text: text) ?? .nan
        }
        if text.isEmpty || ["na", "nan", "null", "none"].contains(text.lowercased()) {
            guard model.acceptsMissing(feature: feature) else {
                throw fault("a value is missing, and the model needs it")
            }
            return .nan
        }
        guard let value = Double(text) else { throw fault("\"\(text.prefix(40))\" is not a number") }
        return Float(value)
    }

    /// A model's estimates for every row.
    func estimates(_ model: Model) throws(ImpactError) -> [Estimate] {
        let rows = try rows(for: model)
        var estimates = [Estimate](
            repeating: Estimate(effect: .nan, standardError: .nan), count: texts.count * model.effectCount)
        ParallelScorer(model: model).score(
            rows: rows, stride: model.rowStride, count: texts.count, into: &estimates, standardErrors: false)
        return estimates
    }
}

extension String {
    fileprivate var trimmingSpaces: String {
        var text = self[...]
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return String(text)
    }
}
