import Base
import Kafka
import Pipeline
import Scoring
import Terminal

/// `impactiq-bench latency`: from the broker's append of an event to the moment a `read_committed` reader has its score.
///
/// The input topic stamps its records with the broker's append time and a score carries its event's timestamp, so a
/// reader on the same machine sees the whole way. The baseline is a reader of the input topic itself.
struct LatencyBenchmark {
    /// One row of the table, before it is measured.
    struct Case {
        let name: String
        /// Configuration of the pipeline; nil reads the input topic.
        let settings: [String]?
        var p50: Double?
        var p99: Double?
        /// Events that wait when the pipeline starts.
        var backlog = 0
    }

    static func run(_ words: [String]) throws {
        let specification = CommandSpecification(
            "latency", "From the broker's append of an event to its score's visibility, at a steady rate",
            discussion: """
                Reader, pipeline and broker share this machine's clock: run it where the broker is, or where the clocks \
                agree to a millisecond.
                """,
            options: Benchmark.brokerOptions + [
                .value("rate", "N", "Events per second", default: "20k"),
                .value("users", "N", "Users", default: "50k"),
                .value("partitions", "N", "Partitions", default: "4"),
                .value("model", "FILE", "Where the features come from", default: "Tests/Golden/econml-demo.model"),
                .value("set", "KEY=VALUE", "More configuration of the pipeline", repeated: true),
                .value("rounds", "N", "Rounds", default: "2"),
                .value("settle", "DURATION", "Time before each measurement", default: "4s"),
                .value("duration", "DURATION", "Time of each measurement", default: "10s"),
                .value("only", "WORD", "Only rows whose names have this word"),
                .value("compare", "FILE", "Say which rows changed beyond noise since this result of --json"),
                .flag("json", "Print one JSON object"),
            ],
            examples: [.init("latency --bootstrap localhost:9092", "20,000 events per second")])
        guard let command = try Benchmark.parse(specification, words) else { return }
        let forest = try BenchmarkModel(
            like: try Model.open(path: command.text("model") ?? ""), trees: 100, leaves: 64)
        let word = command.text("only")
        let cases = Self.cases.filter { item in word.map { item.name.contains($0) } ?? true }
        let rate = try command.count("rate") ?? 20_000
        let run = LatencyRun(
            properties: try Benchmark.properties(command), modelPath: forest.path, rate: rate,
            users: try command.count("users") ?? 50_000, partitions: try command.count("partitions") ?? 4,
            settle: Double(try command.milliseconds("settle") ?? 4_000) / 1_000,
            duration: Double(try command.milliseconds("duration") ?? 10_000) / 1_000,
            settings: command.texts("set"))
        var rows = cases.flatMap { item in
            [
                Measurement("\(item.name), p50", bar: item.p50.map { .atMost($0) }),
                Measurement("\(item.name), p99", bar: item.p99.map { .atMost($0) }),
            ]
        }
        for _ in 0..<max(1, try command.count("rounds") ?? 2) {
            for (i, item) in cases.enumerated() {
                let latencies = try run.measure(item.settings, backlog: item.backlog).sorted()
                rows[2 * i].add(Self.quantile(0.50, of: latencies), baseline: 1)
                rows[2 * i + 1].add(Self.quantile(0.99, of: latencies), baseline: 1)
            }
        }
        // A value is its own ratio: milliseconds are what the bars are in.
        try Benchmark.report(
            command,
            RoundTable(
                "latency",
                conditions: "\(HumanNumber.rate(Double(rate))), \(forest.name), append to read_committed visibility",
                unit: "ms", rows))
    }

    private static var cases: [Case] {
        let batches = [1, 64, 16_384].map { size in
            Case(
                name: "transactions each 100 ms, batches of at most \(size)",
                settings: ["commit.interval.ms=100", "batch.max.events=\(size)"])
        }
        return [
            Case(name: "reader of the input topic", settings: nil),
            Case(name: "transactions each 100 ms", settings: ["commit.interval.ms=100"], p50: 120, p99: 400),
            Case(name: "transactions each 20 ms", settings: ["commit.interval.ms=20"]),
            Case(
                name: "after a backlog of 2 M events",
                settings: ["commit.interval.ms=100"], p50: 120, p99: 400, backlog: 2_000_000),
            Case(name: "at least once", settings: ["processing.guarantee=at_least_once"], p99: 20),
        ] + batches
    }

    private static func quantile(_ q: Double, of sorted: [Double]) -> Double {
        sorted.isEmpty ? .nan : sorted[min(sorted.count - 1, Int(Double(sorted.count) * q))]
    }
}
