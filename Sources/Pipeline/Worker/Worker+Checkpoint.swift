import Base
import Consumer
import Engine
import Features
import Foundation
import Kafka
import Settings
import StateStore
import Synchronization

/// The local copy of this worker's partitions: a piece of work after each commit, and what becomes of partitions that go.
///
/// ```
///           assigned ─► shards ──revoked, lost──► parked ──assigned again, untouched by others──► shards
///                                                   │ assigned to another
///                                                   ▼
///                                                retiring ──last pass written──► gone
/// ```
/// `range` revokes everything at each rebalance and mostly gives the same partitions back: a parked one goes on without
/// being restored when the group's committed offset says that nobody else has worked on it.
extension Worker {
    /// What a worker may spend on its passes after a commit: a fiftieth of its time, a millisecond at least.
    private var checkpointBudget: Duration {
        .microseconds(max(1_000, context.configuration.commitIntervalMilliseconds * 20))
    }

    /// Between commits.
    ///
    /// - Parameter isProven: whether a commit has just shown that the partitions are still this member's.
    func advanceCheckpoints(isProven: Bool) {
        guard context.local != nil else { return }
        let until = ContinuousClock.now + checkpointBudget
        for shard in shards.values where shard.isRestored {
            shard.checkpoint?.advance(shard.state, until: until, isProven: isProven)
        }
        guard !retiring.isEmpty else { return }
        for shard in retiring { shard.checkpoint?.advance(shard.state, until: until, isProven: false) }
        retiring.removeAll { shard in
            if shard.checkpoint?.isWorking == true { return false }
            release(shard)
            return true
        }
    }

    // MARK: Spilling

    /// Whether memory is at its bound, so that only a commit makes room.
    var isMemoryFull: Bool {
        guard let spill else { return false }
        return WorkerSpill.used(shards.values) > spill.bound / 20 * 19
    }

    /// Brings back the users whom the batch at hand needs.
    ///
    /// - Returns: false when the store lost them: the worker leaves, to restore everything anew.
    func loadSpilled() -> Bool {
        guard let spill else { return true }
        let generation = context.local?.store.generation ?? 0
        let before = spill.loaded
        do throws(ImpactError) {
            try processor.forEachRun { partition, events, range throws(ImpactError) in
                guard let shard = shards[partition.number] else { return }
                try spill.load(shard, events, range)
            }
            context.metrics.reloadedUsers.add(spill.loaded - before)
            return true
        } catch {
            if StateStore.isDamage(error) || error.code.hasPrefix("state_record_") {
                try? context.local?.store.replace(generation: generation, reason: error.message)
            }
            Log.error(component, "\(error.message): leaving, to restore the state from the changelog")
            processor.discard()
            for shard in shards.values {
                shard.content.takeOutputs { _, _ in }
                shard.rollback()
            }
            isOpen = false
            isFenced = true
            return false
        }
    }

    /// Between commits: drops cold users when memory is nearly full. A full disk is waited for: the stream stands
    /// still meanwhile, and nothing is lost.
    func relieveMemory() throws(ImpactError) {
        guard let spill, !isOpen else { return }
        if shards.values.contains(where: { $0.checkpoint?.isLost ?? false }) {
            Log.error(component, "the local store lost users: leaving, to restore the state from the changelog")
            isFenced = true
            return
        }
        let before = spill.evicted
        defer { context.metrics.evictedUsers.add(spill.evicted - before) }
        var tries = 0
        while !context.isStopRequested, !isFenced {
            do throws(ImpactError) {
                return try spill.relieve(Array(shards.values))
            } catch {
                if error.code == "state_spill_lost" {
                    isFenced = true
                    return
                }
                tries += 1
                if tries > 120 { throw error }
                Thread.sleep(forTimeInterval: 0.5)
            }
        }
    }

    /// A new shard with its right to the local store.
    func makeShard(_ number: Int32) -> Shard {
        let shard = Shard(number, topics: consumer.topics, plan: processor.plan)
        if let local = context.local {
            shard.checkpoint = ShardCheckpoint(
                local, local.acquire(number),
                intervalMilliseconds: context.configuration.checkpointIntervalMilliseconds, component: component)
        }
        return shard
    }

    /// Commits, and prepares the last pass of the shards that go: the changelog's ends are asked for before the commit
    /// that proves them.
    func commitLast() {
        let behind = shards.values.filter { $0.isRestored && ($0.checkpoint?.isBehind ?? false || isOpen) }
        guard let local = context.local, !isFenced, !behind.isEmpty else { return commit() }
        for shard in behind { shard.checkpoint.map { local.ask($0.ticket) } }
        let deadline = ContinuousClock.now + .seconds(2)
        while behind.contains(where: { $0.checkpoint?.ticket.isAsking ?? false }), ContinuousClock.now < deadline {
            Thread.sleep(forTimeInterval: 0.001)
        }
        let before = provenCommits
        if isOpen { commit() } else { commitProof() }
        guard provenCommits > before else { return }
        for shard in behind {
            guard let checkpoint = shard.checkpoint, let marks = checkpoint.ticket.takeMarks() else { continue }
            checkpoint.beginLast(marks, shard.state)
        }
    }

    /// Keeps the shards for the case that their partitions come back.
    func park(_ partitions: [TopicPartition]) {
        for partition in partitions {
            guard let shard = shards.removeValue(forKey: partition.partition) else { continue }
            if shard.isRestored, !isFenced { parked[partition.partition] = shard } else { release(shard) }
        }
    }

    /// The parked shard of a partition, when nobody else has worked on it.
    func takeParked(_ number: Int32, committed: [TopicPartition: Int64]) -> Shard? {
        guard let shard = parked[number], shard.positions.stands(at: committed),
            !(shard.checkpoint?.ticket.isEnded ?? false)
        else { return nil }
        parked[number] = nil
        return shard
    }

    /// Lets the parked shards that did not come back finish their last pass.
    func retireParked() {
        retiring += parked.values
        parked.removeAll()
    }

    /// Writes what the local store lacks; on leaving.
    func finishCheckpoints(within milliseconds: Int) {
        retireParked()
        let deadline = ContinuousClock.now + .milliseconds(milliseconds)
        while !retiring.isEmpty, ContinuousClock.now < deadline {
            advanceCheckpoints(isProven: false)
            if !retiring.isEmpty { Thread.sleep(forTimeInterval: 0.001) }
        }
        if !retiring.isEmpty {
            Log.warning(component, "no time to bring the local copy up to date: the next start replays more")
        }
        for shard in retiring { release(shard) }
        retiring.removeAll()
    }

    private func release(_ shard: Shard) {
        if let checkpoint = shard.checkpoint { checkpoint.local.release(checkpoint.ticket) }
    }
}
