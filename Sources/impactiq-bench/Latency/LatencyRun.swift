import Base
import Consumer
import Engine
import Foundation
import Kafka
import Pipeline
import Settings
import Sinks
import Synchronization

/// One measurement: a feeder at a steady rate, the pipeline, and a reader that notes how old each record is.
struct LatencyRun {
    let properties: KafkaProperties
    let modelPath: String
    let rate: Int
    let users: Int
    let partitions: Int
    /// Seconds before the measurement, and of it.
    let settle: Double
    let duration: Double
    let settings: [String]

    /// Milliseconds of each record seen while it was measured.
    /// - Parameters:
    ///   - own: the pipeline's configuration; nil reads the input topic without a pipeline.
    ///   - backlog: events that wait when the pipeline starts; the time before the measurement begins with the first score
    ///     that comes within a second.
    func measure(_ own: [String]?, backlog: Int = 0) throws -> [Double] {
        let name = "bench-lat-\(UInt32.random(in: 0 ... .max))"
        let folder = FileManager.default.temporaryDirectory.appending(path: name).path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let admin = try Admin(properties: properties)
        defer { admin.close() }
        let topics: [TopicPlan] = [
            TopicPlan(name, partitions: partitions, settings: ["message.timestamp.type": "LogAppendTime"]),
            .scores("\(name)-scores", partitions: partitions), .deadLetter("\(name)-dead", partitions: partitions),
            .changelog("\(name)-state-changelog", partitions: partitions),
        ]
        try admin.create(topics)
        defer { try? admin.delete(topics: topics.map(\.name)) }
        let isDone = Flag()
        let feeder = try feed(name, backlog: backlog, until: isDone)
        let pipeline = try own.map { try application(name, folder, $0) }
        pipeline?.start()
        defer {
            isDone.raise()
            feeder.wait()
        }
        let latencies = try read(own == nil ? name : "\(name)-scores", isBehind: backlog > 0)
        pipeline?.stop()
        try pipeline?.wait()
        return latencies
    }

    private func application(_ name: String, _ folder: String, _ own: [String]) throws -> Application {
        try Application(
            configuration: try Configuration(
                file: nil, environment: [:],
                overrides: [
                    "bootstrap.servers=\(properties["bootstrap.servers"] ?? "")", "application.id=\(name)",
                    "input.topics=\(name)", "output.topic=\(name)-scores", "dead.letter.topic=\(name)-dead",
                    "model.path=\(modelPath)", "state.dir=\(folder)",
                ] + own + settings), isStopped: { false })
    }

    /// Writes events at the rate, 200 times per second, until the flag is up.
    private func feed(_ topic: String, backlog: Int, until isDone: Flag) throws -> DispatchGroup {
        let messages = try SyntheticMessages(users: users)
        var options = ProducerOptions()
        options.lingerMilliseconds = 1
        let producer = try OutputProducer(properties: properties, options: options)
        let output = try producer.topic(topic)
        let feeder = Feeder(messages: messages, producer: producer, output: output, rate: rate)
        try feeder.write(backlog)
        let group = DispatchGroup()
        group.enter()
        Thread.detachNewThread {
            feeder.run(until: isDone)
            group.leave()
        }
        return group
    }

    /// Reads from the end of the topic on, as long as the settings say.
    private func read(_ topic: String, isBehind: Bool) throws -> [Double] {
        var options = ConsumerOptions()
        options.fetchWaitMilliseconds = 10
        let consumer = try EventConsumer(properties: properties, topics: [topic], options: options)
        defer { consumer.close() }
        try consumer.assign(
            Dictionary(uniqueKeysWithValues: (0..<partitions).map { (TopicPartition(topic, Int32($0)), .beginning) }))
        var latencies: [Double] = []
        latencies.reserveCapacity(rate * Int(duration + 1))
        // The clock runs from the first record on: a group takes its time to form.
        var first: ContinuousClock.Instant?
        let deadline = ContinuousClock.now + .seconds(settle + duration + 120)
        while ContinuousClock.now < deadline {
            let batch = try consumer.poll(max: 4_096, timeoutMilliseconds: 50)
            let now = ContinuousClock.now
            if batch.isEmpty { continue }
            if first == nil, isBehind, Self.milliseconds() - Double(batch[batch.count - 1].timestamp) > 1_000 {
                continue
            }
            let start = first ?? now
            first = start
            if now - start > .seconds(settle + duration) { return latencies }
            if now - start < .seconds(settle) { continue }
            let time = Self.milliseconds()
            for i in 0..<batch.count { latencies.append(time - Double(batch[i].timestamp)) }
        }
        throw ImpactError(.failed, code: "bench", "no score of \(topic) came in time")
    }

    /// Milliseconds since 1970.
    private static func milliseconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) * 1_000 + Double(time.tv_nsec) / 1e6
    }
}

/// Raised once, by one thread, seen by another.
final class Flag: Sendable {
    private let isUp = Atomic<Bool>(false)
    func raise() { isUp.store(true, ordering: .releasing) }
    var isRaised: Bool { isUp.load(ordering: .acquiring) }
}

/// The thread that writes events. Unchecked: handed over to its thread before it starts, and not used elsewhere.
private final class Feeder: @unchecked Sendable {
    private let messages: SyntheticMessages
    private let producer: OutputProducer
    private let output: OutputTopic
    private let rate: Int

    init(messages: SyntheticMessages, producer: OutputProducer, output: OutputTopic, rate: Int) {
        self.messages = messages
        self.producer = producer
        self.output = output
        self.rate = rate
    }

    /// Writes events at once.
    func write(_ events: Int) throws {
        var left = events
        while left > 0 {
            messages.fill(min(4_096, left))
            left -= messages.count
            try BenchmarkTopic.write(messages, to: output, producer)
        }
        try producer.flush()
    }

    func run(until isDone: Flag) {
        defer {
            // What is left is measured by nobody.
            try? producer.flush(timeoutMilliseconds: 2_000)
            producer.close()
        }
        let start = ContinuousClock.now
        var written = 0
        while !isDone.isRaised {
            let due = Int((.now - start) / .seconds(1) * Double(rate))
            if due > written {
                messages.fill(min(4_096, due - written))
                written += messages.count
                do {
                    try BenchmarkTopic.write(messages, to: output, producer)
                } catch {
                    Log.error("bench", "\(error)")
                    return
                }
            }
            usleep(5_000)
        }
    }
}
