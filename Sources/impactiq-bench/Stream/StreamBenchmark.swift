import Base
import Foundation
import Kafka
import Pipeline
import Scoring
import Terminal

/// `impactiq-bench stream`: the stages of the stream, each as a ratio to a raw C consume loop of the same round.
///
/// The rows `run` are the product's own path (`Application`): parse, state, features, forest, scores, transactions. The
/// rows without a forest run it with a model of single-leaf trees.
enum StreamBenchmark {
    static func run(_ words: [String]) throws {
        let specification = CommandSpecification(
            "stream", "The stages of the stream beside a raw C consume loop, on a Kafka broker",
            discussion: """
                Makes a topic of simulated events, reads it by each stage in turn, several rounds, and prints each \
                stage's events per second and its ratio to the C loop of the same round. Makes topics of its own and \
                removes them.
                """,
            options: Benchmark.brokerOptions + [
                .value("events", "N", "Events in the topic", default: "5M"),
                .value("users", "N", "Users", default: "200k"),
                .value("partitions", "N", "Partitions", default: "4"),
                .value("workers", "N", "Workers of the rows 'run'; one per processor when not given"),
                .value("model", "FILE", "Where the features come from", default: "Tests/Golden/econml-demo.model"),
                .value("set", "KEY=VALUE", "More configuration for the rows 'run'", repeated: true),
                .value("only", "WORD", "Only the baseline and rows whose names have this word"),
            ] + Benchmark.roundOptions,
            examples: [
                .init("stream --bootstrap localhost:9092", "all rows"),
                .init("stream --bootstrap localhost:9092 --json > before.json", "a result to compare with later"),
                .init("stream --bootstrap localhost:9092 --compare before.json", "which rows have changed"),
            ])
        guard let command = try Benchmark.parse(specification, words) else { return }
        let model = try Model.open(path: command.text("model") ?? "")
        let topic = try StreamTopic(
            properties: Benchmark.properties(command), partitions: try command.count("partitions") ?? 4,
            events: try command.count("events") ?? 0, users: try command.count("users") ?? 0)
        defer { topic.remove() }
        let none = try BenchmarkModel(like: model, trees: 8, leaves: 1)
        let forest = try BenchmarkModel(like: model, trees: 100, leaves: 64)
        let limit = Double(try command.milliseconds("duration") ?? 60_000) / 1_000
        let stages = StreamStages(topic: topic, model: model, limit: limit)
        let settings =
            ["workers=\(try command.count("workers") ?? ProcessInfo.processInfo.activeProcessorCount)"]
            + command.texts("set")
        func application(_ model: BenchmarkModel, commit: Int, changelog: Bool = true) -> () throws -> Double {
            let run = ApplicationRun(
                topic: topic, modelPath: model.path, limit: limit,
                settings: ["commit.interval.ms=\(commit)"] + settings, writesChangelog: changelog)
            return { try run.measure().eventsPerSecond }
        }
        let all: [RoundTable.Row] = [
            .init(name: "C rd_kafka_consume_batch_queue", measure: stages.rawLoop),
            .init(name: "Swift, borrowed bytes", bar: .atLeast(0.95)) { try stages.consume { _ in } },
            .init(name: "+ parse", bar: .atLeast(0.75), measure: stages.parse),
            .init(name: "+ state and \(model.featureCount) features", bar: .atLeast(0.60), measure: stages.state),
            .init(
                name: "run, no forest, no changelog, commit 1 s", bar: .atLeast(0.33),
                measure: application(none, commit: 1_000, changelog: false)),
            .init(name: "run, no forest, commit 1 s", bar: .atLeast(0.28), measure: application(none, commit: 1_000)),
            .init(name: "run, no forest, commit 100 ms", bar: .atLeast(0.20), measure: application(none, commit: 100)),
            .init(
                name: "run, \(forest.name), commit 1 s", bar: .atLeast(0.20),
                measure: application(forest, commit: 1_000)),
            .init(
                name: "run, \(forest.name), commit 100 ms", bar: .atLeast(0.15),
                measure: application(forest, commit: 100)),
        ]
        let word = command.text("only")
        let rows = all.enumerated().filter { $0 == 0 || word.map($1.name.contains) ?? true }.map(\.element)
        let conditions = "\(topic.text), \(settings.joined(separator: ", ")), features of \(model.name)"
        try Benchmark.report(
            command,
            try .run(
                "stream", conditions: conditions, unit: "events/s", rows, warmUp: try command.count("warm-up") ?? 1,
                rounds: try command.count("rounds") ?? 3))
    }
}
