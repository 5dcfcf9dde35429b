import Base
import Features
import Foundation
import Synchronization

/// Training rows of a range, on several threads, each with one partition at a time; the rows of the partitions stand one
/// after another, by number, each in the order of its assignments, whatever the threads.
package final class RowsJob: Sendable {
    private let options: RowsOptions
    private let plan: FeaturePlan
    private let spans: [PartitionSpan]
    private let sources: any RecordSourceFactory
    private let published: (@Sendable (String) throws -> any PublishedScores)?
    private let read = Atomic<Int>(0)
    private let results = Mutex<[Int32: RowsCounters]>([:])

    /// - Parameter published: joins the scores of a topic; a row without one is left out and counted.
    /// - Throws: `rows_column`, `too_many_event_types`.
    package init(
        options: RowsOptions, spans: [PartitionSpan], sources: any RecordSourceFactory,
        published: (@Sendable (String) throws -> any PublishedScores)? = nil
    ) throws(ImpactError) {
        self.options = options
        self.spans = spans
        self.sources = sources
        self.published = published
        plan = try options.plan()
    }

    /// Writes the rows to a file; it appears when it is whole.
    ///
    /// - Parameters:
    ///   - path: `-` is standard output.
    ///   - check: looks at the counts before anything is written; what it throws leaves no file.
    package func run(
        to path: String, progress: (Int) -> Void, isStopped: @escaping @Sendable () -> Bool,
        check: (RowsCounters) throws -> Void = { _ in }
    ) throws -> RowsCounters {
        let folder = Self.folder(path)
        try OutputFolder.check(path)
        try OutputFolder.make(folder, for: path)
        defer { Folder.remove(folder) }
        let sources: any RecordSourceFactory = options.joins ? JoinedSourceFactory(self.sources, spans) : self.sources
        let parts = options.joins ? [JoinedSourceFactory.span] : spans
        let isComplete = try PartitionPool.run(
            parts, threads: options.threads, progress: { progress(read.load(ordering: .relaxed)) },
            isStopped: isStopped
        ) { [self] number, next, isStopped in
            let source = try sources.make(component: "rows-\(number)")
            defer { source.close() }
            // A reader of scores for each partition that is read at once.
            var scores: [any PublishedScores] = []
            defer { for reader in scores { reader.close() } }
            while let span = next() {
                let read = options.joins ? spans : [span]
                var joins: [Int32: ScoreJoin] = [:]
                for (i, part) in read.enumerated() {
                    if i == scores.count, let published { scores.append(try published("rows-scores-\(number)-\(i)")) }
                    if published == nil { continue }
                    joins[part.partition] = try ScoreJoin(
                        scores[i], partition: part.partition, mode: options.scoreAt, effects: options.effects)
                }
                let work = PartitionRows(
                    span, of: read, plan: plan, options: options,
                    file: try PartFile("\(folder)/\(span.partition)", keeping: 0), joins: joins)
                let isDone = try work.run(source) { offsets in
                    self.read.wrappingAdd(offsets, ordering: .relaxed)
                    return isStopped()
                }
                guard isDone else { return false }
                results.withLock { $0[span.partition] = work.counters }
            }
            return true
        }
        guard isComplete else { throw ImpactError(.failed, code: "stopped", "stopped; nothing was written") }
        var total = RowsCounters()
        let counters = results.withLock { $0 }
        for partition in counters.keys.sorted() { if let part = counters[partition] { total.add(part) } }
        try check(total)
        try PartFile.join(
            parts.map { "\(folder)/\($0.partition)" }, into: path,
            heading: RowColumns.heading(options, hasScores: published != nil))
        return total
    }

    private static func folder(_ path: String) -> String {
        guard path == "-" || OutputFile.isWrittenDirectly(path) else { return path + ".parts" }
        return FileManager.default.temporaryDirectory.appending(path: "impactiq-rows-\(UUID().uuidString)").path
    }
}
