import Base
import Events
import Features
import Foundation
import StateStore

/// Brings one shard's users into the local store, a piece after each commit. On the worker's thread.
///
/// ``CheckpointSchedule`` says what is next; this does it, and keeps who must be written and removed.
///
/// A pass writes the users changed since the one before, and with its last batch the changelog offset up to which that
/// is everything. The offset is the end of the changelog's committed part, asked for before a commit that succeeded: the
/// commit proves that nobody else owned the partition in between, so all before the offset was in memory when the pass
/// began. What the pass writes may be newer than the offset, never newer than Kafka.
package final class ShardCheckpoint {
    package let local: LocalState
    package let ticket: CheckpointTicket
    private let component: String
    private var schedule: CheckpointSchedule
    /// The store that the users were written to.
    private var generation: Int
    private var seenGeneration: Int
    /// Users removed by commits since the last pass began, and those whom the pass at hand removes.
    private var removed: [[UInt8]] = []
    private var removedInPass: [[UInt8]] = []
    /// Users erased by the transaction at hand, and by commits whose deletion is not in the store yet. Kept only when
    /// users were spilled: a look-up must not find them.
    private var erasing: Set<[UInt8]> = []
    private var erased: Set<[UInt8]> = []
    /// Users removed since the last commit.
    private var removing: [[UInt8]] = []
    /// Users whom an event erased: since the last commit, since the last pass began, and those of the pass at hand, after
    /// which no file may hold their earlier records.
    private var erasures: (open: [[UInt8]], committed: [[UInt8]], inPass: [[UInt8]]) = ([], [], [])
    private let scratch = ByteBuffer(capacity: 1 << 12)
    private var batch: StoreBatch?
    private var startedAt = ContinuousClock.now
    private var written = 0

    package init(_ local: LocalState, _ ticket: CheckpointTicket, intervalMilliseconds: Int, component: String) {
        self.local = local
        self.ticket = ticket
        self.component = component
        generation = local.store.generation
        seenGeneration = generation
        schedule = CheckpointSchedule(
            now: .now,
            // Partitions that come together should not all write at once.
            firstAfter: .milliseconds(Int.random(in: intervalMilliseconds / 2...max(1, intervalMilliseconds))),
            interval: .milliseconds(intervalMilliseconds),
            renewalInterval: .milliseconds(local.tombstoneMilliseconds / 10))
    }

    package var phase: CheckpointSchedule.Phase { schedule.phase }
    /// Whether a pass is under way.
    package var isWorking: Bool { schedule.isWorking }
    /// Whether the store lacks anything.
    package var isBehind: Bool { schedule.hasChanges || isWorking }
    /// The store was replaced while it alone had some users: the partition must be restored anew.
    package var isLost: Bool { schedule.isLost }
    /// Whether the store has users whom memory does not hold.
    package var hasSpilled: Bool { schedule.hasSpilled }

    // MARK: What the stream tells

    /// A user goes with the transaction at hand.
    package func noteRemoval(_ user: UnsafeRawBufferPointer) { removing.append(Array(user)) }
    package func noteChange() { _ = schedule.handle(.changed) }

    /// The store may lack any user: the next pass writes them all.
    package func noteAll() { _ = schedule.handle(.lacksAny) }

    /// Users left memory for the store, or were left in it.
    package func noteSpill() { _ = schedule.handle(.spilled) }

    /// The tail of the changelog changed a user, or removed him.
    package func noteReplay(removed user: UnsafeRawBufferPointer?) {
        noteChange()
        guard let user else { return }
        removed.append(Array(user))
        // Users were left in the store: a look-up must not find this one.
        if hasSpilled { erased.insert(Array(user)) }
    }

    /// The transaction was committed.
    package func committed() {
        guard !removing.isEmpty || !erasures.open.isEmpty else { return }
        erasures.committed += erasures.open
        erasures.open.removeAll()
        removed += removing
        removing.removeAll()
        erased.formUnion(erasing)
        erasing.removeAll()
    }

    package func rolledBack() {
        removing.removeAll()
        erasing.removeAll()
        erasures.open.removeAll()
    }

    // MARK: Passes

    /// Between commits, the latest of which proved that the partition is still this member's: does a piece of the work.
    ///
    /// - Parameter until: no new piece is begun after this time.
    package func advance(_ state: PartitionState, until: ContinuousClock.Instant, isProven: Bool) {
        perform(schedule.handle(.time(.now, isProven: isProven)), state, until)
    }

    /// The partition goes: a last pass, whatever is due. The ticket was asked before a commit that succeeded.
    ///
    /// - Returns: false when the broker has not said where the changelog ends: what the store lacks then stays in the
    ///   changelog alone.
    package func beginLast(_ state: PartitionState) -> Bool {
        // A regular pass that fell due with the commit may have taken the answer: it writes the same.
        guard let marks = ticket.takeMarks() else { return isWorking }
        perform(schedule.handle(.last(marks, isSameStore: lookAtStore(), .now)), state, .now)
        return true
    }

    private var isSameStore: Bool { generation == local.store.generation }

    /// Looks which store there is now; the pass that begins is for that one.
    private func lookAtStore() -> Bool {
        seenGeneration = local.store.generation
        return seenGeneration == generation
    }

    private func perform(
        _ first: CheckpointSchedule.Action, _ state: PartitionState, _ until: ContinuousClock.Instant
    ) {
        var action = first
        while true {
            switch action {
            case .none: return
            case .ask:
                local.ask(ticket)
                return
            case .takeAnswer:
                action =
                    ticket.isAsking
                    ? schedule.handle(.waiting)
                    : schedule.handle(.answered(ticket.takeMarks(), isSameStore: lookAtStore(), .now))
            case .begin:
                begin(state)
                return
            case .write(let segment, let all):
                let next = write(state, from: segment, all: all, until: until)
                action = schedule.handle(.wrote(upTo: next, of: PartitionState.segmentCount))
            case .close(let marks):
                close(marks, state)
                return
            case .takeResult:
                guard ticket.isIdle else { return }
                if let failure = ticket.takeFailure() { return fail(failure) }
                finish()
                action = schedule.handle(.written(isSameStore: lookAtStore(), .now))
            }
        }
    }

    private func begin(_ state: PartitionState) {
        generation = seenGeneration
        KillPoint.checkpointBegin.reached()
        written = 0
        startedAt = .now
        let batch = local.batch()
        // Before the users: one who came back is written again below.
        for user in removed { remove(user, state, batch) }
        removedInPass = removed
        removed = []
        erasures.inPass = erasures.committed
        erasures.committed = []
        self.batch = batch
    }

    /// Takes a user out of the store. One who has come back meanwhile may have been written behind the removal: marked
    /// anew, so that he is written again behind this.
    private func remove(_ user: [UInt8], _ state: PartitionState, _ batch: StoreBatch) {
        user.withUnsafeBytes { user in
            batch.put(ticket.partition, user: user, record: nil)
            if let slot = state.slot(ofUser: user) { state.markUnsaved(slot) }
        }
    }

    /// - Returns: the segment to go on with.
    private func write(
        _ state: PartitionState, from first: Int, all: Bool, until: ContinuousClock.Instant
    ) -> Int {
        var segment = first
        while segment < PartitionState.segmentCount {
            guard local.hasRoom else { break }
            let batch = batch ?? local.batch()
            self.batch = batch
            state.takeUnsaved(inSegment: segment, all: all) { user, slot in
                scratch.removeAll()
                state.encode(slot, into: scratch)
                batch.put(ticket.partition, user: user, record: scratch.bytes)
                written += 1
            }
            segment += 1
            if batch.bytes >= LocalState.batchBytes { hand(batch) }
            if ContinuousClock.now >= until { break }
        }
        return segment
    }

    /// Hands over the pass's last batch, with what the pass claims.
    private func close(_ marks: CheckpointTicket.Marks, _ state: PartitionState) {
        let batch = batch ?? local.batch()
        batch.put(
            ticket.partition,
            Checkpoint(
                topic: local.changelog, offset: marks.stable, start: marks.start, time: marks.time,
                fingerprint: state.plan.fingerprint))
        hand(batch)
    }

    private func hand(_ batch: StoreBatch) {
        local.submit(batch, ticket, generation: generation)
        self.batch = nil
    }

    private func finish() {
        KillPoint.checkpointEnd.reached()
        tellRecovery()
        removedInPass = []
        if !erasures.inPass.isEmpty { local.compact(ticket.partition, erased: erasures.inPass) }
        erasures.inPass = []
        let seconds = (ContinuousClock.now - startedAt) / .seconds(1)
        Log.debug(
            component,
            "partition \(ticket.partition): \(written) users saved locally in \(String(format: "%.2f", seconds)) s")
    }

    /// A pass whose writes failed has lowered marks: the next one takes every user.
    private func fail(_ failure: ImpactError) {
        // Every partition's pass fails in its turn when a disk is full: one tells, and opens the store anew.
        let advice = local.trouble.failed()
        if advice.tells { Log.warning(component, "\(failure.message). Kafka has everything; trying again") }
        removed = removedInPass + removed
        removedInPass = []
        erasures.committed = erasures.inPass + erasures.committed
        erasures.inPass = []
        batch = nil
        _ = schedule.handle(.failed(.now))
        do throws(ImpactError) {
            if StateStore.isDamage(failure) {
                try local.store.replace(generation: generation, reason: failure.message)
            } else if advice.mends, !StateStore.isReplaced(failure) {
                try local.store.reopen()
            }
        } catch { if advice.tells { Log.warning(component, error.message) } }
    }

    private func tellRecovery() {
        guard let time = local.trouble.succeeded() else { return }
        Log.info(component, "the local store takes writes again after \(time.components.seconds) s")
    }

    // MARK: Spilling

    /// Whether the store at hand is not the one that this partition's users were written to.
    package var isOfAnotherStore: Bool { isLost || !isSameStore }
    /// Whether the marks do not say what the store has.
    package var isInDoubt: Bool { schedule.needsAll }

    /// An event of the transaction at hand erased a user.
    func noteErasure(_ user: UnsafeRawBufferPointer) {
        erasures.open.append(Array(user))
        if hasSpilled { erasing.insert(Array(user)) }
    }

    /// Whether the user was erased, though the store may still have a record.
    package func isErased(_ user: UnsafeRawBufferPointer) -> Bool {
        guard !erasing.isEmpty || !erased.isEmpty else { return false }
        let user = Array(user)
        return erasing.contains(user) || erased.contains(user)
    }

    /// Adds a user to what is written next.
    package func save(_ state: PartitionState, _ user: UnsafeRawBufferPointer, _ slot: PartitionState.Slot) {
        let batch = batch ?? local.batch()
        self.batch = batch
        scratch.removeAll()
        state.encode(slot, into: scratch)
        batch.put(ticket.partition, user: user, record: scratch.bytes)
        if batch.bytes >= LocalState.batchBytes { hand(batch) }
    }

    /// Waits until everything handed over is in the store, the deletions of erased users too.
    ///
    /// - Throws: the store's failure, or `state_spill_lost` when the store is not this partition's any more.
    package func drain(_ state: PartitionState) throws(ImpactError) {
        let deletions = removed
        if !deletions.isEmpty {
            let batch = batch ?? local.batch()
            self.batch = batch
            for user in deletions { remove(user, state, batch) }
            removed = []
        }
        if let batch, !batch.isEmpty { hand(batch) }
        while !ticket.isIdle { usleep(200) }
        let failure =
            ticket.takeFailure()
            ?? (ticket.isEnded || isOfAnotherStore
                ? ImpactError(.failed, code: "state_spill_lost", "the local store has another owner") : nil)
        guard let failure else {
            tellRecovery()
            return erased.removeAll()
        }
        removed = deletions + removed
        if hasSpilled { erased.formUnion(removed) }
        fail(failure)
        throw failure
    }

    /// After a commit: takes erased users out of the store at once, if there are any. What fails is tried again.
    package func deleteErased(_ state: PartitionState) {
        guard !erased.isEmpty else { return }
        do throws(ImpactError) { try drain(state) } catch { Log.debug(component, error.message) }
    }
}
