import Base
import Consumer
import Engine
import Features
import Foundation
import Kafka
import Settings
import Sinks
import Synchronization

/// Who commits: the producer with its transaction. Brings scores, dead letters, the changed users' records and the
/// consumed offsets out together, and says what became of them; the worker brings memory and reading in line.
final class Committer {
    /// What became of a transaction.
    enum Settlement {
        /// Everything is visible.
        ///
        /// `isProven`: whether the group took offsets with it, which it does from the partitions' owner only.
        case committed(isProven: Bool)
        /// Nothing is visible: memory and reading go back to the last commit.
        case undone(KafkaError?)
        /// Another producer works in this one's place.
        case fenced(KafkaError)
        /// Nobody knows, and there is no time to find out.
        case interrupted
    }

    let producer: OutputProducer
    /// Commits that proved the ownership of the partitions.
    private(set) var provenCommits = 0
    private let context: WorkerContext
    private let consumer: EventConsumer
    private let keeper: ShardKeeper
    private let changelog: OutputTopic
    private let deadLetters: DeadLetterWriter
    private let component: String

    init(
        _ context: WorkerContext, producer: OutputProducer, consumer: EventConsumer, keeper: ShardKeeper,
        deadLetters: DeadLetterWriter, component: String
    ) throws(ImpactError) {
        self.context = context
        self.producer = producer
        self.consumer = consumer
        self.keeper = keeper
        self.deadLetters = deadLetters
        self.component = component
        changelog = try producer.topic(context.configuration.changelogTopic)
    }

    /// Begins a transaction.
    ///
    /// - Returns: nil when one is open now, else what became of the attempt.
    func begin() -> Settlement? {
        let outcome = producer.begin()
        guard outcome == .ready else { return settle(outcome, attempted: [:]) }
        KillPoint.afterBegin.reached()
        return nil
    }

    /// Makes everything since the last commit visible at once.
    func commit(offsets: [TopicPartition: Int64]) -> Settlement? {
        let start = ContinuousClock.now
        defer { context.metrics.stages.record((.now - start) / .seconds(1), .commit) }
        do throws(KafkaError) {
            KillPoint.beforeChangelog.reached()
            try produceChangelog()
            KillPoint.afterChangelog.reached()
            let group = try consumer.groupMetadata()
            return settle(producer.commit(marked: marked(offsets), group: group), attempted: offsets)
        } catch {
            return recover(from: error)
        }
    }

    func abort() -> Settlement? { settle(producer.abort(), attempted: [:]) }

    /// After a record that the producer did not take.
    func recover(from error: KafkaError) -> Settlement? { settle(producer.recover(from: error), attempted: [:]) }

    /// The offsets with what ties them to the state; see ``StateTie``.
    private func marked(_ offsets: [TopicPartition: Int64]) -> [TopicPartition: CommittedOffset] {
        Dictionary(
            uniqueKeysWithValues: offsets.map { partition, offset in
                guard let shard = keeper[partition.partition] else { return (partition, CommittedOffset(offset)) }
                let mark = StateTie.Mark(
                    last: shard.positions.last(of: partition), users: shard.state.userCount,
                    changelog: shard.changelogOffset, isAligned: shard.isAlignedStill)
                return (partition, CommittedOffset(offset, metadata: mark.text))
            })
    }

    private func produceChangelog() throws(KafkaError) {
        guard context.writesChangelog else { return }
        for shard in keeper.shards {
            if let unreadable = shard.quarantined {
                try deadLetters.write(
                    unreadable, of: TopicPartition(context.configuration.changelogTopic, shard.partition.partition))
            }
            let count = shard.collectChangelog()
            try shard.content.takeOutputs { (records, bytes) throws(KafkaError) in
                // Nobody reads the time of these records but retention, for which the present is right.
                try producer.produceBatchNow(
                    changelog, partition: shard.partition.partition, records, bytes: bytes,
                    lastHeaders: [RecordHeader(StateTie.header, text: StateTie.text(shard.positions.tied))])
            }
            context.metrics.changelogRecords.add(count)
        }
    }

    /// - Parameter attempted: the offsets that the transaction would have committed; empty when it did not come so far.
    private func settle(_ outcome: TransactionOutcome, attempted: [TopicPartition: Int64]) -> Settlement? {
        switch outcome {
        case .ready:
            return nil
        case .committed:
            var isProven = !attempted.isEmpty
            if context.configuration.guarantee == .atLeastOnce { isProven = commitOffsets(attempted) && isProven }
            if isProven { provenCommits += 1 }
            return .committed(isProven: isProven)
        case .aborted(let cause):
            return .undone(cause)
        case .reinitialised(let cause):
            // A commit in doubt is all or nothing: the committed offsets tell which.
            return !attempted.isEmpty && isVisible(attempted) ? .committed(isProven: false) : .undone(cause)
        case .fenced(let cause):
            return .fenced(cause)
        case .interrupted:
            return .interrupted
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
