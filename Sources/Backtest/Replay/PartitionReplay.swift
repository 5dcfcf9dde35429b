import Base
import Engine
import Events
import Features
import JSON
import Kafka
import Pipeline
import Sinks

/// Replays one partition from its span's first record to its end, on the thread that calls.
///
/// ```
/// source.read ─► Processor (the pipeline's own: parse → apply → score → write) ─► sink, comparer
///                   │ before `from`: parse → apply alone
///                   └ every checkpoint interval: sink, changes and comparer settled, state and progress to a file
/// ```
final class PartitionReplay {
    private let span: PartitionSpan
    private let processor: Processor
    private let source: any RecordSource
    private let partition: Partition
    private let sink: any ReplaySink
    private let comparer: ScoreComparer?
    private let forwarded: ForwardedHeaders
    /// Headers of the batch's messages that go with their scores, by the messages' tags.
    private var headers: [Int32: [RecordHeader]] = [:]
    private(set) var counters: ReplayCounters
    private(set) var watch: StreamWatch
    private var earlierLate: Int
    private let checkpoint: ReplayCheckpoint?
    private let interval: Duration
    private var due: ContinuousClock.Instant

    init(
        _ span: PartitionSpan, processor: Processor, source: any RecordSource, partition: Partition,
        sink: any ReplaySink, forwarded: ForwardedHeaders, comparer: ScoreComparer?, resumed: ReplayProgress?,
        checkpoint: ReplayCheckpoint?, interval: Duration
    ) {
        self.span = span
        self.processor = processor
        self.source = source
        self.partition = partition
        self.sink = sink
        self.comparer = comparer
        self.forwarded = forwarded
        counters = resumed?.counters ?? ReplayCounters()
        watch = resumed?.watch ?? StreamWatch(processor.schema, specification: processor.plan.specification)
        earlierLate = resumed?.late ?? 0
        self.checkpoint = checkpoint
        self.interval = interval
        due = .now + interval
    }

    var comparison: ScoreComparison? { comparer?.result }

    /// - Parameter advanced: hears how many offsets a step moved on; returns whether to stop.
    /// - Returns: false when it was stopped; a checkpoint is written then.
    func run(capacity: Int, advanced: (Int) -> Bool) throws -> Bool {
        var more = true
        while more {
            let before = source.position
            more = try step(capacity)
            let isStopped = advanced(Int(clamping: source.position - before))
            if more, isStopped {
                try settle()
                return false
            }
            if more, ContinuousClock.now >= due {
                try settle()
                due = .now + interval
            }
        }
        try comparer?.finish()
        try sink.finish()
        return true
    }

    /// One batch.
    private func step(_ capacity: Int) throws -> Bool {
        var isWarming = source.position < span.from
        processor.begin(partition)
        headers.removeAll(keepingCapacity: true)
        var tag = 0
        let more = try source.read(max: capacity) { record in
            if isWarming, record.offset >= span.from {
                // The warm-up ends inside this batch: what came so far is applied, the rest is scored.
                try flushWarmUp()
                isWarming = false
                processor.begin(partition)
            }
            counters.stream.messages += 1
            if isWarming { counters.stream.warmUpMessages += 1 }
            do throws(InputError) {
                try processor.append(
                    record.value, key: record.key,
                    source: SourcePosition(
                        topic: 0, partition: span.partition, offset: record.offset, timestamp: record.timestamp),
                    tag: tag)
                let going = record.headers.isEmpty ? [] : forwarded.filter(record.headers)
                if !going.isEmpty { headers[Int32(tag)] = going }
                tag += 1
            } catch {
                counters.stream.rejected[error.code.name, default: 0] += 1
            }
        }
        if isWarming { try flushWarmUp() } else { try flush() }
        counters.late = earlierLate + Int(partition.state.counters.late)
        return more
    }

    private func flushWarmUp() throws {
        watch.look(processor.batch, &counters)
        add(processor.flushWithoutScores())
        partition.state.commit()
    }

    private func flush() throws {
        watch.look(processor.batch, &counters)
        add(
            processor.flush { _, error in
                counters.stream.rejected[error.code.name, default: 0] += 1
            })
        try partition.takeOutputs { records, bytes in
            try sink.write(records, bytes, headers: headers)
            try comparer?.compare(records, bytes)
        }
        // Nothing is ever taken back: the undo log need not grow.
        partition.state.commit()
    }

    private func add(_ outcome: Processor.Outcome) {
        counters.stream.events += outcome.events
        counters.stream.duplicates += outcome.duplicates
        counters.scores += outcome.scores
        counters.treat += outcome.treat
        counters.suppress += outcome.suppress
        counters.uncertain += outcome.uncertain
    }

    private func settle() throws {
        guard let checkpoint else { return }
        let output = try sink.settle()
        let changes = try comparer?.settle() ?? 0
        try checkpoint.write(
            ReplayProgress(
                position: source.position, outputLength: output, changesLength: changes, counters: counters,
                watch: watch, comparison: comparison, late: counters.late), partition.state)
    }
}
