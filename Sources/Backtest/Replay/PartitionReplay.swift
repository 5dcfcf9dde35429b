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
    /// By partition; empty when nothing is compared.
    private let comparers: [Int32: ScoreComparer]
    private let forwarded: ForwardedHeaders
    /// Headers of the batch's messages that go with their scores, by the messages' tags.
    private var headers: [Int32: [RecordHeader]] = [:]
    /// The partitions of the batch's messages, by their tags.
    private var partitions: [Int32] = []
    private(set) var counters: ReplayCounters
    private(set) var watch: StreamWatch
    private var earlierLate: Int
    private let checkpoint: ReplayCheckpoint?
    private let interval: Duration
    private var due: ContinuousClock.Instant

    init(
        _ span: PartitionSpan, processor: Processor, source: any RecordSource, partition: Partition,
        sink: any ReplaySink, forwarded: ForwardedHeaders, comparers: [Int32: ScoreComparer], resumed: ReplayProgress?,
        checkpoint: ReplayCheckpoint?, interval: Duration
    ) {
        self.span = span
        self.processor = processor
        self.source = source
        self.partition = partition
        self.sink = sink
        self.comparers = comparers
        self.forwarded = forwarded
        counters = resumed?.counters ?? ReplayCounters()
        watch = resumed?.watch ?? StreamWatch(processor.schema, specification: processor.plan.specification)
        earlierLate = resumed?.late ?? 0
        self.checkpoint = checkpoint
        self.interval = interval
        due = .now + interval
    }

    var comparison: ScoreComparison? {
        guard !comparers.isEmpty else { return nil }
        return comparers.sorted { $0.key < $1.key }.reduce(into: ScoreComparison()) { $0.add($1.value.result) }
    }

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
        for comparer in comparers.values { try comparer.finish() }
        try sink.finish()
        return true
    }

    /// One batch.
    private func step(_ capacity: Int) throws -> Bool {
        var isWarming = false
        processor.begin(partition)
        headers.removeAll(keepingCapacity: true)
        partitions.removeAll(keepingCapacity: true)
        var tag = 0
        let more = try source.read(max: capacity) { record in
            if isWarming != record.isWarmUp {
                // The warm-up ends inside this batch: what came so far is applied, the rest is scored. Of joined partitions
                // one's may go on while the next one's is over.
                if isWarming { try flushWarmUp() } else { try flush() }
                isWarming.toggle()
                processor.begin(partition)
            }
            counters.stream.messages += 1
            if isWarming { counters.stream.warmUpMessages += 1 }
            do throws(InputError) {
                try processor.append(
                    record.value, key: record.key,
                    source: SourcePosition(
                        topic: 0, partition: record.partition, offset: record.offset, timestamp: record.timestamp),
                    tag: tag)
                let going = record.headers.isEmpty ? [] : forwarded.filter(record.headers)
                if !going.isEmpty { headers[Int32(tag)] = going }
                partitions.append(record.partition)
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
            try compare(records, bytes)
        }
        // Nothing is ever taken back: the undo log need not grow.
        partition.state.commit()
    }

    /// Each score with those that are published in its event's partition.
    private func compare(_ records: UnsafeBufferPointer<OutputRecord>, _ bytes: UnsafeRawBufferPointer) throws {
        if comparers.isEmpty { return }
        var start = 0
        while start < records.count {
            let partition = partitions[Int(records[start].tag)]
            var end = start + 1
            while end < records.count, partitions[Int(records[end].tag)] == partition { end += 1 }
            try comparers[partition]?.compare(UnsafeBufferPointer(rebasing: records[start..<end]), bytes)
            start = end
        }
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
        let changes = try comparers.values.reduce(0) { try $0 + $1.settle() }
        try checkpoint.write(
            ReplayProgress(
                position: source.position, outputLength: output, changesLength: changes, counters: counters,
                watch: watch, comparison: comparison, late: counters.late), partition.state)
    }
}
