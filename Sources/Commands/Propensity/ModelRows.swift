import Base
import Scoring
import Tabular

/// The rows of a CSV as a model's inputs, with the text of every field beside them: for commands that look at customers one
/// by one. (`model score` streams files of any size.)
struct ModelRows {
    let path: String
    var columns: [String] = []
    /// The fields of each row, as text.
    var texts: [[String]] = []
    var lines: [Int] = []
    /// What the model takes: `model.rowStride` floats per row; empty without a model.
    var inputs: [Float] = []

    static let mostRows = 1_000_000

    init(path: String, model: Model? = nil) throws(ImpactError) {
        self.path = path
        let table = try CSVTable(path: path)
        columns = table.columns
        let reader = try model.map { model throws(ImpactError) in try ModelRowReader(table, model) }
        var row = [Float](repeating: 0, count: model?.rowStride ?? 0)
        while try table.advance() {
            guard texts.count < Self.mostRows else {
                throw ImpactError(
                    .badInput, code: "too_many_rows",
                    "\(path) has more than \(Self.mostRows) rows; this command holds all of them")
            }
            texts.append(columns.indices.map { table.record.text(table.text, $0) })
            lines.append(table.line)
            if let reader {
                try reader.read(table, into: &row, refusesMissing: true)
                inputs += row
            }
        }
        guard !texts.isEmpty else {
            throw ImpactError(.badInput, code: "rows_empty", "\(path) has a heading and no rows")
        }
    }

    func column(_ name: String, for role: String) throws(ImpactError) -> Int {
        if let index = columns.firstIndex(of: name) { return index }
        let near = NearestName.find(name, among: columns).map { "; did you mean '\($0)'?" } ?? ""
        throw ImpactError(.badInput, code: "csv_column", "\(path) has no column '\(name)' for the \(role)\(near)")
    }

    /// An error about a field of a row.
    func fault(_ row: Int, _ column: Int, _ what: String) -> ImpactError {
        ImpactError(
            .badInput, code: "csv_value", "\(path) line \(lines[row]), column '\(columns[column])': \(what)")
    }

    /// A model's estimates for every row; it must be the one that the rows were read for.
    func estimates(_ model: Model, standardErrors: Bool = false) -> [Estimate] {
        var estimates = [Estimate](
            repeating: Estimate(effect: .nan, standardError: .nan), count: texts.count * model.effectCount)
        ParallelScorer(model: model).score(
            rows: inputs, stride: model.rowStride, count: texts.count, into: &estimates,
            standardErrors: standardErrors)
        return estimates
    }
}
