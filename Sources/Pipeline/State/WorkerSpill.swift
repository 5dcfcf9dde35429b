import Base
import Events
import Features
import Foundation
import Kafka
import StateStore

/// Keeps a worker's users within its share of `state.memory.bytes`: cold ones leave memory for the local store, and come
/// back, many at once, before the events that need them are applied.
///
/// ```
///  batch ─► users that memory lacks ─► one look-up in the store ─► memory ─► apply
///  commit ─► more than nine tenths of the bound? ─► write the cold ones that the store lacks ─► drop cold ones
/// ```
/// Scores do not depend on it: a record that comes back is the record that left, byte for byte.
package final class WorkerSpill {
    /// Bytes of records, tables and undo logs of all the worker's partitions.
    package let bound: Int
    private let store: StateStore
    private let lookup = StoreLookup()
    private var victims = PartitionState.Victims()
    /// Users written before an eviction goes on: some tens of milliseconds.
    private static let saveLimit = 8_192
    /// Users brought back and dropped since the start.
    package private(set) var loaded = 0
    package private(set) var evicted = 0

    package init(bound: Int, store: StateStore) {
        self.bound = bound
        self.store = store
    }

    package static func used(_ shards: some Sequence<Shard>) -> Int {
        shards.reduce(0) { $0 + $1.state.residentBytes }
    }

    /// Brings back the users of these events whom memory lacks.
    ///
    /// - Throws: a damaged store: what was spilled must then be restored from the changelog.
    package func load(_ shard: Shard, _ events: EventBatch, _ range: Range<Int>) throws(ImpactError) {
        guard shard.hasSpilled else { return }
        guard let checkpoint = shard.checkpoint, !checkpoint.isOfAnotherStore else {
            throw ImpactError(
                .failed, code: "state_spill_lost",
                "the local store was replaced, and with it users of partition \(shard.partition.partition) that memory "
                    + "does not hold")
        }
        let state = shard.state
        lookup.begin(shard.partition.partition)
        for i in range {
            let user = events.user(i)
            if !state.isResident(user), !checkpoint.isErased(user) { lookup.add(user) }
        }
        guard lookup.count > 0 else { return }
        let before = state.userCount
        try lookup.run(store) { user, record throws(ImpactError) in try state.load(user: user, record: record) }
        loaded += state.userCount - before
    }

    /// Between commits: drops cold users when memory is nearly full.
    ///
    /// - Throws: a store that does not take what must be written first: a full disk.
    package func relieve(_ shards: [Shard]) throws(ImpactError) {
        let used = Self.used(shards)
        guard used > bound / 10 * 9 else { return }
        var excess = used - bound / 10 * 8
        for shard in shards.sorted(by: { $0.state.residentBytes > $1.state.residentBytes }) where excess > 0 {
            let before = shard.state.residentBytes
            try relieve(shard, min(excess, before / 2))
            excess -= before - shard.state.residentBytes
        }
    }

    private func relieve(_ shard: Shard, _ bytes: Int) throws(ImpactError) {
        guard let checkpoint = shard.checkpoint else { return }
        let state = shard.state
        // Dead blocks count for six fifths: see `residentBytes`.
        let wanted = bytes / 6 * 5
        var freed = 0
        // What is queued may be older than what the marks say: it must be in the store before anything is dropped.
        try checkpoint.drain(state)
        for _ in 0..<1_000 where freed < wanted {
            victims.removeAll()
            state.chooseVictims(
                &victims, bytes: wanted - freed, hand: &shard.hand, savingAll: checkpoint.isInDoubt,
                limit: Self.saveLimit
            ) { user, slot in checkpoint.save(state, user, slot) }
            if victims.count == 0 { return }
            try checkpoint.drain(state)
            state.evict(victims)
            checkpoint.noteSpill()
            evicted += victims.count
            freed += victims.bytes
        }
    }
}
