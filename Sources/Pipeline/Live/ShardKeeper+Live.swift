import Engine
import Features
import Kafka
import StateStore

extension ShardKeeper {
    /// How each partition's state stands.
    var phases: [Int32: LiveTap.ShardPhase] {
        shards.reduce(into: [:]) { $0[$1.partition.partition] = $1.isRestored ? .ready : .restoring }
    }

    /// What is known of a user whose partition this worker has; nil for others. Reads a spilled user from the local store.
    func look(upUser user: [UInt8]) -> LiveTap.UserState? {
        user.withUnsafeBytes { key in
            for shard in shards where shard.isRestored {
                if let found = Self.describe(shard.state, key, shard.partition.partition) { return found }
            }
            return spilled(user, key)
        }
    }

    private static func describe(
        _ state: PartitionState, _ key: UnsafeRawBufferPointer, _ partition: Int32
    ) -> LiveTap.UserState? {
        guard let slot = state.slot(ofUser: key), let row = state.features(ofUser: key) else { return nil }
        return LiveTap.UserState(
            partition: partition, clock: state.clock(slot), events: Int(state.eventCount(slot)), features: row,
            refuses: state.refuses(slot))
    }

    private func spilled(_ user: [UInt8], _ key: UnsafeRawBufferPointer) -> LiveTap.UserState? {
        guard spillsUsers, let store = localStore else { return nil }
        // Memory knows all users until some are spilled; what the store has of an erased one is not the truth.
        for shard in shards where shard.isRestored && shard.hasSpilled {
            let partition = shard.partition.partition
            if shard.checkpoint?.isErased(key) ?? false { continue }
            guard let record = try? store.record(partition, user: user) else { continue }
            let state = PartitionState(plan: shard.state.plan)
            let isRestored: Bool = record.withUnsafeBytes { bytes in
                (try? state.restore(user: key, record: bytes)) != nil
            }
            if isRestored, let found = Self.describe(state, key, partition) { return found }
        }
        return nil
    }
}
