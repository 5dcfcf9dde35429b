import Base
import Tabular

/// The columns of a CSV and where a model finds its features among them.
struct CSVHeader: Sendable {
    let names: [String]
    /// For each feature of the model its column; −1: it follows from others by the specification's arithmetic.
    let columnOfFeature: [Int]
    /// For a feature `column=text` that has no column of its own, the text that makes it 1 in `column`.
    let textOfFeature: [[UInt8]?]
    /// Columns that are not features.
    let others: [String]
    /// The header's bytes as they stood, without the line break.
    let bytes: [UInt8]

    static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

    /// Reads the header of `reader`'s file and leaves the reader before the first row. Throws `csv_header`.
    /// `derivable`: features that follow from others, whose columns may be absent.
    init(
        _ reader: CSVChunkReader, features: [String], derivable: [String] = [], buffer: UnsafeMutableRawBufferPointer
    ) throws(ImpactError) {
        guard let chunk = try reader.next(into: buffer) else {
            throw Self.fault(reader, "the file is empty; the first line must name the columns")
        }
        let text = UnsafeRawBufferPointer(rebasing: buffer[..<chunk.bytes])
        let record = CSVRecord()
        let start = text.starts(with: Self.byteOrderMark) ? Self.byteOrderMark.count : 0
        var next: Int
        do {
            next = try record.read(text, at: start)
        } catch {
            throw CSVFault.error(reader.name, line: 1 + error.breaks, error, names: [])
        }
        if next == text.count, chunk.isBroken {
            throw Self.fault(reader, "the first line is longer than \(buffer.count) bytes")
        }
        let names = (0..<record.count).map { record.trimmedText(text, $0) }
        let breaks = record.innerBreaks
        var columnsByName: [String: [Int]] = [:]
        for (column, name) in names.enumerated() { columnsByName[name, default: []].append(column) }
        var columns: [Int] = []
        var texts: [[UInt8]?] = []
        var absent: [String] = []
        for feature in features {
            let found = columnsByName[feature] ?? []
            if found.count > 1 {
                throw Self.fault(reader, "the column \"\(feature)\" stands there \(found.count) times")
            }
            var text: [UInt8]?
            if let column = found.first {
                columns.append(column)
            } else if derivable.contains(feature) {
                columns.append(-1)
            } else if let (column, wanted) = Self.indicator(feature, columnsByName) {
                columns.append(column)
                text = wanted
            } else {
                absent.append(feature)
                continue
            }
            texts.append(text)
        }
        let known = Set(features).union(zip(columns, texts).compactMap { $1 == nil ? nil : names[$0] })
        let others = names.filter { !known.contains($0) }
        guard absent.isEmpty else { throw Self.fault(reader, Self.absence(absent, names, others)) }
        self.names = names
        columnOfFeature = columns
        textOfFeature = texts
        self.others = others
        bytes = Array(text[..<record.end])
        reader.putBack(UnsafeRawBufferPointer(rebasing: text[next...]), line: 2 + breaks)
    }

    /// The column and text behind a feature named `column=text`, as `impactiq train` names those that it makes of texts.
    private static func indicator(_ feature: String, _ columns: [String: [Int]]) -> (column: Int, text: [UInt8])? {
        guard let equals = feature.firstIndex(of: "="), let found = columns[String(feature[..<equals])],
            found.count == 1
        else { return nil }
        return (found[0], Array(feature[feature.index(after: equals)...].utf8))
    }

    /// What to say about features that have no column.
    private static func absence(_ absent: [String], _ names: [String], _ others: [String]) -> String {
        let quoted = { (names: [String]) in names.map { "\"\($0)\"" }.joined(separator: ", ") }
        var message =
            "the model's feature\(absent.count == 1 ? "" : "s") \(quoted(Array(absent.prefix(12)))) "
            + "\(absent.count == 1 ? "has" : "have") no column"
        if absent.count > 12 { message += " (and \(absent.count - 12) more)" }
        if names.count == 1, names[0].contains(where: { ";\t|".contains($0) }) {
            return message + "; the columns must be separated by commas"
        }
        if !others.isEmpty {
            message += "; unknown to the model: \(quoted(Array(others.prefix(12))))"
            if others.count > 12 { message += " and \(others.count - 12) more" }
        }
        return message
    }

    private static func fault(_ reader: CSVChunkReader, _ what: String) -> ImpactError {
        ImpactError(.badInput, code: "csv_header", "\(reader.name), line 1: \(what)")
    }
}

/// Errors about a place in a CSV.
enum CSVFault {
    /// A record that cannot be cut into fields.
    static func error(_ file: String, line: Int, _ fault: CSVRecord.Fault, names: [String]) -> ImpactError {
        let reason =
            switch fault.reason {
            case .quoteInsideField:
                "a quote inside a field that does not begin with one; quote the whole field and double its quotes"
            case .textAfterQuote: "text after the closing quote"
            case .quoteNotClosed: "the quote that begins the field is not closed"
            }
        return error(file, line: line, column: fault.field, names: names, "csv_record", reason)
    }

    static func error(
        _ file: String, line: Int, column: Int?, names: [String], _ code: String, _ what: String
    ) -> ImpactError {
        var place = "\(file), line \(line)"
        if let column {
            place += ", column \(column + 1)"
            if names.indices.contains(column) { place += " (\"\(names[column])\")" }
        }
        return ImpactError(.badInput, code: code, "\(place): \(what)")
    }
}
