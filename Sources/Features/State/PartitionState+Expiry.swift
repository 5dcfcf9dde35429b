/// Users without an event for a long time are forgotten, so that made-up ids cannot fill memory for ever.
///
/// The rule: at an event, a user is forgotten when the partition's latest event time, that event included, is more than the
/// time to live after the user's own latest event time. It reads event time alone, and a user who is forgotten stays so
/// until an event of theirs comes; so when their record is in fact removed, at that event or by ``expire(hand:)`` before,
/// changes no score.
extension PartitionState {
    /// Milliseconds of event time that a user lives on without an event; `Int64.max` (the start) is for ever.
    public var timeToLive: Int64 {
        get { core.pointee.timeToLive }
        set { core.pointee.timeToLive = newValue > 0 ? newValue : .max }
    }

    /// Removes forgotten users of one segment of the table, as part of the transaction at hand: the changelog gets their
    /// tombstones.
    ///
    /// - Parameter hand: the segment; set to the next one.
    /// - Returns: how many were removed.
    @discardableResult
    public func expire(hand: inout Int) -> Int {
        guard core.pointee.timeToLive < .max else { return 0 }
        defer { hand = (hand + 1) % UserTable.segmentCount }
        var forgotten: [UInt32] = []
        core.pointee.table.forEach(inSegment: hand) { reference in
            let record = core.pointee.record(reference)
            if core.pointee.isExpired(record, at: core.pointee.clock), !PartitionCore.isBlank(record) {
                forgotten.append(reference)
            }
        }
        for reference in forgotten {
            let hash = core.pointee.record(reference).hash
            guard let entry = core.pointee.table.find(hash, { $0 == reference }) else { continue }
            core.pointee.forget(entry)
            core.pointee.counters.expired &+= 1
        }
        return forgotten.count
    }
}

extension PartitionCore {
    @inline(__always)
    func isExpired(_ record: UserRecord, at time: Int64) -> Bool { max(clock, time) &- record.clock > timeToLive }

    /// Forgets the user of the entry when their time is over; true when they are gone.
    @inline(__always)
    mutating func expire(_ entry: UnsafeMutablePointer<UInt64>) -> Bool {
        let record = record(UserTable.reference(entry))
        guard clock &- record.clock > timeToLive, !Self.isBlank(record) else { return false }
        counters.expired &+= 1
        return forget(entry)
    }
}
