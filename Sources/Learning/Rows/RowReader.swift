import Base
import Tabular

/// Reads rows of a CSV (plain, gzip or zstd) part by part, so that memory holds one part only.
///
/// ```swift
/// let reader = try RowReader(path: "rows.csv", fields: fields)
/// while try reader.next(65_536) { use(reader.columns) }       // the columns hold the rows of the part
/// ```
package final class RowReader {
    package let path: String
    package let fields: [RowField]
    /// One a field: the values of the part at hand.
    package let columns: [FloatColumn]
    /// Rows of the file so far, and those left out by field.
    package private(set) var rowsRead = 0
    /// For each row of the part its number in the file, from 0; empty unless ``keepsNumbers``.
    package private(set) var numbers: [Int] = []
    package var keepsNumbers = false
    private var droppedBy: [Int]
    private let table: CSVTable
    private var readers: [FieldReader] = []

    /// - Throws: `csv_open` …; `csv_column` when a column is not there.
    package init(path: String, fields: [RowField]) throws(ImpactError) {
        table = try CSVTable(path: path)
        self.path = path
        self.fields = fields
        for field in fields {
            readers.append(
                FieldReader(field, try table.index(of: field.column, role: field.role, option: field.option)))
        }
        columns = readers.map(\.values)
        droppedBy = [Int](repeating: 0, count: fields.count)
    }

    /// For each field read as a level, the texts behind its numbers so far.
    package var levels: [[String]] { readers.map(\.levels) }
    /// Rows left out so far, by the name of the field that decided so.
    package var dropped: [String: Int] {
        Dictionary(zip(fields, droppedBy).filter { $1 > 0 }.map { ($0.name, $1) }, uniquingKeysWith: +)
    }

    /// What is wrong with a file that gave no row.
    package var nothingToUse: ImpactError {
        let reasons = zip(fields, droppedBy).filter { $1 > 0 }.map { "\($1) without a usable '\($0.column)'" }
        return ImpactError(
            .badInput, code: "rows_empty",
            "\(path) has no rows to use" + (reasons.isEmpty ? "" : ": " + reasons.joined(separator: ", ")))
    }

    /// Reads the next part in place of the last: at most `most` rows; false when there was none.
    ///
    /// - Parameters:
    ///   - keep: of the rows with all their fields, those to keep, by their number in the file counted from 0; nil: all.
    ///   - progress: rows read, and the share of the file when it is known; called now and then.
    /// - Throws: `csv_record`, `csv_value` … with line and column.
    package func next(
        _ most: Int, keep: ((Int) -> Bool)? = nil,
        progress: (Int, Double?) throws(ImpactError) -> Void = { _, _ in }
    ) throws(ImpactError) -> Bool {
        // A local: each look at a property of a class costs a check of exclusive access.
        var readers = self.readers
        self.readers = []
        defer { self.readers = readers }
        for column in columns { column.removeAll() }
        numbers.removeAll(keepingCapacity: true)
        guard let first = columns.first else { return false }
        while first.count < most, try table.advance() {
            defer { rowsRead += 1 }
            if let keep, !keep(rowsRead) { continue }
            var reached = 0
            while reached < readers.count, try readers[reached].read(table) { reached += 1 }
            if reached < readers.count {
                for reader in readers[..<reached] { reader.values.removeLast() }
                droppedBy[reached] += 1
            } else if keepsNumbers {
                numbers.append(rowsRead)
            }
            if rowsRead & 0x3FFF == 0x3FFF { try progress(rowsRead + 1, table.share) }
        }
        return first.count > 0
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
                let float = Float(value - field.origin)
                guard float.isFinite else { throw fault(table, "is beyond what a float32 holds") }
                if value != 0, abs(float) < .leastNormalMagnitude, field.role != "feature", value != field.origin {
                    throw fault(table, "is nearer to 0 than a float32 can be; give the \(field.role) in a smaller unit")
                }
                if field.accepted != .all, let wrong = field.accepted.fault(float) {
                    throw fault(table, "as a \(field.role) \(wrong)")
                }
                if field.accepted == .notNegative, float == 0 { return false }
                try values.append(float)
                return true
            case .missing: return try missing(table)
            case .notANumber: throw fault(table, "is not a number")
            case .outOfRange: throw fault(table, "is beyond what a number holds")
            }
        case .equals:
            if table.record.trimmedBytes(table.text, column).isEmpty { return try missing(table) }
            try checkText(table)
            try values.append(table.record.isText(table.text, column, wanted) ? 1 : 0)
            return true
        case .level:
            let bytes = table.record.trimmedBytes(table.text, column)
            if bytes.isEmpty { return try missing(table) }
            if !bytes.elementsEqual(last.bytes) {
                try checkText(table)
                last = (Array(bytes), try code(table))
            }
            guard !last.code.isNaN else { return false }
            try values.append(last.code)
            return true
        }
    }

    private mutating func code(_ table: CSVTable) throws(ImpactError) -> Float {
        let level = table.record.trimmedText(table.text, column)
        if let code = codes[level] { return Float(code) }
        guard !isClosed else { return .nan }
        guard levels.count < field.mostLevels else {
            throw table.fault(
                column,
                "the \(field.role) has more than \(field.mostLevels) different values"
                    + (field.role == "feature" ? "; leave it out with --ignore" : ""))
        }
        codes[level] = levels.count
        levels.append(level)
        return Float(levels.count - 1)
    }

    private func checkText(_ table: CSVTable) throws(ImpactError) {
        if let why = table.record.textFault(table.text, column) { throw table.fault(column, why) }
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
