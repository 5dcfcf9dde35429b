import Base

/// Users that memory does not hold: cold ones are dropped once the local store has them, and brought back when an event
/// of theirs comes.
extension PartitionState {
    /// Bytes that the users in memory need: their blocks with the sixth that compaction leaves dead, the table, the
    /// undo log. Up to one chunk of 2 MiB more is held.
    public var residentBytes: Int {
        core.pointee.arena.liveBytes / 5 * 6 + core.pointee.table.bytes + core.pointee.undo.bytes
    }

    /// Whether the user is in memory.
    @inline(__always)
    public func isResident(_ user: UnsafeRawBufferPointer) -> Bool {
        core.pointee.find(user, core.pointee.hash(user)) != nil
    }

    /// Brings a user back whom memory does not hold, with the record that the local store has; also while changes are
    /// not committed: what is brought back was committed before them. Does nothing when the user is there.
    ///
    /// - Throws: as ``restore(user:record:isUnsaved:)`` for a damaged record.
    public func load(user: UnsafeRawBufferPointer, record: UnsafeRawBufferPointer) throws(ImpactError) {
        guard user.count <= Int(UInt16.max), !isResident(user) else { return }
        try core.pointee.restore(user, record, false)
        if let entry = core.pointee.find(user, core.pointee.hash(user)) {
            core.pointee.record(UserTable.reference(entry)).raise(RecordLayout.warm)
        }
    }

    /// Cold users, chosen for eviction. Good until the state changes.
    public struct Victims {
        fileprivate var references: [UInt32] = []
        /// Bytes of their blocks.
        public fileprivate(set) var bytes = 0
        public var count: Int { references.count }

        public init() {}

        public mutating func removeAll() {
            references.removeAll(keepingCapacity: true)
            bytes = 0
        }
    }

    /// Chooses users that were not changed since the hand passed them last (the clock algorithm, second chance), segment
    /// by segment, until their blocks make up the bytes wanted or the hand has gone round twice.
    ///
    /// Only between commits.
    /// - Parameters:
    ///   - hand: where the search goes on; the caller keeps it.
    ///   - saving: every user, whatever the marks say, when the store's content is in doubt.
    ///   - limit: no more segment is begun after so many users had to be saved.
    ///   - save: is called for victims that the local store lacks; what it does must be done before ``evict(_:)``.
    public func chooseVictims(
        _ victims: inout Victims, bytes wanted: Int, hand: inout Int, savingAll saving: Bool, limit: Int,
        save: (UnsafeRawBufferPointer, Slot) -> Void
    ) {
        precondition(core.pointee.undo.count == 0, "only what is committed may be dropped")
        var saved = 0
        var segments = 0
        while victims.bytes < wanted, saved < limit, segments < 2 * UserTable.segmentCount {
            core.pointee.table.forEach(inSegment: hand) { reference in
                let record = core.pointee.record(reference)
                if record.isWarm {
                    record.lower(RecordLayout.warm)
                    return
                }
                if saving || record.isUnsaved {
                    save(core.pointee.user(record), Slot(reference: reference))
                    record.lower(RecordLayout.unsaved)
                    saved += 1
                }
                victims.references.append(reference)
                victims.bytes += record.capacity
            }
            hand = (hand + 1) % UserTable.segmentCount
            segments += 1
        }
    }

    /// Drops the victims from memory.
    public func evict(_ victims: Victims) {
        for reference in victims.references {
            let hash = core.pointee.record(reference).hash
            if let entry = core.pointee.table.find(hash, { $0 == reference }) { core.pointee.discard(entry) }
        }
    }
}
