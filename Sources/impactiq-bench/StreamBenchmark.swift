import CBench
import Consumer
import Diagnostics
import Events
import Features
import Foundation
import Kafka
import Pipeline
import Scoring
import Synchronization
import Terminal

/// `impactiq-bench stream`: the stages of the stream, each as a ratio to a raw C consume loop of the same round.
///
/// Stages run interleaved, several rounds; the machine drifts, so only ratios within a round are compared. The rows `run`
/// are the product's own path (`Application`), with state, forest, changelog and transactions.
struct StreamBenchmark {
    /// One row of the table.
    struct Stage {
        var name: String
        /// Events a second of one run over the whole topic.
        var measure: () throws -> Double
    }

    let bootstrap: String
    let topic: String
    let events: Int
    let partitions: Int
    let model: Model
    let modelPath: String

    static func run(_ words: [String]) throws {
        let specification = CommandSpecification(
            "stream", "The stages of the stream beside a raw C consume loop, on a Kafka broker",
            options: [
                .value("bootstrap", "HOST:PORT", "The broker", required: true),
                .value("events", "N", "Events in the topic", default: "1e6"),
                .value("users", "N", "Users", default: "100k"),
                .value("partitions", "N", "Partitions", default: "4"),
                .value("rounds", "N", "Rounds; the first warms up and does not count", default: "4"),
                .value("model", "FILE", "The model", default: "examples/demo/demo.model"),
                .flag("json", "Print one JSON object"),
            ],
            examples: [.init("stream --bootstrap localhost:9092", "a million events, three rounds after a warm-up")])
        guard case .run(let command) = try specification.parse(words) else {
            if case .help(let text) = try specification.parse(words) { Terminal.Stream.output.write(text) }
            return
        }
        Log.setLevel(.warning)
        let path = command.text("model") ?? ""
        let benchmark = StreamBenchmark(
            bootstrap: command.text("bootstrap") ?? "", topic: "bench-\(UInt32.random(in: 0 ... .max))",
            events: try command.count("events") ?? 0, partitions: try command.count("partitions") ?? 4,
            model: try Model.open(path: path), modelPath: path)
        try benchmark.load(users: try command.count("users") ?? 0)
        let rounds = try command.count("rounds") ?? 4
        let table = try benchmark.measure(rounds: max(2, rounds))
        Terminal.Stream.output.write(command.flag("json") ? table.json.line + "\n" : table.text)
    }

    private var properties: KafkaProperties { ["bootstrap.servers": bootstrap] }

    private func load(users: Int) throws {
        let admin = try Admin(properties: properties)
        defer { admin.close() }
        try admin.create([.events(topic, partitions: partitions)])
        let bytes = try BenchmarkTopic.fill(topic, properties: properties, events: events, users: users)
        print(
            "\(events) events of \(bytes / max(1, events)) bytes, \(users) users, \(partitions) partitions, model \(model.name)"
        )
    }

    private func measure(rounds: Int) throws -> RatioTable {
        let stages = [
            Stage(name: "C rd_kafka_consume_batch_queue", measure: rawLoop),
            Stage(name: "Swift, borrowed bytes") { try consume { _, _ in } },
            Stage(name: "+ parse", measure: parse),
            Stage(name: "+ state and \(model.featureCount) features", measure: state),
            Stage(name: "run, commit each 1 s") { try application(commit: 1_000) },
            Stage(name: "run, commit each 100 ms") { try application(commit: 100) },
        ]
        var table = RatioTable(names: stages.map(\.name))
        for round in 0..<rounds {
            let rates = try stages.map { try $0.measure() }
            if round > 0 { table.add(rates) }
        }
        return table
    }

    private var consumerOptions: ConsumerOptions {
        var options = ConsumerOptions()
        options.fetchWaitMilliseconds = 10
        return options
    }

    /// The baseline, with the same consumer settings as the product's.
    private func rawLoop() throws -> Double {
        let settings = consumerOptions.properties(properties).entries
        let keys = settings.map { strdup($0.key) }, values = settings.map { strdup($0.value) }
        defer { for text in keys + values { free(text) } }
        let result = keys.map { UnsafePointer($0) }.withUnsafeBufferPointer { keys in
            values.map { UnsafePointer($0) }.withUnsafeBufferPointer { values in
                cbench_consume(
                    bootstrap, topic, Int32(partitions), Int64(events), keys.baseAddress, values.baseAddress,
                    settings.count, 120)
            }
        }
        guard result.messages == events else {
            throw ImpactError(.failed, code: "bench", "the C loop read \(result.messages) of \(events) messages")
        }
        return Double(events) / result.seconds
    }

    /// Reads the whole topic and gives each batch to `body`.
    private func consume(_ body: (borrowing MessageBatch, Int) throws -> Void) throws -> Double {
        let consumer = try EventConsumer(properties: properties, topics: [topic], options: consumerOptions)
        defer { consumer.close() }
        try consumer.assign(
            Dictionary(uniqueKeysWithValues: (0..<partitions).map { (TopicPartition(topic, Int32($0)), .beginning) }))
        var done = 0
        var first: ContinuousClock.Instant?
        while done < events {
            let batch = try consumer.poll(max: 1_024, timeoutMilliseconds: 100)
            if batch.isEmpty { continue }
            if first == nil { first = .now }
            try body(batch, done)
            done += batch.count
        }
        return Double(events) / ((.now - (first ?? .now)) / .seconds(1))
    }

    private func parse() throws -> Double {
        let plan = try Processor.plan(of: model, scoreEvents: ["ad_view", "click"])
        let parsed = EventBatch(schema: plan.schema, capacity: 1_024)
        return try consume { batch, _ in
            parsed.removeAll()
            for i in 0..<batch.count {
                let message = batch[i]
                try parsed.append(
                    message.payloadBuffer, key: message.keyBuffer,
                    source: SourcePosition(partition: message.partition, offset: message.offset))
            }
        }
    }

    private func state() throws -> Double {
        let plan = try Processor.plan(of: model, scoreEvents: ["ad_view", "click"])
        let parsed = EventBatch(schema: plan.schema, capacity: 1_024)
        let states = (0..<partitions).map { _ in PartitionState(plan: plan) }
        var row = [Float](repeating: 0, count: model.rowStride)
        return try consume { batch, _ in
            parsed.removeAll()
            for i in 0..<batch.count {
                let message = batch[i]
                try parsed.append(
                    message.payloadBuffer, key: message.keyBuffer,
                    source: SourcePosition(partition: message.partition, offset: message.offset))
            }
            var start = 0
            while start < parsed.count {
                let partition = parsed[start].source.partition
                var end = start + 1
                while end < parsed.count, parsed[end].source.partition == partition { end += 1 }
                let state = states[Int(partition)]
                state.apply(parsed, start..<end) { _, applied in
                    if case .applied(let slot) = applied { state.features(slot, into: &row) }
                }
                start = end
            }
            for state in states { state.commit() }
        }
    }

    /// The product's own path, from its first message to the commit of its last.
    private func application(commit: Int) throws -> Double {
        let name = "bench-app-\(UInt32.random(in: 0 ... .max))"
        let folder = FileManager.default.temporaryDirectory.appending(path: name).path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let configuration = try Configuration(
            file: nil, environment: [:],
            overrides: [
                "bootstrap.servers=\(bootstrap)", "application.id=\(name)", "input.topics=\(topic)",
                "output.topic=\(name)-scores", "dead.letter.topic=\(name)-dead", "model.path=\(modelPath)",
                "state.dir=\(folder)", "commit.interval.ms=\(commit)",
            ])
        let admin = try Admin(properties: properties)
        defer { admin.close() }
        let topics: [TopicPlan] = [
            .scores("\(name)-scores", partitions: partitions), .deadLetter("\(name)-dead", partitions: partitions),
            .changelog("\(name)-state-changelog", partitions: partitions),
        ]
        try admin.create(topics)
        let application = try Application(configuration: configuration, isStopped: { false })
        let metrics = application.context.metrics
        application.start()
        var first: ContinuousClock.Instant?
        while metrics.messages.load(ordering: .relaxed) < events, !application.isStopping {
            if first == nil, metrics.messages.load(ordering: .relaxed) > 0 { first = .now }
            usleep(500)
        }
        // The last transaction is part of the work.
        let commits = metrics.commits.load(ordering: .relaxed)
        while metrics.commits.load(ordering: .relaxed) == commits, !application.isStopping { usleep(500) }
        let end = ContinuousClock.now
        application.stop()
        try application.wait()
        try admin.delete(topics: topics.map(\.name))
        return Double(events) / ((end - (first ?? end)) / .seconds(1))
    }
}
