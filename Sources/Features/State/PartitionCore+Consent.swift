import Events

/// What users refuse. It is part of their record, so that it survives restarts, restores and replays as features do, and it
/// outlives erasure and the time to live: who has refused need not refuse again.
///
/// - A user who refuses ``Purposes/storing`` has a blank record: id, refusal, and the time of the refusal as clock. Events
///   change nothing, but for a consent event that is not older.
/// - A user who refuses ``Purposes/scoring`` alone has features like everybody; who scores must ask.
extension PartitionCore {
    /// Stands for the reference of an event that was not applied, since its user refuses it.
    static let refused = UInt32.max

    /// Whether nothing but a refusal is known of the user.
    @inline(__always)
    static func isBlank(_ record: UserRecord) -> Bool {
        !record.refuses.isEmpty && record.read(RecordLayout.events, as: UInt32.self) == 0
    }

    /// Notes what a consent event refuses and allows; features do not change, unless all of them go.
    @inline(never)
    mutating func applyConsent(_ event: Arrival, _ user: UnsafeRawBufferPointer, _ hash: UInt64) -> UInt32 {
        let entry: UnsafeMutablePointer<UInt64>
        if let known = find(user, hash), !expire(known) {
            let reference = UserTable.reference(known)
            let record = record(reference)
            // A blank record knows no ids: there time tells an event that is repeated from a change of mind.
            let isOld = record.refuses.contains(.storing) && event.time < record.clock
            if isOld || event.hasID && isKnown(event.idHash, record) {
                counters.duplicates &+= 1
                return 0
            }
            touch(record, reference)
            entry = known
        } else {
            entry = create(user, hash)
            let reference = UserTable.reference(entry)
            note(undo.appendNew(reference), in: record(reference))
            record(reference).write(RecordLayout.clock, event.time)
        }
        counters.events &+= 1
        var cursor = Cursor(record: record(UserTable.reference(entry)), entry: entry, offset: 0)
        cursor.offset = listsStart(cursor.record)
        let bits = cursor.record.read(RecordLayout.refuses, as: UInt16.self)
        let refuses = bits & ~UInt16(event.allows.rawValue) | UInt16(event.refuses.rawValue)
        cursor.record.write(RecordLayout.refuses, refuses)
        if cursor.record.refuses.contains(.storing) {
            blank(cursor.record)
            if event.time > cursor.record.clock { cursor.record.write(RecordLayout.clock, event.time) }
        } else if event.hasID, deduplicationIDs > 0 {
            remember(event.idHash, &cursor)
        }
        return UserTable.reference(entry)
    }

    /// Forgets a user, as part of the transaction at hand. What they refuse stays.
    ///
    /// - Returns: whether nothing is left of them.
    @discardableResult
    mutating func forget(_ entry: UnsafeMutablePointer<UInt64>) -> Bool {
        let reference = UserTable.reference(entry)
        let record = record(reference)
        if record.refuses.isEmpty {
            remove(entry)
            return true
        }
        touch(record, reference)
        blank(record)
        return false
    }

    /// Takes everything out of a record but id, clock and refusal.
    private func blank(_ record: UserRecord) {
        let refuses = record.read(RecordLayout.refuses, as: UInt16.self)
        let used = listsStart(record)
        (record.address + RecordLayout.events).initializeMemory(
            as: UInt8.self, repeating: 0, count: fixedEnd &- RecordLayout.events)
        // The lists too: memory that is given back must not hold what was refused.
        (record.address + used).initializeMemory(as: UInt8.self, repeating: 0, count: record.used &- used)
        record.write(RecordLayout.refuses, refuses)
        record.write(RecordLayout.used, UInt32(truncatingIfNeeded: used))
    }
}

extension PartitionState {
    /// What the user refuses.
    @inline(__always)
    public func refuses(_ slot: Slot) -> Purposes { core.pointee.record(slot.reference).refuses }
}
