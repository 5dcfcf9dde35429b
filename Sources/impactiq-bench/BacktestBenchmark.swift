import Backtest
import Diagnostics
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
    let bootstrap: String
    let topic: String
    let events: Int
    let partitions: Int
    let model: Model

    static func run(_ words: [String]) throws {
        let specification = CommandSpecification(
            "backtest", "replay and rows beside the live pipeline without its transactions, on a Kafka broker",
            options: [
                .value("bootstrap", "HOST:PORT", "The broker", required: true),
                .value("events", "N", "Events in the topic", default: "1e6"),
                .value("users", "N", "Users", default: "100k"),
                .value("partitions", "N", "Partitions", default: "4"),
                .value("workers", "N", "Threads of every stage", default: "2"),
                .value("rounds", "N", "Rounds; the first warms up and does not count", default: "4"),
                .value("model", "FILE", "The model", default: "examples/demo/demo.model"),
                .flag("json", "Print one JSON object"),
            ],
            examples: [.init("backtest --bootstrap localhost:9092", "a million events, three rounds after a warm-up")])
        guard case .run(let command) = try specification.parse(words) else {
            if case .help(let text) = try specification.parse(words) { Terminal.Stream.output.write(text) }
            return
        }
        Log.setLevel(.warning)
        let model = try Model.open(path: command.text("model") ?? "")
        let benchmark = BacktestBenchmark(
            bootstrap: command.text("bootstrap") ?? "", topic: "bench-\(UInt32.random(in: 0 ... .max))",
            events: try command.count("events") ?? 0, partitions: try command.count("partitions") ?? 4, model: model)
        let admin = try Admin(properties: benchmark.properties)
        try admin.create([.events(benchmark.topic, partitions: benchmark.partitions)])
        _ = try BenchmarkTopic.fill(
            benchmark.topic, properties: benchmark.properties, events: benchmark.events,
            users: try command.count("users") ?? 0)
        let threads = try command.count("workers") ?? 2
        let stages: [(String, () throws -> Double)] = [
            ("run, at_least_once, commit each 1 s", { try benchmark.live(workers: threads) }),
            ("replay to JSON lines", { try benchmark.replay(threads: threads, writes: true) }),
            ("replay, output discarded", { try benchmark.replay(threads: threads, writes: false) }),
            ("rows", { try benchmark.rows(threads: threads) }),
        ]
        var table = RatioTable(names: stages.map(\.0))
        for round in 0..<max(2, try command.count("rounds") ?? 4) {
            let rates = try stages.map { try $0.1() }
            if round > 0 { table.add(rates) }
        }
        try admin.delete(topics: [benchmark.topic])
        admin.close()
        Terminal.Stream.output.write(command.flag("json") ? table.json.line + "\n" : table.text)
    }

    private var properties: KafkaProperties { ["bootstrap.servers": bootstrap] }

    private func configuration(_ name: String, workers: Int, folder: String) throws -> Configuration {
        try Configuration(
            file: nil, environment: [:],
            overrides: [
                "bootstrap.servers=\(bootstrap)", "application.id=\(name)", "input.topics=\(topic)",
                "output.topic=\(name)-scores", "dead.letter.topic=\(name)-dead", "model.path=\(model.path)",
                "state.dir=\(folder)", "commit.interval.ms=1000", "processing.guarantee=at_least_once",
                "workers=\(workers)",
            ])
    }

    /// The product's own path, from its first message to the hand-over of its last.
    private func live(workers: Int) throws -> Double {
        let name = "bench-app-\(UInt32.random(in: 0 ... .max))"
        let folder = FileManager.default.temporaryDirectory.appending(path: name).path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let admin = try Admin(properties: properties)
        defer { admin.close() }
        let topics: [TopicPlan] = [
            .scores("\(name)-scores", partitions: partitions), .deadLetter("\(name)-dead", partitions: partitions),
            .changelog("\(name)-state-changelog", partitions: partitions),
        ]
        try admin.create(topics)
        let application = try Application(
            configuration: configuration(name, workers: workers, folder: folder), isStopped: { false })
        let metrics = application.context.metrics
        application.start()
        var first: ContinuousClock.Instant?
        while metrics.messages.load(ordering: .relaxed) < events, !application.isStopping {
            if first == nil, metrics.messages.load(ordering: .relaxed) > 0 { first = .now }
            usleep(500)
        }
        let end = ContinuousClock.now
        application.stop()
        try application.wait()
        try admin.delete(topics: topics.map(\.name))
        return Double(events) / ((end - (first ?? end)) / .seconds(1))
    }

    private func spans() throws -> [PartitionSpan] {
        let admin = try Admin(properties: properties, readCommitted: true)
        defer { admin.close() }
        return try TopicRange(topic: topic, admin: admin).spans(from: .beginning, to: .end, warmUp: .none) { _, _ in nil
        }
    }

    private func scratch() -> String {
        FileManager.default.temporaryDirectory.appending(path: "impactiq-bench-\(UUID().uuidString)").path
    }

    /// The whole command's work: from the making of the clients to the output, whole and on the disk.
    private func replay(threads: Int, writes: Bool) throws -> Double {
        let path = scratch()
        defer { try? FileManager.default.removeItem(atPath: path) }
        let folder = ReplayFolder(path + ".replay")
        let spans = try spans()
        try folder.begin(ReplayPlan(request: [:], spans: spans))
        var options = Replay.Options(
            settings: try configuration("replay", workers: 1, folder: path).processorSettings())
        options.threads = threads
        let target: any ReplayTarget =
            writes ? FileTarget(path: path, format: .jsonl, folder: folder.path) : NoTarget()
        let replay = Replay(
            model: model, options: options, spans: spans,
            sources: TopicSourceFactory(topic: topic, properties: properties), target: target, published: nil,
            folder: folder)
        let start = ContinuousClock.now
        let result = try replay.run(isResumed: false, progress: { _ in }, isStopped: { false })
        guard result.counters.messages == events else {
            throw ImpactError(.failed, code: "bench", "replayed \(result.counters.messages) of \(events) messages")
        }
        return Double(events) / ((.now - start) / .seconds(1))
    }

    private func rows(threads: Int) throws -> Double {
        let path = scratch()
        defer { try? FileManager.default.removeItem(atPath: path) }
        guard let specification = model.specification else {
            throw ImpactError(.badInput, code: "bench", "the model has no feature specification")
        }
        var options = RowsOptions(specification: specification)
        options.threads = threads
        let job = try RowsJob(
            options: options, spans: try spans(), sources: TopicSourceFactory(topic: topic, properties: properties))
        let start = ContinuousClock.now
        let counters = try job.run(to: path, progress: { _ in }, isStopped: { false })
        guard counters.messages == events else {
            throw ImpactError(.failed, code: "bench", "read \(counters.messages) of \(events) messages")
        }
        return Double(events) / ((.now - start) / .seconds(1))
    }
}
