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

    private let values: RowValues

    private static let batch = 1024

    init(model: Model, options: CSVOptions, level: ConfidenceLevel, header: CSVHeader, name: String) {
        self.model = model
        self.header = header
        self.name = name
        values = RowValues(model)
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
            let (wanted, categories) = (header.textOfFeature[feature], model.categories[feature])
            if wanted != nil || categories != nil {
                row[feature] = code(text, column, wanted, categories)
                guard !row[feature].isNaN || model.acceptsMissing(feature: feature) else {
                    throw notANumber(.missing, text, line, column)
                }
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

    /// What a text is in the row: 1 when it is the one that is wanted, else a category's code. Spaces around it do not count, and
    /// an empty one is missing.
    private func code(
        _ text: UnsafeRawBufferPointer, _ column: Int, _ wanted: [UInt8]?, _ categories: CategoryCodes?
    ) -> Float {
        guard !record.trimmedBytes(text, column).isEmpty else { return .nan }
        if let wanted { return record.isText(text, column, wanted) ? 1 : 0 }
        return categories?.code(of: record.trimmedText(text, column)) ?? .nan
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
