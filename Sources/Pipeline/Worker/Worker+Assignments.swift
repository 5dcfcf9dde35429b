import Base
import Consumer
import Foundation
import Kafka

/// What a worker does when its group gives and takes partitions: on the worker's thread, inside poll.
extension Worker: AssignmentHandler {
    func assigned(_ partitions: [TopicPartition]) {
        noteRebalance("assigned")
        do {
            // Waits until no transaction of the previous owner is pending (KIP-447); only then is the changelog's end
            // the end of what that owner committed.
            let committed = try committedOffsets(of: partitions)
            KillPoint.afterCommittedOffsets.reached()
            var fresh: [Shard] = []
            for number in try numbers(of: partitions) where !keeper.takeBack(number, committed: committed) {
                fresh.append(keeper.add(number, at: committed, isAligned: StateTie.isAligned(committed, number)))
            }
            merger?.add(partitions)
            keeper.retireParked()
            try consumer.pause(fresh.flatMap(\.positions.partitions))
            try restorer.add(fresh)
            KillPoint.afterAssigned.reached()
        } catch {
            if consumer.isFenced { return leave(fencedBy: error) }
            life.handle(.leave(.failed(WorkerLife.Failure(error))))
        }
    }

    /// The partition numbers, of which every input topic's partition must have come.
    private func numbers(of partitions: [TopicPartition]) throws(ImpactError) -> [Int32] {
        if let new = partitions.first(where: { Int($0.partition) >= context.layout.inputPartitions }) {
            throw PartitionCounts.changed(
                new.topic, from: context.layout.inputPartitions, to: Int(new.partition) + 1)
        }
        let counts = partitions.reduce(into: [Int32: Int]()) { $0[$1.partition, default: 0] += 1 }
        guard let torn = counts.first(where: { $0.value != consumer.topics.count }) else { return counts.keys.sorted() }
        throw ImpactError(
            .failed, code: "torn_assignment",
            "the group assigned partition \(torn.key) of only \(torn.value) of the \(consumer.topics.count) input topics: "
                + "all members of a group must read the same input.topics")
    }

    private func committedOffsets(of partitions: [TopicPartition]) throws -> [TopicPartition: CommittedOffset] {
        while true {
            do {
                return try consumer.committedWithMetadata(partitions)
            } catch {
                if error.isFatal || error.isAuthorization { throw error }
                if context.isStopRequested { return [:] }
                Log.warning(component, "\(error); trying again")
                Thread.sleep(forTimeInterval: 0.2)
            }
        }
    }

    func revoked(_ partitions: [TopicPartition]) {
        noteRebalance("revoked")
        KillPoint.beforeRevokeCommit.reached()
        commitLast()
        KillPoint.afterRevokeCommit.reached()
        drop(partitions)
        KillPoint.afterDrop.reached()
    }

    func lost(_ partitions: [TopicPartition]) {
        noteRebalance("lost")
        if life.isOpen { conclude(committer.abort()) }
        drop(partitions)
    }

    private func drop(_ partitions: [TopicPartition]) {
        merger?.remove(partitions)
        keeper.drop(partitions, keeps: life.mayCommit)
        do { try restorer.remove(partitions.map(\.partition)) } catch {
            life.handle(.leave(.failed(WorkerLife.Failure(error))))
        }
    }

    func reachedEnd(of partition: TopicPartition, at offset: Int64) {
        hasReachedEnd = true
        keeper.reachedEnd(of: partition, at: offset)
        merger?.reachedEnd(of: partition, at: offset)
    }
}
