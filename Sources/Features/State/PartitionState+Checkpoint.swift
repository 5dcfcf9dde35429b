import CNumeric

/// What the local store lacks: users changed since they were last written there.
///
/// A flag in the record says so. A pass over the state goes segment by segment of the table, between commits, so that
/// no pass stops the stream for long; a user stays in one segment, however the record moves meanwhile.
extension PartitionState {
    /// Pieces of a pass.
    public static var segmentCount: Int { UserTable.segmentCount }

    /// Notes that the local store does not hold the user as he is now. Once a commit for each changed user.
    @inline(__always)
    public func markUnsaved(_ slot: Slot) { core.pointee.record(slot.reference).raise(RecordLayout.flags) }

    /// Calls `body` with each user of a segment that the local store lacks, and counts him as saved.
    ///
    /// Only between commits: what is not committed must not be stored.
    /// - Parameter all: every user of the segment, for a store that knows nothing.
    public func takeUnsaved(inSegment segment: Int, all: Bool, _ body: (UnsafeRawBufferPointer, Slot) -> Void) {
        precondition(core.pointee.undo.count == 0, "only what is committed may be stored")
        let places = core.pointee.table.places(inSegment: segment)
        for place in 0..<places {
            if place + 8 < places {
                let ahead = core.pointee.table.reference(inSegment: segment, at: place + 8)
                if ahead != 0 { cnumeric_prefetch(core.pointee.arena.address(ahead)) }
            }
            let reference = core.pointee.table.reference(inSegment: segment, at: place)
            guard reference != 0 else { continue }
            let record = core.pointee.record(reference)
            guard all || record.isUnsaved else { continue }
            body(core.pointee.user(record), Slot(reference: reference))
            record.lower(RecordLayout.unsaved)
        }
    }

    /// Users that the local store lacks; looks at all of them. For tests.
    public var unsavedCount: Int {
        var count = 0
        core.pointee.table.forEach { if core.pointee.record($0).isUnsaved { count += 1 } }
        return count
    }
}
