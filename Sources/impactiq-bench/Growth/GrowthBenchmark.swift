import Base
import Foundation
import Kafka
import Pipeline
import Scoring
import Terminal

/// `impactiq-bench growth`: how cost grows with partitions, workers, users, message size and features.
enum GrowthBenchmark {
    static func run(_ words: [String]) throws {
        let specification = CommandSpecification(
            "growth", "How cost grows with partitions, workers, message size, users and features",
            discussion: """
                Partitions, workers and message sizes run the whole product on a broker, each beside a raw C loop on the \
                same topic; users and features are measured in memory, in processor time.
                """,
            options: [
                .value("bootstrap", "HOST:PORT", "The broker; without one, only users and features"),
                .value("kafka", "KEY=VALUE", "A librdkafka property, as TLS and SASL need", repeated: true),
                .value("events", "N", "Events of each topic", default: "1M"),
                .value("users", "N", "Most users of the users' table", default: "1M"),
                .value("events-a-user", "N", "Events per user before the users' table is measured", default: "2"),
                .value("model", "FILE", "Where the features come from", default: "Tests/Golden/econml-demo.model"),
                .value("features", "FILE", "A feature specification for the users' table, instead of the model's"),
                .value("rounds", "N", "Rounds that count, after one that does not", default: "2"),
                .value("only", "WORD", "One of partitions, workers, messages, users, features"),
                .flag("json", "Print one JSON array"),
            ],
            examples: [
                .init("growth", "users and features"),
                .init("growth --bootstrap localhost:9092 --only partitions", "one table"),
            ])
        guard let command = try Benchmark.parse(specification, words) else { return }
        let model = try Model.open(path: command.text("model") ?? "")
        var tables: [RoundTable] = []
        func wants(_ word: String) -> Bool { command.text("only").map { $0 == word } ?? true }
        if wants("users") {
            let specification = try command.text("features").map { [UInt8](try Data(contentsOf: URL(filePath: $0))) }
            tables.append(
                try StateGrowth.users(
                    specification ?? model.specificationJSON, most: try command.count("users") ?? 1,
                    perUser: try command.count("events-a-user") ?? 2))
        }
        if wants("features") { tables.append(try StateGrowth.features()) }
        if command.text("bootstrap") != nil {
            let forest = try BenchmarkModel(like: model, trees: 100, leaves: 64)
            let growth = BrokerGrowth(
                properties: try Benchmark.properties(command), model: forest, events: try command.count("events") ?? 0,
                rounds: max(1, try command.count("rounds") ?? 2))
            if wants("partitions") { tables.append(try growth.partitions()) }
            if wants("workers") { tables.append(try growth.workers()) }
            if wants("messages") { tables.append(try growth.messages()) }
        }
        if command.flag("json") {
            Terminal.Stream.output.write(JSONOutput.array(tables.map(\.json)).line + "\n")
        } else {
            Terminal.Stream.output.write(tables.map { $0.text(against: nil) }.joined(separator: "\n"))
        }
    }
}

/// The tables that need a broker: the product's events per second, and the ratio to the raw loop on the same topic.
struct BrokerGrowth {
    let properties: KafkaProperties
    let model: BenchmarkModel
    let events: Int
    let rounds: Int

    func partitions() throws -> RoundTable {
        try table("partitions", [1, 4, 16, 64].map { ("\($0) partitions", $0, 1, 0) })
    }

    func workers() throws -> RoundTable {
        try table("workers", [1, 2].map { ("\($0) workers", 4, $0, 0) })
    }

    /// Whole topics of 10 KB messages would take the disk: fewer of them.
    func messages() throws -> RoundTable {
        try table("messages", [0, 800, 10_000].map { ("\($0) bytes more per message", 4, 1, $0) })
    }

    private func table(
        _ name: String, _ cases: [(name: String, partitions: Int, workers: Int, padding: Int)]
    ) throws -> RoundTable {
        var rows: [Measurement] = []
        for item in cases {
            let topic = try StreamTopic(
                properties: properties, partitions: item.partitions,
                events: events / max(1, item.padding / 250), users: 100_000, padding: item.padding)
            defer { topic.remove() }
            var row = Measurement("\(item.name) (\(topic.bytes / topic.events) bytes each)")
            let stages = StreamStages(topic: topic, model: try Model.open(path: model.path), limit: 60)
            let run = ApplicationRun(
                topic: topic, modelPath: model.path, limit: 60,
                settings: ["commit.interval.ms=200", "workers=\(item.workers)"])
            for round in 0...rounds {
                let raw = try stages.rawLoop()
                let rate = try run.measure().eventsPerSecond
                if round > 0 { row.add(rate, baseline: raw) }
            }
            rows.append(row)
        }
        return RoundTable(
            name, conditions: "\(name): run, \(model.name), commit 200 ms, 1 worker unless said", unit: "events/s",
            rows,
            hasBaseline: true)
    }
}
