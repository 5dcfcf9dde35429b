import Base
import Engine
import Events
import JSON
import Sinks
import Tabular

/// JSON lines or CSV: the partitions' scores one after another, by number, each in the order of its events.
package struct FileTarget: ReplayTarget {
    package enum Format: String, Sendable { case jsonl, csv }

    let path: String
    let format: Format
    let folder: String
    let field: CSVField
    package var name: String { "\(format.rawValue):\(path)" + (field == .plain ? "" : " for spreadsheets") }

    /// - Parameters:
    ///   - path: the file, or `-`.
    ///   - folder: where the parts grow.
    ///   - field: how texts are written in CSV.
    package init(path: String, format: Format, folder: String, field: CSVField = .plain) {
        self.field = field
        self.path = path
        self.format = format
        self.folder = folder
    }

    package func prepare(partitions: [Int32], isResumed: Bool) {}

    package func sink(for span: PartitionSpan, resumingAt length: Int?) throws -> any ReplaySink {
        let file = try PartFile(part(span.partition), keeping: length ?? 0)
        return format == .csv ? CSVSink(file, field) : LineSink(file)
    }

    package func complete(_ partitions: [Int32]) throws {
        let heading = format == .csv ? ScoreCSV.heading : []
        try PartFile.join(partitions.map(part), into: path, heading: heading)
    }

    private func part(_ partition: Int32) -> String { "\(folder)/scores-\(partition)" }
}

/// A score a line, byte for byte as it is published.
private final class LineSink: ReplaySink {
    private let file: PartFile

    init(_ file: PartFile) { self.file = file }

    func write(_ records: UnsafeBufferPointer<OutputRecord>, _ bytes: UnsafeRawBufferPointer) throws {
        try file.append { out in
            for record in records {
                out.append(record.value(in: bytes))
                out.append(UInt8(ascii: "\n"))
            }
        }
    }

    func settle() throws -> Int {
        try file.sync()
        return file.length
    }

    func finish() throws { try file.sync() }
}

extension OutputRecord {
    /// The record's key; nil for Kafka's null.
    func key(in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        keyCount < 0 ? nil : UnsafeRawBufferPointer(rebasing: bytes[keyStart..<keyStart + Int(keyCount)])
    }

    /// The record's value; empty for Kafka's null.
    func value(in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[valueStart..<valueStart + max(0, Int(valueCount))])
    }
}

/// The columns of the log store's table.
private final class CSVSink: ReplaySink {
    private let file: PartFile
    private let reader = ScoreReader()

    private let field: CSVField

    init(_ file: PartFile, _ field: CSVField) {
        self.file = file
        self.field = field
    }

    func write(_ records: UnsafeBufferPointer<OutputRecord>, _ bytes: UnsafeRawBufferPointer) throws {
        var fault: InputError?
        try file.append { out in
            for record in records {
                do throws(InputError) {
                    ScoreCSV.append(try reader.read(record.value(in: bytes)), of: reader, as: field, to: out)
                } catch {
                    fault = error
                }
            }
        }
        // A score of ours that cannot be read would be a fault of the program.
        if let fault { throw ImpactError(.failed, code: "score_unreadable", "a score of our own: \(fault)") }
    }

    func settle() throws -> Int {
        try file.sync()
        return file.length
    }

    func finish() throws { try file.sync() }
}

/// A score as a row of CSV (RFC 4180).
enum ScoreCSV {
    static let heading = Array(
        ("source_topic,source_partition,source_offset,user_id,time,event_type,treatment,outcome,uplift,std_error,ci_lower,"
            + "ci_upper,ci_level,decision,model,model_version,model_sha256\n").utf8)

    static func append(_ score: Score, of reader: ScoreReader, as field: CSVField, to out: ByteBuffer) {
        func text(_ text: Score.Text) {
            if text.isPresent { field.append(reader.bytes(text), to: out) }
            out.append(UInt8(ascii: ","))
        }
        func number(_ value: Double) {
            if value.isFinite { out.append(value) }
            out.append(UInt8(ascii: ","))
        }
        text(score.sourceTopic)
        out.append(Int64(score.sourcePartition))
        out.append(UInt8(ascii: ","))
        out.append(score.sourceOffset)
        out.append(UInt8(ascii: ","))
        text(score.user)
        out.append(score.time)
        out.append(UInt8(ascii: ","))
        text(score.eventType)
        text(score.treatment)
        text(score.outcome)
        number(score.uplift)
        number(score.standardError)
        number(score.lower)
        number(score.upper)
        number(score.level)
        text(score.decision)
        text(score.model)
        text(score.modelVersion)
        field.append(reader.bytes(score.modelSHA256), to: out)
        out.append(UInt8(ascii: "\n"))
    }
}
