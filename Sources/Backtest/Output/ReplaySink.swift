import Engine
import Kafka
import Sinks

/// Takes the scores of one partition, in order. Belongs to one thread.
package protocol ReplaySink: AnyObject {
    /// Takes scores; `bytes` is what the records' ranges mean.
    func write(_ records: UnsafeBufferPointer<OutputRecord>, _ bytes: UnsafeRawBufferPointer) throws
    /// The same with headers for some of them, by the records' tags. Only a topic has a place for them.
    func write(
        _ records: UnsafeBufferPointer<OutputRecord>, _ bytes: UnsafeRawBufferPointer, headers: [Int32: [RecordHeader]]
    ) throws
    /// Makes what was written last beyond a crash of the process, and says how long the partition's file is.
    func settle() throws -> Int
    /// The partition is complete.
    func finish() throws
}

extension ReplaySink {
    package func write(
        _ records: UnsafeBufferPointer<OutputRecord>, _ bytes: UnsafeRawBufferPointer, headers: [Int32: [RecordHeader]]
    ) throws { try write(records, bytes) }
}

/// Where the scores of a replay go.
package protocol ReplayTarget: Sendable {
    /// For people and for the manifest.
    var name: String { get }
    /// Which headers of the events go with their scores.
    var forwarded: ForwardedHeaders { get }
    /// Looks at the place before anything is read.
    ///
    /// - Parameter isResumed: whether an earlier try of this replay has begun.
    func prepare(partitions: [Int32], isResumed: Bool) throws
    /// - Parameter length: the length of the partition's file as of the checkpoint; nil for a partition that begins anew.
    func sink(for span: PartitionSpan, resumingAt length: Int?) throws -> any ReplaySink
    /// All partitions are complete.
    func complete(_ partitions: [Int32]) throws
}

extension ReplayTarget {
    package var forwarded: ForwardedHeaders { ForwardedHeaders([]) }
}

/// No output: for comparisons alone.
package struct NoTarget: ReplayTarget {
    package let name = "none"

    private final class Sink: ReplaySink {
        func write(_ records: UnsafeBufferPointer<OutputRecord>, _ bytes: UnsafeRawBufferPointer) {}
        func settle() -> Int { 0 }
        func finish() {}
    }

    package init() {}
    package func prepare(partitions: [Int32], isResumed: Bool) {}
    package func sink(for span: PartitionSpan, resumingAt length: Int?) -> any ReplaySink { Sink() }
    package func complete(_ partitions: [Int32]) {}
}
