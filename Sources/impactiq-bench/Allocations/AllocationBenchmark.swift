import Base
import CBench
import Engine
import Events
import Features
import Foundation
import Kafka
import Pipeline
import Scoring
import Synchronization
import Terminal

/// `impactiq-bench allocations`: what a worker allocates in steady state, over a million events.
///
/// Without a broker the four stages alone are counted (`Processor`, its shard, the changelog's records, commits of the
/// state), and any allocation is a failure. With one, the worker threads of the whole product are counted, and what
/// librdkafka allocates on them is stated beside.
enum AllocationBenchmark {
    static func run(_ words: [String]) throws {
        let specification = CommandSpecification(
            "allocations", "What a worker allocates in steady state; status 1 when it is something an event",
            options: [
                .value("bootstrap", "HOST:PORT", "Count the whole product on this broker"),
                .value("kafka", "KEY=VALUE", "A librdkafka property, as TLS and SASL need", repeated: true),
                .value("events", "N", "Events that are counted, after as many that are not", default: "1M"),
                .value("users", "N", "Users", default: "1k"),
                .value("model", "FILE", "The model", default: "Tests/Golden/econml-demo.model"),
                .flag("json", "Print one JSON object"),
            ],
            examples: [
                .init("allocations", "the stages alone, without a broker"),
                .init("allocations --bootstrap localhost:9092", "the whole product"),
            ])
        guard let command = try Benchmark.parse(specification, words) else { return }
        let events = try command.count("events") ?? 1_000_000
        let users = try command.count("users") ?? 1_000
        let path = command.text("model") ?? ""
        let isAlone = command.text("bootstrap") == nil
        let counts =
            isAlone
            ? try stages(model: Model.open(path: path), events: events, users: users)
            : try product(Benchmark.properties(command), path, events: events, users: users)
        Terminal.Stream.output.write(command.flag("json") ? counts.json.line + "\n" : counts.text)
        // A commit of the product makes a few objects for its offsets: nothing an event.
        guard isAlone ? counts.own == 0 : counts.ownPerEvent < 0.001 else {
            throw ImpactError(.failed, code: "allocations", "the workers allocate in steady state")
        }
    }

    /// The four stages on this thread. The trial is made ahead of the counting, batch by batch.
    private static func stages(model: Model, events: Int, users: Int) throws -> AllocationCounts {
        let processor = try Processor(model: model, settings: Processor.Settings())
        let partition = Partition(0, plan: processor.plan)
        let messages = try SyntheticMessages(users: users)
        let batch = Processor.Settings().capacity
        var done = 0
        var counted = 0
        while done < 2 * events {
            messages.fill(batch)
            // Making the messages is not part of the work.
            if done >= events {
                if counted == 0 { cbench_allocations_start(nil) } else { cbench_allocations_resume() }
                counted += messages.count
            }
            try process(messages, processor, partition, from: done)
            cbench_allocations_stop()
            done += batch
        }
        return .collect(events: counted)
    }

    private static func process(
        _ messages: SyntheticMessages, _ processor: Processor, _ partition: Partition, from offset: Int
    ) throws {
        processor.begin(partition)
        for i in 0..<messages.count {
            try processor.append(
                messages.value(i), key: messages.key(i),
                source: SourcePosition(offset: Int64(offset + i), timestamp: 2_200_000_000_000), tag: i)
        }
        _ = processor.flush { _, _ in }
        partition.takeOutputs { _, _ in }
        // As a worker does at each commit.
        guard offset / messages.count % 20 == 19 else { return }
        _ = partition.collectChanges { _ in }
        partition.takeOutputs { _, _ in }
        partition.state.commit()
    }

    /// The product's worker threads, over the second half of a topic.
    private static func product(
        _ properties: KafkaProperties, _ path: String, events: Int, users: Int
    ) throws -> AllocationCounts {
        let topic = try StreamTopic(properties: properties, partitions: 4, events: 2 * events, users: users)
        defer { topic.remove() }
        var counted = 0
        var run = ApplicationRun(topic: topic, modelPath: path, limit: 120)
        run.onProgress = { messages in
            guard counted == 0, messages >= events else { return }
            counted = messages
            cbench_allocations_start("worker-")
        }
        _ = try run.measure()
        cbench_allocations_stop()
        return .collect(events: 2 * events - counted)
    }
}
