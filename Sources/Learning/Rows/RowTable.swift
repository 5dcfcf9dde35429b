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
        let table = try CSVTable(path: path)
        var readers: [FieldReader] = []
        for field in fields {
            let column = try table.index(of: field.column, role: field.role, option: field.option)
            readers.append(FieldReader(field, column))
        }
        var (rows, dropped) = (0, [Int](repeating: 0, count: readers.count))
        while try table.advance() {
            defer { rows += 1 }
            if let keep, !keep(rows) { continue }
            var reached = 0
            while reached < readers.count, try readers[reached].read(table) { reached += 1 }
            if reached < readers.count {
                for reader in readers[..<reached] { reader.values.removeLast() }
                dropped[reached] += 1
            }
            if rows & 0x3FFF == 0x3FFF { try progress(rows + 1, table.share) }
        }
        guard let first = readers.first, first.values.count > 0 else {
            let reasons = zip(fields, dropped).filter { $1 > 0 }.map { "\($1) without a usable '\($0.column)'" }
            throw ImpactError(
                .badInput, code: "rows_empty",
                "\(path) has no rows to use" + (reasons.isEmpty ? "" : ": " + reasons.joined(separator: ", ")))
        }
        for reader in readers { try reader.values.shrink() }
        let counts = zip(fields, dropped).filter { $1 > 0 }.map { ($0.name, $1) }
        return RowTable(
            path: path, fields: fields, columns: readers.map(\.values), levels: readers.map(\.levels), rowsRead: rows,
            dropped: Dictionary(counts, uniquingKeysWith: +))
    }
}

/// Reads one field of each row.
private struct FieldReader {
    let field: RowField
    let column: Int
    let values = FloatColumn()
    var levels: [String] = []
    private var codes: [String: Int] = [:]
    /// The text of the last row and its number: neighbours are often alike.
    private var last: (bytes: [UInt8], code: Float) = ([], .nan)
    private let wanted: [UInt8]
    private let isClosed: Bool

    init(_ field: RowField, _ column: Int) {
        self.field = field
        self.column = column
        var (wanted, isClosed): ([UInt8], Bool) = ([], false)
        switch field.reading {
        case .number: break
        case .equals(let text): wanted = Array(text.utf8)
        case .level(let only):
            isClosed = only != nil
            for level in only ?? [] where codes[level] == nil {
                codes[level] = levels.count
                levels.append(level)
            }
        }
        (self.wanted, self.isClosed) = (wanted, isClosed)
    }

    /// Appends the row's value; false when the row is to be left out (then nothing is appended).
    mutating func read(_ table: CSVTable) throws(ImpactError) -> Bool {
        switch field.reading {
        case .number:
            switch CSVDouble.read(table.text, table.record[column]) {
            case .value(let value):
                let float = Float(value)
                guard float.isFinite else { throw fault(table, "is beyond what a float32 holds") }
                try values.append(float)
                return true
            case .missing: return try missing(table)
            case .notANumber: throw fault(table, "is not a number")
            case .outOfRange: throw fault(table, "is beyond what a number holds")
            }
        case .equals:
            let bytes = trimmed(table)
            if bytes.isEmpty { return try missing(table) }
            try values.append(bytes.elementsEqual(wanted) ? 1 : 0)
            return true
        case .level:
            let bytes = trimmed(table)
            if bytes.isEmpty { return try missing(table) }
            if !bytes.elementsEqual(last.bytes) { last = (Array(bytes), try code(table)) }
            guard !last.code.isNaN else { return false }
            try values.append(last.code)
            return true
        }
    }

    private mutating func code(_ table: CSVTable) throws(ImpactError) -> Float {
        let level = table.record.text(table.text, column).trimmed
        if let code = codes[level] { return Float(code) }
        guard !isClosed else { return .nan }
        guard levels.count < RowTable.mostLevels else {
            throw table.fault(column, "the \(field.role) has more than \(RowTable.mostLevels) different values")
        }
        codes[level] = levels.count
        levels.append(level)
        return Float(levels.count - 1)
    }

    private func trimmed(_ table: CSVTable) -> Slice<UnsafeRawBufferPointer> {
        let place = table.record[column]
        var (start, end) = (place.start, place.end)
        while start < end, table.text[start] == 0x20 || table.text[start] == 0x09 { start += 1 }
        while start < end, table.text[end - 1] == 0x20 || table.text[end - 1] == 0x09 { end -= 1 }
        return table.text[start..<end]
    }

    private mutating func missing(_ table: CSVTable) throws(ImpactError) -> Bool {
        switch field.missing {
        case .keep:
            try values.append(.nan)
            return true
        case .dropRow: return false
        case .refuse: throw table.fault(column, "the \(field.role) is missing")
        }
    }

    private func fault(_ table: CSVTable, _ what: String) -> ImpactError {
        table.fault(column, "\"\(table.record.text(table.text, column).prefix(40))\" \(what)")
    }
}
