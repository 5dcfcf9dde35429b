import Base
import Consumer
import Engine
import Events
import Foundation
import JSON
import Kafka
import Scoring
import Settings
import Sinks
import Synchronization

/// What a worker does with a batch: parse → apply → score, and the outputs into the producer's open transaction.
///
/// ```
///  message ─► processor ─► shard's outputs ─► scores
///     │ suspected of having killed the process: alone, or not at all (Quarantine)
///     └ rejected ─► dead letter
/// ```
final class BatchHandler {
    let processor: Processor
    /// Messages and bytes handed to the producer since ``begin()``: the size of the open transaction.
    private(set) var messages = 0
    private(set) var bytes = 0
    private var stageStart = ContinuousClock.now
    private let context: WorkerContext
    private let keeper: ShardKeeper
    private let quarantine: Quarantine
    private let producer: OutputProducer
    private let scores: OutputTopic
    /// Which headers go from an event to its score.
    private let forwarded: ForwardedHeaders
    let deadLetters: DeadLetterWriter

    init(
        _ context: WorkerContext, _ processor: Processor, keeper: ShardKeeper, quarantine: Quarantine,
        producer: OutputProducer, component: String
    ) throws(ImpactError) {
        self.context = context
        self.processor = processor
        self.keeper = keeper
        self.quarantine = quarantine
        self.producer = producer
        let configuration = context.configuration
        scores = try producer.topic(configuration.outputTopic)
        forwarded = ForwardedHeaders(configuration.forwardedHeaders)
        deadLetters = DeadLetterWriter(
            producer: producer, topic: try producer.topic(configuration.deadLetterTopic),
            partitions: context.layout.deadLetterPartitions, maxRecordBytes: context.layout.deadLetterBytes,
            application: configuration.applicationID, component: component)
    }

    /// A transaction begins.
    func begin() {
        messages = 0
        bytes = 0
    }

    /// Forgets what was parsed and not handed over.
    func discard() { processor.discard() }

    /// Parses, scores and hands over one batch.
    ///
    /// - Throws: a `KafkaError` when the producer does not take a record: the transaction lacks it; ``LostUsers``.
    func handle(_ batch: borrowing MessageBatch) throws {
        // What happens outside of it is no message's fault.
        defer { quarantine.clear() }
        stageStart = .now
        var current: Shard?
        var topic: Int32 = -1
        var partition: Int32 = -1
        var newest: Int64 = -1
        var flushed = 0
        let isAlert = quarantine.isAlert
        for i in 0..<batch.count {
            let message = batch[i]
            let isOther = message.partition != partition || current == nil
            if isOther {
                partition = message.partition
                current = keeper[partition]
                if let current { processor.begin(current.content) }
            }
            guard let shard = current else { continue }
            if isOther || message.topic != topic {
                topic = message.topic
                let read = shard.positions.next(of: Int(max(0, topic)))
                guard message.offset >= read else {
                    let name = context.configuration.inputTopics[Int(max(0, topic))]
                    throw TopicWatch.wentBack(TopicPartition(name, partition), read: read, to: message.offset)
                }
                // At most: the end of the run is not known yet.
                let last = message.offset + Int64(batch.count - i)
                quarantine.note(max(0, topic), partition, from: message.offset, through: last)
            }
            var isAlone = false
            if isAlert, let suspect = quarantine.suspect(message) {
                // What came before it first, and without it.
                try flush(batch, messages: i - flushed, newest: newest)
                flushed = i
                // The next message begins a run of its own.
                current = nil
                if suspect.isPoison {
                    try reject(message, InputError(.poison))
                    // Nothing but the dead letter touches this message.
                    shard.positions.pass(Int(message.topic), to: message.offset + 1)
                    continue
                }
                isAlone = true
                quarantine.isolate(suspect)
                processor.begin(shard.content)
            }
            let timestamp = message.timestamp
            newest = max(newest, timestamp)
            do throws(InputError) {
                try processor.append(
                    message.payloadBuffer, key: message.keyBuffer,
                    source: SourcePosition(
                        topic: max(0, message.topic), partition: partition, offset: message.offset,
                        timestamp: timestamp), tag: i)
            } catch {
                try reject(message, error)
            }
            shard.positions.advance(Int(message.topic), to: message.offset + 1, timestamp: timestamp, index: i)
            if isAlone {
                try flush(batch, messages: 1, newest: timestamp)
                flushed = i + 1
                quarantine.clear()
            }
        }
        for shard in keeper.shards {
            shard.positions.sumUp { LastRecord.checksum(key: batch[$0].keyBuffer, value: batch[$0].payloadBuffer) }
        }
        try flush(batch, messages: batch.count - flushed, newest: newest)
    }

    private func flush(_ batch: borrowing MessageBatch, messages: Int, newest: Int64) throws {
        finish(.parse)
        try keeper.loadSpilled(processor)
        let outcome = try processor.flush { tag, error in
            try reject(batch[tag], error)
        }
        finish(.score)
        for shard in keeper.shards {
            try shard.content.takeOutputs { (records, bytes) throws(KafkaError) in
                self.bytes += bytes.count
                context.live.offer(records, bytes)
                try producer.produceBatch(
                    scores, partition: context.layout.outputPartition(of: shard.partition.partition), records,
                    bytes: bytes, forwarding: forwarded, of: batch)
            }
        }
        finish(.emit)
        KillPoint.afterScores.reached()
        self.messages += messages
        record(outcome, messages: messages, newest: newest)
    }

    /// Notes the time that a stage of the batch took, and begins the next.
    private func finish(_ stage: PipelineMetrics.Stage) {
        let now = ContinuousClock.now
        context.metrics.stages.record((now - stageStart) / .seconds(1), stage)
        stageStart = now
    }

    private func reject(_ message: borrowing Message, _ error: InputError) throws {
        let reason =
            error.field.featureIndex.map {
                "feature \(context.model.featureNames[$0]) " + "has no value for this user, "
                    + "and the model refuses missing values"
            } ?? error.message(schema: processor.schema)
        let topic = context.configuration.inputTopics[Int(max(0, message.topic))]
        try deadLetters.write(message, topic: topic, code: error.code.name, reason: reason)
        context.live.reject(
            code: error.code.name, reason: reason, topic: topic, partition: message.partition, offset: message.offset,
            value: message.payloadBuffer)
        KillPoint.afterDeadLetter.reached()
        context.metrics.deadLetters.add(1, error.code.name)
    }

    private func record(_ outcome: Processor.Outcome, messages: Int, newest: Int64) {
        let metrics = context.metrics
        metrics.messages.add(messages)
        metrics.events.add(outcome.events)
        metrics.duplicates.add(outcome.duplicates)
        metrics.erasures.add(outcome.erasures)
        metrics.refused.add(outcome.notStored, at: 0)
        metrics.refused.add(outcome.notScored, at: 1)
        metrics.scores.add(outcome.treat, at: Int(Decision.treat.rawValue))
        metrics.scores.add(outcome.suppress, at: Int(Decision.suppress.rawValue))
        metrics.scores.add(outcome.uncertain, at: Int(Decision.uncertain.rawValue))
        if messages > 0 { metrics.batchSize.record(Double(messages)) }
        guard newest > 0, outcome.scores > 0 else { return }
        var clock = timespec()
        clock_gettime(CLOCK_REALTIME, &clock)
        let now = Double(clock.tv_sec) * 1_000 + Double(clock.tv_nsec) / 1e6
        metrics.latency.record(max(0, now - Double(newest)) / 1_000, count: outcome.scores)
    }
}
