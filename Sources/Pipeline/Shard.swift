import Diagnostics
import Events
import Features
import Kafka
import Sinks

/// One input partition in the hands of one worker: its state, how far it was read, and its outputs not yet handed over.
public final class Shard {
    public let partition: TopicPartition
    public private(set) var state: PartitionState
    /// The next offset to process; nil before the first message.
    public internal(set) var nextOffset: Int64?
    /// The next offset as of the last commit.
    var committedOffset: Int64?
    /// The shard's way into the local store; nil when there is none.
    package var checkpoint: ShardCheckpoint?
    /// Whether the state is complete: false while it is being restored.
    var isRestored = false
    /// Where the search for cold users goes on.
    var hand = 0
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

    /// Whether users of this partition are in the local store only.
    var hasSpilled: Bool {
        get { checkpoint?.hasSpilled ?? false }
        set { checkpoint?.hasSpilled = newValue }
    }

    /// Erases a user, as part of the transaction at hand.
    package func erase(user: UnsafeRawBufferPointer) {
        checkpoint?.noteErasure(user)
        state.remove(user: user)
    }

    /// Begins anew with an empty state.
    func resetState() { state = PartitionState(plan: state.plan) }

    /// Replays a record of the changelog; nil is a tombstone.
    package func restore(user: UnsafeRawBufferPointer, record: UnsafeRawBufferPointer?) throws(ImpactError) {
        try state.restore(user: user, record: record, isUnsaved: true)
        checkpoint?.noteReplay(removed: record == nil ? user : nil)
    }

    /// The transaction was committed.
    package func accept() {
        state.commit()
        committedOffset = nextOffset
        checkpoint?.committed()
    }

    /// Takes the state back to the last commit.
    package func rollback() {
        state.rollback()
        checkpoint?.rolledBack()
    }

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

    /// Adds an output record without a value.
    func addTombstone(key: UnsafeRawBufferPointer, timestamp: Int64) {
        if recordCount == recordCapacity { growRecords() }
        let start = bytes.count
        bytes.append(key)
        (records + recordCount).initialize(
            to: OutputRecord(key: start..<bytes.count, value: nil, timestamp: timestamp))
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
    package func collectChangelog() -> Int {
        state.forEachDirty { user, slot in
            if recordCount == recordCapacity { growRecords() }
            let keyStart = bytes.count
            bytes.append(user)
            let valueStart = bytes.count
            if let slot {
                state.markUnsaved(slot)
                let room = bytes.reserve(state.encodedBound(slot))
                bytes.advance(state.encode(slot, to: UnsafeMutableRawPointer(room)))
            }
            if slot == nil { checkpoint?.noteRemoval(user) }
            // The changelog is the state as of now, not as of an event: it is stamped with the present.
            let record = OutputRecord(
                key: keyStart..<valueStart, value: slot == nil ? nil : valueStart..<bytes.count, timestamp: 0)
            (records + recordCount).initialize(to: record)
            recordCount += 1
        }
        if recordCount > 0 { checkpoint?.noteChange() }
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
