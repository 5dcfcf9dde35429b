import Base
import Engine
import Foundation
import Kafka
import Pipeline
import Scoring
import Terminal

/// `impactiq-bench roofline`: the stages alone, and the product's share of what they allow together.
///
/// A worker is one thread that does the stages in turn, so together they allow 1 / Σ (1 / rate of each alone). Consuming and
/// producing are measured on the broker, the stages between them in memory; the product is one worker with a forest.
enum RooflineBenchmark {
    static func run(_ words: [String]) throws {
        let specification = CommandSpecification(
            "roofline", "Consume, parse, state, score and produce alone, and the product's share of them together",
            options: Benchmark.brokerOptions + [
                .value("events", "N", "Events in the topic", default: "2M"),
                .value("users", "N", "Users", default: "200k"),
                .value("partitions", "N", "Partitions", default: "4"),
                .value("model", "FILE", "Where the features come from", default: "Tests/Golden/econml-demo.model"),
                .value("set", "KEY=VALUE", "More configuration of the product", repeated: true),
            ] + Benchmark.roundOptions,
            examples: [.init("roofline --bootstrap localhost:9092", "where the time goes, and how much is lost")])
        guard let command = try Benchmark.parse(specification, words) else { return }
        let source = try Model.open(path: command.text("model") ?? "")
        let forest = try BenchmarkModel(like: source, trees: 100, leaves: 64)
        let model = try Model.open(path: forest.path)
        let events = try command.count("events") ?? 0
        let users = try command.count("users") ?? 0
        let topic = try StreamTopic(
            properties: try Benchmark.properties(command), partitions: try command.count("partitions") ?? 4,
            events: events, users: users)
        defer { topic.remove() }
        let limit = Double(try command.milliseconds("duration") ?? 60_000) / 1_000
        let round = RooflineRound(
            topic: topic, model: model, limit: limit,
            stages: StageBenchmark(
                messages: try SyntheticMessages(events: min(events, 1_000_000), users: users), model: model,
                plan: try Processor.plan(of: model, scoreEvents: StageBenchmark.scoreEvents), batch: 1_024,
                commit: 100_000),
            settings: ["commit.interval.ms=1000"] + command.texts("set"))
        var rows = RooflineRound.names.map { Measurement($0, bar: $0 == RooflineRound.share ? .atLeast(60) : nil) }
        let warmUp = try command.count("warm-up") ?? 1
        for number in 0..<warmUp + max(1, try command.count("rounds") ?? 3) {
            let values = try round.measure()
            if number < warmUp { continue }
            for i in rows.indices { rows[i].add(values[i], baseline: 1) }
        }
        try Benchmark.report(
            command,
            RoundTable(
                "roofline", conditions: "\(topic.text), \(forest.name); nanoseconds per event, then shares",
                unit: "value", rows))
    }
}

/// One round of the roofline.
struct RooflineRound {
    let topic: StreamTopic
    let model: Model
    let limit: Double
    let stages: StageBenchmark
    let settings: [String]

    static let share = "product's share of the sum, %"
    static let names = [
        "consume, ns", "parse, ns", "state and features, ns", "score, ns", "write, ns", "changelog encoding, ns",
        "produce and commit, ns", "sum: what a worker's stages take, ns", "product, ns", share,
    ]

    /// The values of ``names``.
    func measure() throws -> [Double] {
        let consume = 1e9 / (try StreamStages(topic: topic, model: model, limit: limit).consume { _ in })
        let walk = try StageWalk(stages)
        let times = try walk.run()
        let produce = 1e9 / (try ProduceStage(topic: topic, walk: walk, events: stages.messages.count).measure())
        let product =
            1e9
            / (try ApplicationRun(topic: topic, modelPath: model.path, limit: limit, settings: settings).measure())
            .eventsPerSecond
        func time(_ stage: StageTimes.Stage) -> Double { times[stage] ?? .nan }
        let alone = [
            consume, time(.parse), time(.state) + time(.features), time(.score), time(.write), time(.changelog),
            produce,
        ]
        let sum = alone.reduce(0, +)
        return alone + [sum, product, 100 * sum / product]
    }
}
