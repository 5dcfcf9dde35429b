import Base
import Consumer
import Engine
import Features
import Foundation
import Kafka
import Settings
import Sinks
import Synchronization

extension Worker {
    /// Makes everything since the last commit visible at once: scores, dead letters, the changed users' records in the
    /// changelog, and the consumed offsets.
    func commit() {
        guard isOpen else { return }
        commit(offsets(\.changed))
    }

    /// Commits the offsets once more, which only the partitions' owner can.
    func commitProof() {
        open()
        guard isOpen else { return }
        commit(offsets(\.known))
    }

    private func commit(_ offsets: [TopicPartition: Int64]) {
        do throws(KafkaError) {
            KillPoint.beforeChangelog.reached()
            try produceChangelog()
            KillPoint.afterChangelog.reached()
            let group = try consumer.groupMetadata()
            isOpen = false
            settle(producer.commit(marked: marked(offsets), group: group), attempted: offsets)
        } catch {
            isOpen = false
            settle(producer.recover(from: error), attempted: [:])
        }
    }

    private func offsets(_ some: KeyPath<ReadPositions, [TopicPartition: Int64]>) -> [TopicPartition: Int64] {
        shards.values.reduce(into: [:]) { offsets, shard in
            offsets.merge(shard.positions[keyPath: some]) { $1 }
        }
    }

    /// The offsets with what ties them to the state; see ``StateTie``.
    private func marked(_ offsets: [TopicPartition: Int64]) -> [TopicPartition: CommittedOffset] {
        Dictionary(
            uniqueKeysWithValues: offsets.map { partition, offset in
                guard let shard = shards[partition.partition] else { return (partition, CommittedOffset(offset)) }
                let mark = StateTie.Mark(
                    timestamp: shard.positions.timestamp(of: partition), users: shard.state.userCount,
                    changelog: shard.changelogOffset)
                return (partition, CommittedOffset(offset, metadata: mark.text))
            })
    }

    private func produceChangelog() throws(KafkaError) {
        guard context.writesChangelog else { return }
        for shard in shards.values {
            let count = shard.collectChangelog()
            try shard.content.takeOutputs { (records, bytes) throws(KafkaError) in
                // Nobody reads the time of these records but retention, for which the present is right.
                try producer.produceBatchNow(
                    changelog, partition: shard.partition.partition, records, bytes: bytes,
                    lastHeaders: [RecordHeader(StateTie.header, text: StateTie.text(shard.positions.tied))])
            }
            context.metrics.changelogRecords.wrappingAdd(count, ordering: .relaxed)
        }
    }

    /// Brings state and position in line with what became of the transaction.
    ///
    /// - Parameter attempted: the offsets that the transaction would have committed; empty when it did not come so far.
    func settle(_ outcome: TransactionOutcome, attempted: [TopicPartition: Int64]) {
        switch outcome {
        case .ready:
            return
        case .committed:
            var isProven = !attempted.isEmpty
            if context.configuration.guarantee == .atLeastOnce { isProven = commitOffsets(attempted) && isProven }
            accept()
            if isProven { provenCommits += 1 }
            advanceCheckpoints(isProven: isProven)
            for shard in shards.values where shard.hasSpilled { shard.checkpoint?.deleteErased(shard.state) }
        case .aborted(let cause):
            undo(cause)
        case .reinitialised(let cause):
            // A commit in doubt is all or nothing: the committed offsets tell which.
            if !attempted.isEmpty, isVisible(attempted) { accept() } else { undo(cause) }
        case .fenced(let cause):
            Log.warning(component, "another producer took over (\(cause)): leaving, to join anew")
            for shard in shards.values { shard.rollback() }
            isOpen = false
            isFenced = true
            isNameTaken = true
        case .interrupted:
            isOpen = false
            for shard in shards.values { shard.rollback() }
        }
    }

    private func accept() {
        for shard in shards.values { shard.accept() }
        forgetSuspects()
        KillPoint.afterAccept.reached()
        context.metrics.commits.wrappingAdd(1, ordering: .relaxed)
    }

    /// Takes memory back to the last commit and reads again from there.
    private func undo(_ cause: KafkaError?) {
        isOpen = false
        context.metrics.aborts.wrappingAdd(1, ordering: .relaxed)
        if let cause { Log.warning(component, "the transaction was aborted: \(cause); going back to the last commit") }
        processor.discard()
        for shard in shards.values {
            shard.content.takeOutputs { _, _ in }
            shard.rollback()
        }
        guard !shards.isEmpty, !isFenced else { return }
        if let cause, isOusted(by: cause) { return leave(fencedBy: cause) }
        do {
            try merger?.rewind()
            try consumer.seekToCommitted()
        } catch {
            if consumer.isFenced { return leave(fencedBy: error) }
            Log.warning(component, "cannot go back (\(error)): leaving, to join anew")
            isFenced = true
        }
    }

    private func isVisible(_ attempted: [TopicPartition: Int64]) -> Bool {
        while !context.isStopRequested {
            do {
                return try consumer.committed(Array(attempted.keys)) == attempted
            } catch {
                Log.warning(component, "\(error); asking again whether the commit went through")
                Thread.sleep(forTimeInterval: 0.2)
            }
        }
        return false
    }

    /// At least once: the records are acknowledged, so the offsets may follow. What a crash between the two repeats is
    /// dropped as duplicates where events have ids.
    /// - Returns: whether they were taken.
    private func commitOffsets(_ offsets: [TopicPartition: Int64]) -> Bool {
        do {
            try consumer.commit(marked(offsets))
            return true
        } catch {
            Log.warning(component, "\(error); the next commit repeats it")
            return false
        }
    }
}
