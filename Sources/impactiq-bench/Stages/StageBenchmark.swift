import Base
import Engine
import Events
import Features
import Foundation
import Pipeline
import Scoring
import Terminal

/// `impactiq-bench stages`: what each stage costs alone, on messages in memory: nanoseconds of processor time an event.
///
/// No broker: what is measured is the product's own code between the consumer and the producer.
struct StageBenchmark {
    let messages: SyntheticMessages
    let model: Model
    let plan: FeaturePlan
    let batch: Int
    /// Events between two commits.
    let commit: Int
    static let scoreEvents = ["ad_view", "click"]

    static func run(_ words: [String]) throws {
        let specification = CommandSpecification(
            "stages", "What parse, state, features, score and write cost alone, without a broker",
            options: [
                .value("events", "N", "Events", default: "1e6"),
                .value("users", "N", "Users", default: "50k"),
                .value("batch", "N", "Events a batch", default: "1024"),
                .value("commit", "N", "Events between two commits", default: "100k"),
                .value("padding", "BYTES", "Bytes of a property that no feature reads, in each event", default: "0"),
                .value("rounds", "N", "Rounds; the first warms up and does not count", default: "4"),
                .value("model", "FILE", "The model", default: "Tests/Golden/econml-demo.model"),
                .value(
                    "only", "STAGE", "One stage over and over, for a profiler: parse, state, features, score, write"),
                .flag("json", "Print one JSON object"),
            ],
            examples: [.init("stages --users 1M", "a million users")])
        guard let command = try Benchmark.parse(specification, words) else { return }
        let model = try Model.open(path: command.text("model") ?? "")
        let benchmark = StageBenchmark(
            messages: try SyntheticMessages(
                events: try command.count("events") ?? 0, users: try command.count("users") ?? 0,
                padding: try command.count("padding") ?? 0),
            model: model, plan: try Processor.plan(of: model, scoreEvents: scoreEvents),
            batch: try command.count("batch") ?? 1_024, commit: try command.count("commit") ?? 1)
        let rounds = max(2, try command.count("rounds") ?? 4)
        if let stage = command.text("only") { return try benchmark.repeatStage(stage, rounds: rounds) }
        let results = try benchmark.measure(rounds: rounds)
        Terminal.Stream.output.write(
            command.flag("json") ? StageTimes.json(results).line + "\n" : StageTimes.text(results, benchmark))
    }

    /// Each stage's nanoseconds an event, one value per round.
    func measure(rounds: Int) throws -> [StageTimes] {
        var results = StageTimes.Stage.allCases.map { StageTimes(stage: $0) }
        for round in 0..<rounds {
            let walk = try StageWalk(self).run()
            if round == 0 { continue }
            for i in results.indices { results[i].add(walk[results[i].stage] ?? .nan) }
        }
        return results
    }

    private func repeatStage(_ name: String, rounds: Int) throws {
        guard let stage = StageTimes.Stage(rawValue: name) else {
            throw ImpactError(.usage, code: "unknown_stage", "no stage '\(name)'")
        }
        for _ in 0..<rounds {
            let walk = try StageWalk(self, until: stage).run()
            print("\(name): \(HumanNumber.decimals(walk[stage] ?? .nan, 1)) ns per event")
        }
    }
}
