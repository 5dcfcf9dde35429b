import Backtest
import Base
import Engine
import Features
import Foundation
import Kafka
import Pipeline
import Scoring
import Synchronization
import Terminal

/// `impactiq-bench backtest`: replay and rows beside the live pipeline without its transactions, on the same topic, round
/// by round.
struct BacktestBenchmark {
    let topic: StreamTopic
    let model: Model
    let threads: Int

    static func run(_ words: [String]) throws {
        let specification = CommandSpecification(
            "backtest", "replay and rows beside the live pipeline without its transactions, on a Kafka broker",
            discussion: """
                The baseline is `run` at least once: parse, state, forest, scores and changelog to the broker, offsets \
                committed each second, no transaction, timed from its first message to its last commit. replay and rows \
                are timed from their first records to the output, complete and on the disk; a row of its own counts the \
                making of the clients too.
                """,
            options: Benchmark.brokerOptions + [
                .value("events", "N", "Events in the topic", default: "1M"),
                .value("users", "N", "Users", default: "100k"),
                .value("partitions", "N", "Partitions", default: "4"),
                .value("workers", "N", "Threads of every row; one per processor when not given"),
                .value("model", "FILE", "The model", default: "Tests/Golden/econml-demo.model"),
            ] + Benchmark.roundOptions,
            examples: [.init("backtest --bootstrap localhost:9092", "a million events, three rounds after a warm-up")])
        guard let command = try Benchmark.parse(specification, words) else { return }
        let model = try Model.open(path: command.text("model") ?? "")
        let topic = try StreamTopic(
            properties: Benchmark.properties(command), partitions: try command.count("partitions") ?? 4,
            events: try command.count("events") ?? 0, users: try command.count("users") ?? 0)
        defer { topic.remove() }
        let threads = try command.count("workers") ?? ProcessInfo.processInfo.activeProcessorCount
        let benchmark = BacktestBenchmark(topic: topic, model: model, threads: threads)
        let live = ApplicationRun(
            topic: topic, modelPath: model.path, limit: 120,
            settings: ["commit.interval.ms=1000", "processing.guarantee=at_least_once", "workers=\(threads)"])
        let rows: [RoundTable.Row] = [
            .init(name: "run, at_least_once, commit 1 s") { try live.measure().eventsPerSecond },
            .init(name: "replay to JSON lines", bar: .atLeast(0.9)) { try benchmark.replay(writes: true) },
            .init(name: "replay, output discarded") { try benchmark.replay(writes: false) },
            .init(name: "replay to JSON lines, with its start") { try benchmark.replay(writes: true, isWhole: true) },
            .init(name: "rows", measure: benchmark.rows),
        ]
        try Benchmark.report(
            command,
            try .run(
                "backtest", conditions: "\(topic.text), \(threads) threads, model \(model.name)", unit: "events/s",
                rows,
                warmUp: try command.count("warm-up") ?? 1, rounds: try command.count("rounds") ?? 3))
    }

    private func spans() throws -> [PartitionSpan] {
        let admin = try Admin(properties: topic.properties, readCommitted: true)
        defer { admin.close() }
        return try TopicRange(topic: topic.name, admin: admin)
            .spans(from: .beginning, to: .end, warmUp: .none) { _, _ in nil }
    }

    private func sources(_ clock: FirstRecordClock) -> any RecordSourceFactory {
        ClockedSources(base: TopicSourceFactory(topic: topic.name, properties: topic.properties), clock: clock)
    }

    private func scratch() -> String {
        FileManager.default.temporaryDirectory.appending(path: "impactiq-bench-\(UUID().uuidString)").path
    }

    /// - Parameter isWhole: count from the making of the clients; else from the first record, as `run` is measured.
    private func replay(writes: Bool, isWhole: Bool = false) throws -> Double {
        let path = scratch()
        defer { try? FileManager.default.removeItem(atPath: path) }
        let start = ContinuousClock.now
        let clock = FirstRecordClock()
        let folder = ReplayFolder(path + ".replay")
        let spans = try spans()
        try folder.begin(ReplayPlan(request: [:], spans: spans))
        var options = Replay.Options(settings: Processor.Settings())
        options.threads = threads
        let target: any ReplayTarget =
            writes ? FileTarget(path: path, format: .jsonl, folder: folder.path) : NoTarget()
        let replay = Replay(
            model: model, options: options, spans: spans, sources: sources(clock), target: target, published: nil,
            folder: folder)
        let result = try replay.run(isResumed: false, progress: { _ in }, isStopped: { false })
        try check(result.counters.stream.messages)
        return Double(topic.events) / ((.now - (isWhole ? start : clock.start ?? start)) / .seconds(1))
    }

    private func rows() throws -> Double {
        let path = scratch()
        defer { try? FileManager.default.removeItem(atPath: path) }
        guard let specification = model.specification else {
            throw ImpactError(.badInput, code: "bench", "the model has no feature specification")
        }
        let clock = FirstRecordClock()
        var options = RowsOptions(specification: specification)
        options.threads = threads
        let job = try RowsJob(options: options, spans: try spans(), sources: sources(clock))
        let counters = try job.run(to: path, progress: { _ in }, isStopped: { false })
        try check(counters.stream.messages)
        return Double(topic.events) / ((.now - (clock.start ?? .now)) / .seconds(1))
    }

    private func check(_ messages: Int) throws(ImpactError) {
        guard messages == topic.events else {
            throw ImpactError(.failed, code: "bench", "read \(messages) of \(topic.events) messages")
        }
    }
}

/// When the first batch of records was read, by any thread.
private final class FirstRecordClock: Sendable {
    private let first = Mutex<ContinuousClock.Instant?>(nil)
    var start: ContinuousClock.Instant? { first.withLock { $0 } }
    func note() { first.withLock { $0 = $0 ?? .now } }
}

/// Sources that tell the clock of their first records.
private struct ClockedSources: RecordSourceFactory {
    let base: TopicSourceFactory
    let clock: FirstRecordClock
    var topic: String { base.topic }
    var hasKeys: Bool { base.hasKeys }

    func make(component: String) throws -> any RecordSource {
        ClockedSource(base: try base.make(component: component), clock: clock)
    }
}

private final class ClockedSource: RecordSource {
    private let base: any RecordSource
    private let clock: FirstRecordClock
    private var isFirst = true

    init(base: any RecordSource, clock: FirstRecordClock) {
        self.base = base
        self.clock = clock
    }

    var position: Int64 { base.position }
    func begin(_ span: PartitionSpan) throws { try base.begin(span) }
    func close() { base.close() }

    func read(max: Int, _ body: (SourceRecord) throws -> Void) throws -> Bool {
        let before = base.position
        let more = try base.read(max: max, body)
        if isFirst, base.position > before {
            isFirst = false
            clock.note()
        }
        return more
    }
}
