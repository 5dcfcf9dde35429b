import Base
import Foundation

/// Walks a CSV with a heading, record by record, with bounded memory and errors that name line and column.
package final class CSVTable {
    package let name: String
    /// The columns of the heading, in order.
    package let columns: [String]
    /// The fields of the record at hand.
    package let record = CSVRecord()
    /// The bytes that the record's fields point into.
    package private(set) var text: UnsafeRawBufferPointer
    /// The largest record that is read.
    package var bufferBytes: Int { buffer.count }
    private let reader: CSVChunkReader
    /// Owned; freed in `deinit`.
    private let buffer: UnsafeMutableRawBufferPointer
    private var chunk = CSVChunkReader.Chunk(number: 0, firstLine: 1, bytes: 0, isBroken: false)
    private var next = 0

    /// Opens the file and reads its heading.
    ///
    /// - Parameters:
    ///   - path: `-` is standard input.
    ///   - bufferBytes: the largest record that is read.
    /// - Throws: `csv_open`, `csv_read`; `csv_empty` without a heading, `csv_heading` when two columns have one name.
    package init(path: String, bufferBytes: Int = 1 << 20) throws(ImpactError) {
        reader = try CSVChunkReader(path: path)
        name = reader.name
        buffer = .allocate(byteCount: bufferBytes, alignment: 16)
        text = UnsafeRawBufferPointer(rebasing: buffer[..<0])
        var columns: [String] = []
        do throws(ImpactError) {
            guard let first = try reader.next(into: buffer) else {
                throw ImpactError(
                    .badInput, code: "csv_empty", "\(reader.name) is empty: its first line must name the columns")
            }
            chunk = first
            text = UnsafeRawBufferPointer(rebasing: buffer[..<first.bytes])
            let mark: [UInt8] = [0xEF, 0xBB, 0xBF]  // a byte order mark, as spreadsheets write it
            if text.starts(with: [0xFF, 0xFE] as [UInt8]) || text.starts(with: [0xFE, 0xFF] as [UInt8]) {
                throw ImpactError(
                    .badInput, code: "csv_heading",
                    "\(reader.name) is UTF-16; write it anew in UTF-8 (iconv -f utf16 -t utf8, for one)")
            }
            if text.count >= 3, text.prefix(3).elementsEqual(mark) { next = 3 }
            next = try Self.cut(record, text, next, reader.name, chunk)
            for index in 0..<record.count {
                if let why = record.textFault(text, index) {
                    throw ImpactError(
                        .badInput, code: "csv_heading", "\(reader.name) line 1, column \(index + 1): \(why)")
                }
                let column = record.text(text, index).trimmingCharacters(in: .whitespaces)
                if columns.contains(column) {
                    throw ImpactError(
                        .badInput, code: "csv_heading",
                        "\(reader.name) line 1: two columns are named '\(column)'; a column's name must be its own")
                }
                columns.append(column)
            }
        } catch {
            buffer.deallocate()
            throw error
        }
        self.columns = columns
    }

    deinit { buffer.deallocate() }

    /// The index of a column.
    ///
    /// - Throws: `csv_column`, with the columns that there are.
    package func index(of column: String, role: String, option: String) throws(ImpactError) -> Int {
        if let index = columns.firstIndex(of: column) { return index }
        let near = NearestName.find(column, among: columns).map { "; did you mean '\($0)'?" } ?? "."
        throw ImpactError(
            .badInput, code: "csv_column",
            "\(name) has no column '\(column)' for the \(role)\(near) Its columns: "
                + NameList.text(columns, limit: 20)
                + ". Name the column with \(option)")
    }

    /// Moves to the next record; false at the end. Lines that hold nothing are passed over.
    ///
    /// - Throws: `csv_record` for broken quotes, a record too long, or one with fewer or more fields than the heading.
    package func advance() throws(ImpactError) -> Bool {
        while true {
            while next >= text.count {
                guard let more = try reader.next(into: buffer) else { return false }
                chunk = more
                text = UnsafeRawBufferPointer(rebasing: buffer[..<more.bytes])
                next = 0
            }
            let (text, chunk) = (self.text, self.chunk)
            next = try Self.cut(record, text, next, name, chunk)
            if record.count == 1, record.start == record.end, columns.count > 1 { continue }
            guard record.count == columns.count else {
                throw ImpactError(
                    .badInput, code: "csv_record",
                    "\(name) line \(line) has \(record.count) fields, its heading has \(columns.count)")
            }
            return true
        }
    }

    /// The line on which the record at hand begins, counted from 1.
    package var line: Int { Self.line(text, record.start, chunk) }

    /// The part of the file that is read, when it is known.
    package var share: Double? { reader.totalBytes.map { $0 > 0 ? min(1, Double(reader.position) / Double($0)) : 1 } }

    /// An error about a field of the record at hand.
    package func fault(_ column: Int, _ what: String) -> ImpactError {
        ImpactError(.badInput, code: "csv_value", "\(name) line \(line), column '\(columns[column])': \(what)")
    }

    private static func line(_ text: UnsafeRawBufferPointer, _ position: Int, _ chunk: CSVChunkReader.Chunk) -> Int {
        text[..<min(position, text.count)].reduce(chunk.firstLine) { $1 == UInt8(ascii: "\n") ? $0 + 1 : $0 }
    }

    private static func cut(
        _ record: CSVRecord, _ text: UnsafeRawBufferPointer, _ start: Int, _ name: String, _ chunk: CSVChunkReader.Chunk
    ) throws(ImpactError) -> Int {
        do {
            let next = try record.read(text, at: start)
            if chunk.isBroken && next >= text.count {
                throw ImpactError(
                    .badInput, code: "csv_record",
                    "\(name) line \(line(text, start, chunk)): the record is longer than \(text.count) bytes "
                        + "or a quote is never closed")
            }
            return next
        } catch let fault as CSVRecord.Fault {
            let why =
                switch fault.reason {
                case .quoteInsideField: "a quote stands inside a field that does not begin with one"
                case .textAfterQuote: "text follows a closing quote"
                case .quoteNotClosed: "a quote is never closed"
                }
            throw ImpactError(
                .badInput, code: "csv_record",
                "\(name) line \(line(text, fault.position, chunk)), field \(fault.field + 1): \(why)")
        } catch let error as ImpactError {
            throw error
        } catch {
            throw ImpactError(.badInput, code: "csv_record", "\(name): \(error)")
        }
    }
}
