import Base
import Tabular

/// Scores chunks of a CSV: one a thread.
///
/// A chunk's rows are read, scored and written in batches, so that memory does not grow with the file.
final class CSVWorker {
    private let model: Model
    private let header: CSVHeader
    private let name: String
    private let scorer: Scorer
    private let record = CSVRecord()
    private(set) var writer: CSVRowWriter
    /// The text of the chunk; the reader fills it.
    let buffer: UnsafeMutableRawBufferPointer
    private let rows: UnsafeMutablePointer<Float>
    private let estimates: UnsafeMutablePointer<Estimate>
    /// A row's covariances; nil when they are not asked for.
    private let covariances: UnsafeMutablePointer<Double>?
    /// Of each row of the batch: where it stands and in which line.
    private var places: [(bytes: Range<Int>, line: Int)] = []

    /// For features that are categories, the bytes of their texts in the order of their codes.
    private let levels: [[[UInt8]]?]

    private let values: RowValues

    private static let batch = 1024

    init(model: Model, options: CSVOptions, level: ConfidenceLevel, header: CSVHeader, name: String) {
        self.model = model
        self.header = header
        self.name = name
        values = RowValues(model)
        levels = (0..<model.featureCount).map { model.levels(feature: $0)?.map { Array($0.utf8) } }
        scorer = Scorer(model: model, maxRows: Self.batch)
        writer = CSVRowWriter(model: model, options: options, level: level, header: header)
        buffer = .allocate(byteCount: options.recordBytes, alignment: 64)
        rows = .allocate(capacity: Self.batch * model.rowStride)
        rows.initialize(repeating: 0, count: Self.batch * model.rowStride)
        estimates = .allocate(capacity: Self.batch * model.effectCount)
        estimates.initialize(
            repeating: Estimate(effect: 0, standardError: 0), count: Self.batch * model.effectCount)
        let entries = model.effectCount * model.treatments.count
        covariances = options.covariances ? .allocate(capacity: entries) : nil
        places.reserveCapacity(Self.batch)
    }

    deinit {
        buffer.deallocate()
        rows.deallocate()
        estimates.deallocate()
        covariances?.deallocate()
    }

    /// Scores the rows of a chunk into `writer.output`. Returns how many, and the error that stopped it.
    ///
    /// The rows before the one at fault are scored and written.
    func score(_ chunk: CSVChunkReader.Chunk) -> (rows: Int, error: ImpactError?) {
        let text = UnsafeRawBufferPointer(rebasing: buffer[..<chunk.bytes])
        writer.begin()
        places.removeAll(keepingCapacity: true)
        var (position, line, count) = (0, chunk.firstLine, 0)
        while position < text.count {
            do throws(ImpactError) {
                let (next, isRow) = try read(text, at: position, line: line, isBroken: chunk.isBroken)
                if isRow { places.append((record.start..<record.end, line)) }
                position = next
                line += 1 + record.innerBreaks
            } catch {
                return (count + flush(text), error)
            }
            if places.count == Self.batch || position >= text.count { count += flush(text) }
        }
        return (count, nil)
    }

    /// Reads one record into the batch's next row; blank lines are not rows.
    private func read(
        _ text: UnsafeRawBufferPointer, at position: Int, line: Int, isBroken: Bool
    ) throws(ImpactError) -> (next: Int, isRow: Bool) {
        var next = 0
        do {
            next = try record.read(text, at: position)
        } catch {
            if isBroken, error.reason == .quoteNotClosed, position == 0, text.count == buffer.count {
                throw tooLong(line)
            }
            throw CSVFault.error(name, line: line + error.breaks, error, names: header.names)
        }
        if isBroken, next == text.count, text.last != UInt8(ascii: "\n") { throw tooLong(line) }
        if record.start == record.end { return (next, false) }
        guard record.count == header.names.count else {
            throw CSVFault.error(
                name, line: line, column: nil, names: [], "csv_record",
                "\(record.count) fields, but the header names \(header.names.count) columns")
        }
        let row = rows + places.count * model.rowStride
        for (feature, column) in header.columnOfFeature.enumerated() {
            if column < 0 { continue }
            if let wanted = header.textOfFeature[feature] {
                let found = code(text, column, [wanted])
                guard !found.isNaN || model.acceptsMissing(feature: feature) else {
                    throw notANumber(.missing, text, line, column)
                }
                row[feature] = found.isNaN ? .nan : found == 0 ? 1 : 0
                continue
            }
            if let levels = levels[feature] {
                let found = code(text, column, levels)
                guard !found.isNaN || model.acceptsMissing(feature: feature) else {
                    throw notANumber(.missing, text, line, column)
                }
                row[feature] = found
                continue
            }
            switch CSVNumber.read(text, record[column]) {
            case .value(let value): row[feature] = value
            case .missing where model.acceptsMissing(feature: feature): row[feature] = .nan
            case let other: throw notANumber(other, text, line, column)
            }
        }
        values.complete(row) { header.columnOfFeature[$0] >= 0 }
        return (next, true)
    }

    /// The code of a category's text; spaces around it do not count, and an empty one is missing.
    private func code(_ text: UnsafeRawBufferPointer, _ column: Int, _ levels: [[UInt8]]) -> Float {
        if record[column].hasDoubledQuotes {
            let whole = Array(record.text(text, column).utf8)
            return Float(levels.firstIndex(of: whole) ?? levels.count)
        }
        var (start, end) = (record[column].start, record[column].end)
        while start < end, text[start] == 0x20 || text[start] == 0x09 { start += 1 }
        while start < end, text[end - 1] == 0x20 || text[end - 1] == 0x09 { end -= 1 }
        if start == end { return .nan }
        let bytes = text[start..<end]
        return Float(levels.firstIndex { bytes.elementsEqual($0) } ?? levels.count)
    }

    private func notANumber(
        _ number: CSVNumber, _ text: UnsafeRawBufferPointer, _ line: Int, _ column: Int
    ) -> ImpactError {
        let value = String(record.text(text, column).prefix(40))
        let (code, what) =
            switch number {
            case .missing:
                ("csv_missing", "a value is missing, and this model was fitted without missing values")
            case .outOfRange: ("csv_number", "\"\(value)\" is too large for a float32")
            default: ("csv_number", "\"\(value)\" is not a number")
            }
        return CSVFault.error(name, line: line, column: column, names: header.names, code, what)
    }

    private func tooLong(_ line: Int) -> ImpactError {
        CSVFault.error(
            name, line: line, column: nil, names: [], "csv_record",
            "the record that begins here is longer than \(buffer.count) bytes; is a quote not closed?")
    }

    /// Scores and writes the batch. Returns its rows.
    private func flush(_ text: UnsafeRawBufferPointer) -> Int {
        let count = places.count
        guard count > 0 else { return 0 }
        scorer.score(rows: rows, stride: model.rowStride, count: count, into: estimates)
        for (row, place) in places.enumerated() {
            if let covariances { scorer.covariances(row: rows + row * model.rowStride, into: covariances) }
            writer.write(
                text, place.bytes, line: place.line, fields: record, estimates + row * model.effectCount, covariances)
        }
        places.removeAll(keepingCapacity: true)
        return count
    }
}
