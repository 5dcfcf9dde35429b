import Base
import Engine
import Features
import Kafka

/// One partition number in the hands of one worker: the engine's partition, how far its input was read, and its way into
/// the local store. Several input topics are co-partitioned: the partitions of one number share a shard.
package final class Shard {
    /// The input partition; of the first topic when there are several.
    package let partition: TopicPartition
    /// State and outputs.
    package let content: Partition
    let positions: ReadPositions
    /// The shard's way into the local store; nil when there is none.
    package var checkpoint: ShardCheckpoint? {
        didSet {
            let checkpoint = checkpoint
            content.erased = checkpoint.map { checkpoint in { user in checkpoint.noteErasure(user) } }
        }
    }
    /// Whether the state is complete: false while it is being restored.
    var isRestored = false
    /// An offset that the changelog had reached when the shard was made; see ``StateTie``.
    var changelogOffset: Int64 = 0
    /// Whether a person aligned the committed offset, and the changelog does not say how far it goes since then: its last
    /// header is still what it was.
    var isAligned = false
    /// Whether the transaction at hand says so.
    private var hasTied = false
    /// Records of the changelog that nobody can read or believe, met while the state was restored.
    package var unreadable = UnreadableRecords()
    /// Those to be quarantined with the next commit; none while a later record may still heal them.
    var quarantined: UnreadableRecords? { isRestored && !unreadable.isEmpty ? unreadable : nil }
    /// Where the search for cold users goes on.
    var hand = 0
    /// Late events that the metrics know of already.
    var reportedLate: UInt64 = 0

    /// Where the search for forgotten users goes on.
    private var expiryHand = 0
    /// Users that the state had after the last search.
    private var usersSearched = 0
    /// Forgotten users that the metrics know of already.
    var reportedExpired: UInt64 = 0

    package init(_ number: Int32, topics: [String], plan: FeaturePlan, timeToLive: Int64 = 0) {
        let partitions = topics.map { TopicPartition($0, number) }
        partition = partitions[0]
        positions = ReadPositions(partitions)
        content = Partition(number, plan: plan, timeToLive: timeToLive)
    }

    package var state: PartitionState { content.state }

    /// Whether users of this partition are in the local store only.
    var hasSpilled: Bool { checkpoint?.hasSpilled ?? false }

    /// Replays a record of the changelog; nil is a tombstone.
    package func restore(user: UnsafeRawBufferPointer, record: UnsafeRawBufferPointer?) throws(ImpactError) {
        try state.restore(user: user, record: record, isUnsaved: true)
        checkpoint?.noteReplay(removed: record == nil ? user : nil)
        unreadable.heal(user)
    }

    /// Sets a record of the changelog aside that cannot be read: its user begins anew.
    package func setAside(_ record: UnreadableRecords.Record) {
        record.user.withUnsafeBytes { user in
            // Fails for an id that is too long for any user in state.
            guard (try? state.restore(user: user, record: nil)) != nil else { return }
            checkpoint?.noteReplay(removed: user)
        }
        unreadable.add(record)
    }

    /// The transaction was committed.
    package func accept() {
        state.commit()
        if hasTied { (isAligned, hasTied) = (false, false) }
        if isRestored { unreadable.removeAll() }
        positions.accept()
        checkpoint?.committed()
    }

    /// Takes the state back to the last commit.
    package func rollback() {
        state.rollback()
        hasTied = false
        positions.undo()
        checkpoint?.rolledBack()
    }

    /// Whether anything was processed since the last commit.
    var isDirty: Bool { positions.isDirty }

    /// Whether the offset of the transaction at hand is one that a person aligned.
    var isAlignedStill: Bool { isAligned && !hasTied }

    /// Forgets users whose time is over, in a part of the table that grows with the users who came: four are looked at for each new
    /// one, so that a flood of made-up ids is forgotten as fast as it comes.
    private func expire() {
        let added = max(0, state.userCount - usersSearched)
        let all = PartitionState.segmentCount
        let segments = 1 + min(all - 1, 4 * all * added / max(1, state.userCount))
        for _ in 0..<segments { state.expire(hand: &expiryHand) }
        usersSearched = state.userCount
    }

    /// Collects the changelog's records of all users changed since the last commit.
    /// - Returns: how many.
    package func collectChangelog() -> Int {
        expire()
        // Before the users' own records: who came back since then is written behind it.
        for record in quarantined?.records ?? [] {
            record.user.withUnsafeBytes { content.addTombstone(key: $0, timestamp: 0) }
        }
        let count = content.collectChanges { user in checkpoint?.noteRemoval(user) }
        if count > 0 {
            checkpoint?.noteChange()
            hasTied = true
        }
        return count
    }
}
