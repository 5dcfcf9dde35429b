import Base
import Kafka

/// Several partitions read as one, in the order of the records' times, so that a user whose events lie in several of them
/// (a topic that has grown, producers that place keys differently) has one history.
///
/// Of each partition the order stays; of two heads that with the smaller time comes first, then that of the lower number. So
/// files, whose lines have all one time, come one after another.
package struct JoinedSourceFactory: RecordSourceFactory {
    /// The partition that all of them are read as.
    package static let span = PartitionSpan(partition: 0, first: 0, from: 0, end: .max)

    private let sources: any RecordSourceFactory
    private let spans: [PartitionSpan]
    package var topic: String { sources.topic }
    package var hasKeys: Bool { sources.hasKeys }

    package init(_ sources: any RecordSourceFactory, _ spans: [PartitionSpan]) {
        self.sources = sources
        self.spans = spans
    }

    package func make(component: String) throws -> any RecordSource {
        JoinedSource(
            try spans.map { JoinedSource.Lane($0, try sources.make(component: "\(component)-\($0.partition)")) })
    }
}

final class JoinedSource: RecordSource {
    private let lanes: [Lane]

    init(_ lanes: [Lane]) { self.lanes = lanes }

    /// Always from the beginning.
    func begin(_ span: PartitionSpan) throws { for lane in lanes { try lane.begin() } }

    /// Offsets of all partitions that were read.
    var position: Int64 { lanes.reduce(0) { $0 + $1.read } }

    func read(max: Int, _ body: (SourceRecord) throws -> Void) throws -> Bool {
        var left = max
        while left > 0 {
            for lane in lanes where lane.isEmpty {
                try lane.fill()
                // A head may come there that is earlier than all others.
                if lane.isEmpty, !lane.isAtEnd { return true }
            }
            var first: Lane?
            for lane in lanes where !lane.isEmpty {
                if first.map({ lane.time < $0.time }) ?? true { first = lane }
            }
            guard let first else { return false }
            try first.lend(body)
            left -= 1
        }
        return true
    }

    func close() { for lane in lanes { lane.source.close() } }

    /// A partition's records that are read and not lent yet.
    final class Lane {
        private struct Record {
            var key: Range<Int>?
            var value: Range<Int>?
            /// Without its bytes.
            var rest: SourceRecord
        }

        private let span: PartitionSpan
        let source: any RecordSource
        private let bytes = ByteBuffer(capacity: 1 << 18)
        private var records: [Record] = []
        private var next = 0
        private(set) var isAtEnd = false
        private static let count = 512

        init(_ span: PartitionSpan, _ source: any RecordSource) {
            self.span = span
            self.source = source
        }

        func begin() throws {
            records = []
            next = 0
            isAtEnd = false
            try source.begin(span)
        }

        var isEmpty: Bool { next == records.count }
        var time: Int64 { records[next].rest.timestamp }
        var read: Int64 { max(0, source.position - span.first) }

        /// Reads some more; nothing may have come although there is more.
        func fill() throws {
            guard isEmpty, !isAtEnd else { return }
            records.removeAll(keepingCapacity: true)
            bytes.removeAll()
            next = 0
            isAtEnd = try !source.read(max: Self.count) { record in
                var rest = record
                (rest.key, rest.value) = (nil, nil)
                records.append(Record(key: keep(record.key), value: keep(record.value), rest: rest))
            }
        }

        private func keep(_ part: UnsafeRawBufferPointer?) -> Range<Int>? {
            guard let part else { return nil }
            let start = bytes.count
            bytes.append(part)
            return start..<bytes.count
        }

        func lend(_ body: (SourceRecord) throws -> Void) throws {
            let record = records[next]
            next += 1
            var whole = record.rest
            whole.key = record.key.map { bytes.bytes($0) }
            whole.value = record.value.map { bytes.bytes($0) }
            try body(whole)
        }
    }
}
