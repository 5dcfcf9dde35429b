import Base
import Dispatch
import Foundation
import Tabular

/// Scores a CSV of any size: reads, scores and writes with all cores, rows in the order of the file.
///
/// ```
///  file ──lock──► chunk n   ──► worker A: cut, score, write ──┐ turn n
///       ──lock──► chunk n+1 ──► worker B: cut, score, write ──┴ turn n+1 ──► output
/// ```
/// Each worker takes the next chunk itself and waits for its turn to write, so that there is no queue to grow: memory
/// is one chunk and its output a thread.
package struct CSVScorer: Sendable {
    private let model: Model
    private let options: CSVOptions
    private let level: ConfidenceLevel

    /// - Throws: `invalid_level`; `no_covariance` when covariances are asked for and the model has one treatment.
    package init(model: Model, options: CSVOptions = CSVOptions()) throws(ImpactError) {
        guard !options.covariances || model.treatments.count > 1 && model.composition == nil else {
            throw ImpactError(
                .badInput, code: "no_covariance",
                "\(model.path) has one treatment; covariances are between the effects of several")
        }
        self.model = model
        self.options = options
        level = try ConfidenceLevel(options.level)
    }

    /// Scores `input` (`-`: standard input) to the open file `output`.
    ///
    /// The first line names the columns; each of the model's features must be one of them, others are carried along.
    /// Rows before one at fault are written.
    /// - Parameter progress: called after each chunk, by one thread at a time.
    /// - Throws: `csv_header`, `csv_record`, `csv_number`, `csv_missing` with line and column; `csv_open`, `csv_read`,
    ///   `csv_write`.
    package func run(
        input: String, output: Int32, progress: @escaping @Sendable (CSVProgress) -> Void = { _ in }
    ) throws(ImpactError) -> CSVSummary {
        let reader = try CSVChunkReader(path: input)
        let header = try readHeader(reader)
        if options.format == .csv, options.columns == .all {
            let added = CSVRowWriter.columns(model, covariances: options.covariances)
            if let column = header.names.firstIndex(where: added.contains) {
                throw CSVFault.error(
                    reader.name, line: 1, column: column, names: header.names, "csv_header",
                    "a column of this name is added to the output; rename it, or write only the new columns "
                        + "(--columns minimal)")
            }
        }
        let run = CSVRun(reader: reader, output: output, progress: progress)
        let line = CSVRowWriter(model: model, options: options, level: level, header: header).headerLine()
        try run.write(line)
        let threads = options.threads > 0 ? options.threads : ProcessInfo.processInfo.activeProcessorCount
        Parallel.forEach(threads, threads: threads) { _ in
            run.work(
                CSVWorker(model: model, options: options, level: level, header: header, name: run.name))
        }
        return try run.summary(header)
    }

    private func readHeader(_ reader: CSVChunkReader) throws(ImpactError) -> CSVHeader {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: options.recordBytes, alignment: 64)
        defer { buffer.deallocate() }
        return try CSVHeader(
            reader, features: model.featureNames, derivable: RowValues(model).derivable, buffer: buffer)
    }
}

/// What the workers of one run share.
///
/// @unchecked Sendable: the reader is used only under `reading`; everything else that changes only under `turns`, but
/// the output, which belongs to the worker whose turn it is.
private final class CSVRun: @unchecked Sendable {
    let name: String
    private let reader: CSVChunkReader
    private let reading = NSLock()
    private let turns = NSCondition()
    private let output: Int32
    private let progress: @Sendable (CSVProgress) -> Void
    /// The chunk that may be written next.
    private var turn = 0
    private var failure: ImpactError?
    private var done = CSVProgress(rows: 0, bytes: 0, totalBytes: nil)
    private var decisions = (treat: 0, suppress: 0, uncertain: 0)

    init(reader: CSVChunkReader, output: Int32, progress: @escaping @Sendable (CSVProgress) -> Void) {
        name = reader.name
        self.reader = reader
        self.output = output
        self.progress = progress
        done.totalBytes = reader.totalBytes
    }

    /// Takes chunks until there are no more, or one fails.
    func work(_ worker: CSVWorker) {
        while !hasFailed {
            reading.lock()
            let next = Result { () throws(ImpactError) in try reader.next(into: worker.buffer) }
            let position = reader.position
            reading.unlock()
            switch next {
            case .failure(let error):
                fail(error)
                return
            case .success(nil): return
            case .success(.some(let chunk)):
                let (rows, error) = worker.score(chunk)
                finish(chunk, worker.writer, rows, position, error)
            }
        }
    }

    private var hasFailed: Bool { turns.withLock { failure != nil } }

    private func fail(_ error: ImpactError) {
        turns.withLock {
            if failure == nil { failure = error }
            turns.broadcast()
        }
    }

    /// Writes a chunk's output when all chunks before it are written.
    private func finish(
        _ chunk: CSVChunkReader.Chunk, _ writer: borrowing CSVRowWriter, _ rows: Int, _ position: Int,
        _ error: ImpactError?
    ) {
        turns.lock()
        while turn != chunk.number, failure == nil { turns.wait() }
        let isMine = failure == nil
        turns.unlock()
        guard isMine else { return }
        let written = Result { () throws(ImpactError) in try write(writer.output) }
        turns.lock()
        done.rows += rows
        done.bytes = position
        decisions.treat += writer.decisions.treat
        decisions.suppress += writer.decisions.suppress
        decisions.uncertain += writer.decisions.uncertain
        if case .failure(let error) = written { failure = error } else { failure = error }
        let report = done
        turns.unlock()
        progress(report)
        turns.withLock {
            turn += 1
            turns.broadcast()
        }
    }

    func write(_ bytes: [UInt8]) throws(ImpactError) {
        var start = 0
        while start < bytes.count {
            let count = bytes.withUnsafeBytes { Foundation.write(output, $0.baseAddress! + start, $0.count - start) }
            if count < 0 {
                if errno == EINTR { continue }
                throw ImpactError(
                    .failed, code: "csv_write", "cannot write the scores: \(String(cString: strerror(errno)))")
            }
            start += count
        }
    }

    func summary(_ header: CSVHeader) throws(ImpactError) -> CSVSummary {
        if let failure { throw failure }
        return CSVSummary(
            rows: done.rows, bytes: done.bytes, treat: decisions.treat, suppress: decisions.suppress,
            uncertain: decisions.uncertain, otherColumns: header.others)
    }
}
