import Base
import Features

/// One partition number: the state of its users, and the outputs that the events made and nobody has taken yet.
///
/// The ``Processor`` fills it; who owns it (the live pipeline, a replay, a what-if request) takes the outputs, commits or
/// rolls back, and keeps what else belongs to a partition (positions, checkpoints) for itself. One thread at a time.
package final class Partition {
    package let number: Int32
    package private(set) var state: PartitionState
    /// Hears of users that an event erased, as part of the transaction at hand; nil when nobody must know.
    package var erased: ((UnsafeRawBufferPointer) -> Void)?
    /// Hears of users who are erased, or refuse anything: what is shown of them elsewhere must go.
    package var withdrawn: ((UnsafeRawBufferPointer) -> Void)?

    private let bytes = ByteBuffer(capacity: 1 << 16)
    private var records: UnsafeMutablePointer<OutputRecord>
    private var recordCount = 0
    private var recordCapacity = 1_024

    /// - Parameter timeToLive: see ``PartitionState/timeToLive``; 0 is for ever.
    package init(_ number: Int32, plan: FeaturePlan, timeToLive: Int64 = 0) {
        self.number = number
        state = PartitionState(plan: plan)
        state.timeToLive = timeToLive
        records = .allocate(capacity: recordCapacity)
    }

    deinit { records.deallocate() }

    /// Begins anew with an empty state.
    package func resetState() {
        let timeToLive = state.timeToLive
        state = PartitionState(plan: state.plan)
        state.timeToLive = timeToLive
    }

    /// Erases a user, as part of the transaction at hand.
    package func erase(user: UnsafeRawBufferPointer) {
        erased?(user)
        withdrawn?(user)
        state.remove(user: user)
    }

    /// Adds an output record: `write` puts its value into the buffer.
    ///
    /// - Parameter tag: the caller's number of the message that it came from.
    @inline(__always)
    func addOutput(key: UnsafeRawBufferPointer, timestamp: Int64, tag: Int, _ write: (ByteBuffer) -> Void) {
        let keyStart = bytes.count
        bytes.append(key)
        let valueStart = bytes.count
        write(bytes)
        append(
            OutputRecord(key: keyStart..<valueStart, value: valueStart..<bytes.count, timestamp: timestamp, tag: tag))
    }

    /// Adds an output record without a value.
    package func addTombstone(key: UnsafeRawBufferPointer, timestamp: Int64) {
        let start = bytes.count
        bytes.append(key)
        append(OutputRecord(key: start..<bytes.count, value: nil, timestamp: timestamp))
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
    ///
    /// - Parameter removed: hears of users who are gone.
    /// - Returns: how many outputs wait to be taken.
    package func collectChanges(removed: (UnsafeRawBufferPointer) -> Void) -> Int {
        state.forEachDirty { user, slot in
            let keyStart = bytes.count
            bytes.append(user)
            let valueStart = bytes.count
            if let slot {
                state.markUnsaved(slot)
                let room = bytes.reserve(state.encodedBound(slot))
                bytes.advance(state.encode(slot, to: UnsafeMutableRawPointer(room)))
            } else {
                removed(user)
            }
            // The changelog is the state as of now, not as of an event: it is stamped with the present.
            append(
                OutputRecord(
                    key: keyStart..<valueStart, value: slot == nil ? nil : valueStart..<bytes.count, timestamp: 0))
        }
        return recordCount
    }

    @inline(__always)
    private func append(_ record: OutputRecord) {
        if recordCount == recordCapacity { growRecords() }
        (records + recordCount).initialize(to: record)
        recordCount += 1
    }

    private func growRecords() {
        let larger = UnsafeMutablePointer<OutputRecord>.allocate(capacity: recordCapacity * 2)
        larger.update(from: records, count: recordCount)
        records.deallocate()
        records = larger
        recordCapacity *= 2
    }
}
