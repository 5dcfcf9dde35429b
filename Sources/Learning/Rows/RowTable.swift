import Base
import Tabular

/// Rows of a CSV (plain, gzip or zstd; columns in any order) as columns of float32.
///
/// ```swift
/// let table = try RowTable.read(path: "rows.csv", fields: [RowField("recency"), RowField("visit", missing: .dropRow)])
/// let visits = table["visit"]?.buffer
/// ```
package final class RowTable: Sendable {
    package let path: String
    package let fields: [RowField]
    /// One a field, all of `count` values.
    package let columns: [FloatColumn]
    /// For each field read as a level, the texts behind its numbers.
    package let levels: [[String]]
    /// Rows of the table, and rows of the file.
    package let count: Int
    package let rowsRead: Int
    /// Rows left out, by the name of the field that decided so.
    package let dropped: [String: Int]

    private init(
        path: String, fields: [RowField], columns: [FloatColumn], levels: [[String]], rowsRead: Int,
        dropped: [String: Int]
    ) {
        self.path = path
        self.fields = fields
        self.columns = columns
        self.levels = levels
        self.rowsRead = rowsRead
        self.dropped = dropped
        count = columns.first?.count ?? 0
    }

    /// The column of a field.
    package subscript(_ name: String) -> FloatColumn? {
        fields.firstIndex { $0.name == name }.map { columns[$0] }
    }

    /// The texts behind the numbers of a field that is read as a level.
    package func levels(of name: String) -> [String] {
        fields.firstIndex { $0.name == name }.map { levels[$0] } ?? []
    }

    /// The most texts that a field read as a level may have.
    package static let mostLevels = 1 << 22

    /// Reads a file.
    ///
    /// - Parameters:
    ///   - keep: of the rows with all their fields, those to keep, by their number in the file counted from 0; nil: all.
    ///   - progress: rows read, and the share of the file when it is known; called now and then.
    /// - Throws: `csv_open`, `csv_record`, `csv_value` … with line and column; `csv_column` when a column is not there;
    ///   `rows_empty`.
    package static func read(
        path: String, fields: [RowField], keep: ((Int) -> Bool)? = nil,
        progress: (Int, Double?) throws(ImpactError) -> Void = { _, _ in }
    ) throws(ImpactError) -> RowTable {
        let reader = try RowReader(path: path, fields: fields)
        guard try reader.next(.max, keep: keep, progress: progress) else { throw reader.nothingToUse }
        for column in reader.columns { try column.shrink() }
        return RowTable(
            path: path, fields: fields, columns: reader.columns, levels: reader.levels, rowsRead: reader.rowsRead,
            dropped: reader.dropped)
    }
}
