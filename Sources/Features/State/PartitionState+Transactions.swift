import Base

extension PartitionState {
    /// Users changed since the last commit; one who was removed and came back counts twice.
    public var dirtyCount: Int { core.pointee.undo.count }
    /// Bytes that a rollback needs: the records of those users as they were, and the list of them.
    public var undoBytes: Int { core.pointee.undo.usedBytes }

    /// Calls `body` for each user changed since the last commit, in the order in which they were first touched.
    ///
    /// A user who was removed has no slot: the changelog gets a tombstone. A user who came and went since the last
    /// commit is left out.
    public func forEachDirty<Failure: Error>(
        _ body: (UnsafeRawBufferPointer, Slot?) throws(Failure) -> Void
    ) throws(Failure) {
        let count = core.pointee.undo.count
        for i in 0..<count {
            if i &+ 16 < count { core.pointee.fetch(core.pointee.undo[i &+ 16].reference) }
            let entry = core.pointee.undo[i]
            if entry.reference != 0 {
                let slot = Slot(reference: entry.reference)
                try body(user(slot), slot)
            } else if let image = entry.image {
                try body(core.pointee.user(UserRecord(address: image)), nil)
            }
        }
    }

    /// Makes everything since the last commit final.
    public func commit() {
        core.pointee.beginTransaction()
        core.pointee.committedCounters = core.pointee.counters
        core.pointee.committedClock = core.pointee.clock
    }

    /// Takes back everything since the last commit: records, new users, removals and counters.
    public func rollback() { core.pointee.rollback() }

    /// For tests: the number of the transaction at hand, of 2³². Only while nothing is uncommitted.
    public func setEpoch(_ epoch: UInt32) { core.pointee.undo.epoch = epoch }

    /// Removes a user with all that is known about them, but for what they refuse; false when the user is not there.
    @discardableResult
    public func remove(user: UnsafeRawBufferPointer) -> Bool {
        guard let entry = core.pointee.find(user, core.pointee.hash(user)) else { return false }
        core.pointee.forget(entry)
        return true
    }
}
