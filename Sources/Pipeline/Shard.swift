import Events
import Features
import Kafka
import Sinks

/// One input partition in the hands of one worker: its state, how far it was read, and its outputs not yet handed over.
public final class Shard {
    public let partition: TopicPartition
    public let state: PartitionState
    /// The next offset to process; nil before the first message.
    public internal(set) var nextOffset: Int64?
    /// The next offset as of the last commit.
    var committedOffset: Int64?
    /// Late events that the metrics know of already.
    var reportedLate: UInt64 = 0

    private let bytes = ByteBuffer(capacity: 1 << 16)
    private var records: UnsafeMutablePointer<OutputRecord>
    private var recordCount = 0
    private var recordCapacity = 1_024

    public init(_ partition: TopicPartition, plan: FeaturePlan) {
        self.partition = partition
        state = PartitionState(plan: plan)
        records = .allocate(capacity: recordCapacity)
    }

    deinit { records.deallocate() }

    /// Whether anything was processed since the last commit.
    var isDirty: Bool { nextOffset != committedOffset }

    /// Adds an output record: `write` puts its value into the buffer.
    @inline(__always)
    func addOutput(key: UnsafeRawBufferPointer, timestamp: Int64, _ write: (ByteBuffer) -> Void) {
        if recordCount == recordCapacity { growRecords() }
        let keyStart = bytes.count
        bytes.append(key)
        let valueStart = bytes.count
        write(bytes)
        (records + recordCount).initialize(
            to: OutputRecord(key: keyStart..<valueStart, value: valueStart..<bytes.count, timestamp: timestamp))
        recordCount += 1
    }

    /// Lends the outputs collected so far to `body`, then forgets them.
    package func takeOutputs<Failure: Error>(
        _ body: (UnsafeBufferPointer<OutputRecord>, UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        defer {
            recordCount = 0
            bytes.removeAll()
        }
        guard recordCount > 0 else { return }
        try body(UnsafeBufferPointer(start: records, count: recordCount), bytes.bytes)
    }

    /// Collects the changelog's records of all users changed since the last commit, in the order of their first change.
    /// - Returns: how many.
    func collectChangelog() -> Int {
        state.forEachDirty { user, slot in
            if recordCount == recordCapacity { growRecords() }
            let keyStart = bytes.count
            bytes.append(user)
            let valueStart = bytes.count
            if let slot {
                let room = bytes.reserve(state.encodedBound(slot))
                bytes.advance(state.encode(slot, to: UnsafeMutableRawPointer(room)))
            }
            // The changelog is the state as of now, not as of an event: without a time, the broker's clock serves retention.
            let record = OutputRecord(
                key: keyStart..<valueStart, value: slot == nil ? nil : valueStart..<bytes.count, timestamp: 0)
            (records + recordCount).initialize(to: record)
            recordCount += 1
        }
        return recordCount
    }

    private func growRecords() {
        let larger = UnsafeMutablePointer<OutputRecord>.allocate(capacity: recordCapacity * 2)
        larger.update(from: records, count: recordCount)
        records.deallocate()
        records = larger
        recordCapacity *= 2
    }
}
