import Base
import Foundation

/// Reads event files: one JSON object a line, plain, gzipped or zstd-compressed, told apart by their first bytes.
///
/// File i stands for partition i of a topic; a line's number, counted from 0, is its offset. Records have no key; all have
/// the timestamp that is given. Blank lines are passed over.
package struct FileSourceFactory: RecordSourceFactory {
    package let topic: String
    package let hasKeys = false
    package let paths: [String]
    private let present: Int64

    /// - Parameters:
    ///   - topic: the name that scores give as their source.
    ///   - present: the clock, milliseconds since 1970, so that times are guarded as in a topic; −1 guards none.
    /// - Throws: `file_not_readable` for a file that is not there; `file_twice`.
    package init(paths: [String], topic: String, present: Int64 = -1) throws(ImpactError) {
        try SameFile.refuse(paths)
        for path in paths where !FileManager.default.isReadableFile(atPath: path) {
            throw ImpactError(.badInput, code: "file_not_readable", "cannot read \(path): is it there?")
        }
        self.paths = paths
        self.topic = topic
        self.present = present
    }

    package func make(component: String) throws -> any RecordSource { FileSource(paths: paths, present: present) }

    /// The spans of the files; a point is `beginning`, `end` or lines as `FILE:LINE`.
    package func spans(from: ReplayPoint, to: ReplayPoint, warmUp: WarmUp) throws(ImpactError) -> [PartitionSpan] {
        func line(_ point: ReplayPoint, _ file: Int32, _ option: String) throws(ImpactError) -> Int64? {
            switch point {
            case .beginning: return 0
            case .end: return .max
            case .time:
                throw ImpactError(
                    .usage, code: "invalid_point",
                    "\(option): lines of a file have no time of their own; say beginning, end, or lines as 0:1000")
            case .offsets(let lines):
                if let wrong = lines.keys.first(where: { Int($0) >= paths.count }) {
                    throw ImpactError(
                        .usage, code: "range_partition", "\(option) names file \(wrong); there are \(paths.count)")
                }
                return lines[file]
            }
        }
        var spans: [PartitionSpan] = []
        for file in paths.indices.map({ Int32($0) }) {
            guard let from = try line(from, file, "--from"), let end = try line(to, file, "--to") else { continue }
            guard from <= end else {
                throw ImpactError(.usage, code: "range_empty", "file \(file): the range ends before it begins")
            }
            let first: Int64
            switch warmUp {
            case .none: first = from
            case .all: first = 0
            case .milliseconds:
                throw ImpactError(
                    .usage, code: "invalid_point", "--warmup: lines of a file have no time of their own; say all")
            }
            spans.append(PartitionSpan(partition: file, first: first, from: from, end: end))
        }
        return spans
    }
}

final class FileSource: RecordSource {
    private let paths: [String]
    private var reader: LineReader?
    private(set) var position: Int64 = 0
    private var span = PartitionSpan(partition: 0, first: 0, from: 0, end: 0)
    private let present: Int64

    init(paths: [String], present: Int64) {
        self.paths = paths
        self.present = present
    }

    func begin(_ span: PartitionSpan) throws {
        reader = try LineReader(path: paths[Int(span.partition)])
        position = 0
        self.span = span
    }

    func read(max: Int, _ body: (SourceRecord) throws -> Void) throws -> Bool {
        guard let reader else { return false }
        var left = max
        while left > 0 {
            guard position < span.end, let line = try reader.next() else {
                self.reader = nil
                return false
            }
            defer { position += 1 }
            if position < span.first || line.isEmpty { continue }
            try body(
                SourceRecord(
                    key: nil, value: line, partition: span.partition, offset: position, timestamp: present,
                    isWarmUp: position < span.from))
            left -= 1
        }
        return true
    }

    func close() { reader = nil }
}
