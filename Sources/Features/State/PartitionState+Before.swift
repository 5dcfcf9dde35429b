import Events

extension PartitionState {
    /// What ``features(before:user:into:)`` found.
    public enum Before: Equatable {
        /// The row is written: what was known before the event, as of the event's time.
        case features
        /// The user's clock, the latest event time applied, is after the event's time: the state holds what came later,
        /// so no row before the event can be had from it.
        case ahead(clock: Int64)
        /// The user already has an event of this id.
        case duplicate
        /// The user refuses that events are stored.
        case refused
    }

    /// The user's features as they stand just before an event: of the events applied so far, as of the event's own time.
    /// For training rows; applies nothing.
    ///
    /// - Parameter row: room for ``FeaturePlan/count`` numbers.
    public func features(
        before event: Event, user: UnsafeRawBufferPointer, into row: UnsafeMutablePointer<Float>
    ) -> Before {
        core.pointee.features(before: PartitionCore.Arrival(event), user, into: row)
    }
}

extension PartitionCore {
    mutating func features(
        before event: Arrival, _ user: UnsafeRawBufferPointer, into row: UnsafeMutablePointer<Float>
    ) -> PartitionState.Before {
        guard let entry = find(user, hash(user)), !isExpired(record(UserTable.reference(entry)), at: event.time) else {
            // A user of whom nothing is known: a record of zeros.
            scratch.initializeMemory(as: UInt8.self, repeating: 0, count: fixedEnd)
            read(UserRecord(address: scratch), at: event.time, into: row)
            return .features
        }
        let record = record(UserTable.reference(entry))
        if record.refuses.contains(.storing) { return .refused }
        if event.hasID, isKnown(event.idHash, record) { return .duplicate }
        guard record.clock <= event.time else { return .ahead(clock: record.clock) }
        read(record, at: event.time, into: row)
        return .features
    }
}
