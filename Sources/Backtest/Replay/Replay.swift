import Base
import Engine
import Events
import Features
import Foundation
import Kafka
import Pipeline
import Scoring
import Synchronization

/// A bounded replay: the pipeline's own processor over a range of partitions, with a state of its own, on several
/// threads, each with one partition at a time.
///
/// The output depends on the records and the model alone, not on threads, batches, or how often the replay was killed
/// and run again.
package final class Replay: Sendable {
    /// What decides the bytes, and where they go.
    package struct Options: Sendable {
        package var settings: Processor.Settings
        package var threads = 0
        /// Whether all partitions are read as one (``JoinedSourceFactory``), on one thread and without checkpoints.
        package var joins = false
        package var checkpointInterval = Duration.seconds(30)
        /// Lists pairs whose decisions differ, when scores are compared.
        package var changesPath: String?

        package init(settings: Processor.Settings) { self.settings = settings }
    }

    private let model: Model
    private let options: Options
    private let spans: [PartitionSpan]
    private let sources: any RecordSourceFactory
    private let target: any ReplayTarget
    private let published: (@Sendable (String) throws -> any PublishedScores)?
    private let folder: ReplayFolder
    private let read = Atomic<Int>(0)
    private let messages = Atomic<Int>(0)
    private let results = Mutex<[Int32: PartitionResult]>([:])

    struct PartitionResult: Codable, Sendable {
        var counters: ReplayCounters
        var watch: StreamWatch
        var comparison: ScoreComparison?

        func isPlausible(_ schema: EventSchema) -> Bool {
            counters.isPlausible && watch.isPlausible(schema) && comparison?.isPlausible ?? true
        }
    }

    /// - Parameters:
    ///   - published: makes the published side of a comparison for a thread; nil compares nothing.
    ///   - folder: holds the plan already.
    package init(
        model: Model, options: Options, spans: [PartitionSpan], sources: any RecordSourceFactory,
        target: any ReplayTarget, published: (@Sendable (String) throws -> any PublishedScores)?, folder: ReplayFolder
    ) {
        self.model = model
        self.options = options
        self.spans = spans
        self.sources = sources
        self.target = target
        self.published = published
        self.folder = folder
    }

    /// Runs until every partition is complete, and puts the output together.
    ///
    /// - Parameters:
    ///   - progress: hears, on this thread and some times per second, how many offsets were read of how many.
    ///   - isStopped: asked between batches; then checkpoints are written.
    /// - Throws: `stopped`; the first thread's failure.
    package func run(
        isResumed: Bool, progress: (Int) -> Void, isStopped: @escaping @Sendable () -> Bool
    ) throws -> ReplayResult {
        let work = options.joins ? [JoinedSourceFactory.span] : spans
        let partitions = work.map(\.partition)
        do { try target.prepare(partitions: partitions, isResumed: isResumed) } catch {
            // A place that was refused must not pass for one that this replay began to write.
            if !isResumed { folder.remove() }
            throw error
        }
        let start = ContinuousClock.now
        let isComplete = try PartitionPool.run(
            work, threads: options.threads, progress: { progress(read.load(ordering: .relaxed)) },
            isStopped: isStopped
        ) { [self] number, next, isStopped in
            let worker = try ReplayThread(self, number: number)
            defer { worker.close() }
            while let span = next() {
                if try !(options.joins ? worker.runJoined(isStopped) : worker.run(span, isStopped)) { return false }
            }
            return true
        }
        guard isComplete else {
            throw ImpactError(
                .failed, code: "stopped",
                options.joins
                    ? "stopped; partitions that are joined leave no checkpoints: the same command begins anew"
                    : "stopped; checkpoints are in \(folder.path): the same command goes on from there")
        }
        try target.complete(partitions)
        if let path = options.changesPath {
            try PartFile.join(spans.map { folder.file("changes-\($0.partition)") }, into: path)
        }
        folder.remove()
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        return result(seconds: seconds)
    }

    private func result(seconds: Double) -> ReplayResult {
        var result = ReplayResult(seconds: seconds)
        let parts = results.withLock { $0 }
        var fields: Set<String>?, types: Set<String>?
        let plan = try? Processor.plan(of: model, scoreEvents: options.settings.scoreEvents)
        for partition in parts.keys.sorted() {
            guard let part = parts[partition] else { continue }
            result.counters.add(part.counters)
            if let comparison = part.comparison {
                result.comparison = result.comparison ?? ScoreComparison()
                result.comparison?.add(comparison)
            }
            guard let plan, part.counters.stream.events > 0 else { continue }
            let unseen = part.watch.unseen(in: plan.schema)
            fields = fields?.intersection(unseen.fields) ?? unseen.fields
            types = types?.intersection(unseen.types) ?? unseen.types
        }
        result.unseenFields = (fields ?? []).sorted()
        result.unseenTypes = (types ?? []).sorted()
        result.messagesThisTime = messages.load(ordering: .relaxed)
        return result
    }

    /// One thread's share: a source, a processor and a comparison's reader that serve its partitions in turn.
    private final class ReplayThread {
        private let replay: Replay
        private let source: any RecordSource
        private let processor: Processor
        private let published: (any PublishedScores)?

        init(_ replay: Replay, number: Int) throws {
            self.replay = replay
            let sources: any RecordSourceFactory =
                replay.options.joins ? JoinedSourceFactory(replay.sources, replay.spans) : replay.sources
            source = try sources.make(component: "replay-\(number)")
            processor = try Processor(model: replay.model, settings: replay.options.settings)
            published = replay.options.joins ? nil : try replay.published?("replay-against-\(number)")
        }

        func run(_ span: PartitionSpan, _ isStopped: () -> Bool) throws -> Bool {
            let folder = replay.folder
            let done = "done-\(span.partition)"
            if let earlier = try folder.read(done, as: PartitionResult.self) {
                guard earlier.isPlausible(processor.schema) else { throw folder.damaged(done) }
                replay.results.withLock { $0[span.partition] = earlier }
                replay.read.wrappingAdd(span.end == .max ? 0 : span.length, ordering: .relaxed)
                return true
            }
            var partition = processor.partition(span.partition)
            let checkpoint = ReplayCheckpoint(path: folder.file("state-\(span.partition)"))
            let resumed = checkpoint.read(into: partition.state, span: span)
            // What a damaged checkpoint put into the state before the damage showed goes with it.
            if resumed == nil { partition = processor.partition(span.partition) }
            let position = resumed?.position ?? span.first
            let sink = try replay.target.sink(for: span, resumingAt: resumed?.outputLength)
            let changes = try replay.options.changesPath.map { _ in
                try PartFile(folder.file("changes-\(span.partition)"), keeping: resumed?.changesLength ?? 0)
            }
            var comparers: [Int32: ScoreComparer] = [:]
            if let published {
                comparers[span.partition] = try ScoreComparer(
                    published, span: span, changes: changes, resumed: resumed?.comparison, at: position)
            }
            var rest = span
            rest.first = position
            try source.begin(rest)
            replay.read.wrappingAdd(Int(clamping: position - span.first), ordering: .relaxed)
            let work = PartitionReplay(
                span, processor: processor, source: source, partition: partition, sink: sink,
                forwarded: replay.target.forwarded, comparers: comparers,
                resumed: resumed, checkpoint: checkpoint, interval: replay.options.checkpointInterval)
            guard try run(work, isStopped) else { return false }
            let result = PartitionResult(counters: work.counters, watch: work.watch, comparison: work.comparison)
            try folder.write(result, done)
            replay.results.withLock { $0[span.partition] = result }
            return true
        }

        /// All partitions as one, from the beginning.
        func runJoined(_ isStopped: () -> Bool) throws -> Bool {
            let span = JoinedSourceFactory.span
            var comparers: [Int32: ScoreComparer] = [:]
            var readers: [any PublishedScores] = []
            defer { for reader in readers { reader.close() } }
            for span in replay.spans {
                let changes = try replay.options.changesPath.map { _ in
                    try PartFile(replay.folder.file("changes-\(span.partition)"), keeping: 0)
                }
                guard let scores = try replay.published?("replay-against-\(span.partition)") else { continue }
                readers.append(scores)
                comparers[span.partition] = try ScoreComparer(
                    scores, span: span, changes: changes, resumed: nil, at: span.first)
            }
            try source.begin(span)
            let work = PartitionReplay(
                span, processor: processor, source: source, partition: processor.partition(span.partition),
                sink: try replay.target.sink(for: span, resumingAt: nil), forwarded: replay.target.forwarded,
                comparers: comparers, resumed: nil, checkpoint: nil, interval: .seconds(86_400))
            guard try run(work, isStopped) else { return false }
            let result = PartitionResult(counters: work.counters, watch: work.watch, comparison: work.comparison)
            replay.results.withLock { $0[span.partition] = result }
            return true
        }

        private func run(_ work: PartitionReplay, _ isStopped: () -> Bool) throws -> Bool {
            let before = work.counters.stream.messages
            defer { replay.messages.wrappingAdd(work.counters.stream.messages - before, ordering: .relaxed) }
            return try work.run(capacity: replay.options.settings.capacity) { offsets in
                replay.read.wrappingAdd(offsets, ordering: .relaxed)
                return isStopped()
            }
        }

        func close() {
            source.close()
            published?.close()
        }
    }
}

/// What a replay did.
package struct ReplayResult: Sendable {
    package var counters = ReplayCounters()
    /// nil when nothing was compared.
    package var comparison: ScoreComparison?
    /// Fields that features read and that no event of the range has.
    package var unseenFields: [String] = []
    /// Types that features count and that no event of the range is of.
    package var unseenTypes: [String] = []
    package var seconds: Double
    /// Without those of earlier tries.
    package var messagesThisTime = 0
}
