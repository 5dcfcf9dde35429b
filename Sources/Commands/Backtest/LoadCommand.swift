import Backtest
import Base
import Engine
import Events
import Foundation
import Kafka
import Pipeline
import Settings
import Sinks
import Terminal

/// `impactiq load`: event files into a topic.
enum LoadCommand: Command {
    static let specification = CommandSpecification(
        "load", "Write the events of files to the input topic, keyed by user",
        discussion: """
            One JSON object a line, plain, .gz or .zst. A record's key is the event's user_id; its timestamp is the \
            present, or with --event-time the event's time, so that --from and --to of replay mean event time: only for a \
            topic whose retention is longer than the events are old. Invalid lines are passed over, counted, and the first \
            one is shown; nothing is written twice within a run, but a run that is repeated writes all again.
            """,
        options: ConfigurationOptions.options + [
            .value("to", "topic:NAME", "The topic; default input.topics"),
            .flag("event-time", "Stamp records with the event's time instead of the present"),
        ],
        arguments: [.init("FILE", "Event files, in their order", repeated: true)],
        examples: [
            .init("impactiq load events.jsonl.gz --config impactiq.properties", "an export into the input topic")
        ])

    static func run(_ command: ParsedCommand) throws {
        let configuration = try ConfigurationOptions.load(command)
        let topic = try topic(command, configuration)
        let admin = try Admin(properties: configuration.kafkaProperties(client: "consumer"))
        guard try admin.describe(topic) != nil else {
            throw ImpactError(
                .failed, code: "missing_topic", "topic \(topic) does not exist: 'impactiq topics create' makes it")
        }
        admin.close()
        let producer = try OutputProducer(
            properties: configuration.kafkaProperties(client: "producer"), options: ProducerOptions())
        defer { producer.close() }
        let output = try producer.topic(topic)
        let progress = ProgressLine("load", unit: "events")
        let limits = try configuration.processorSettings().limits
        let isEventTime = command.flag("event-time")
        var written = 0, rejected = 0
        for path in command.arguments {
            let reader = try EventFileReader(path: path, limits: limits)
            while !StopSignal.isRaised,
                try reader.next({ user, event, time in
                    do throws(KafkaError) {
                        try producer.produce(output, key: user, value: event, timestamp: isEventTime ? time : present)
                    } catch { throw error.impactError(doing: "writing to \(topic)") }
                })
            {
                written += 1
                if written % 4_096 == 0 { progress.update(written) }
            }
            rejected += reader.rejected.values.reduce(0, +)
            if let first = reader.firstRejection {
                let counts = reader.rejected.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
                Log.warning("load", "\(path): \(counts.joined(separator: ", ")) passed over; the first: \(first)")
            }
        }
        do { try producer.flush() } catch { throw error.impactError(doing: "writing to \(topic)") }
        progress.finish(written)
        if StopSignal.isRaised { throw ImpactError(.failed, code: "stopped", "stopped after \(written) events") }
        if written == 0, rejected > 0 {
            throw ImpactError(.badInput, code: "no_events", "none of \(rejected) lines is a valid event")
        }
    }

    private static var present: Int64 { Int64(Date().timeIntervalSince1970 * 1_000) }

    private static func topic(_ command: ParsedCommand, _ configuration: Configuration) throws -> String {
        guard let target = command.text("to") else {
            guard let topic = configuration.inputTopics.first else { throw command.invalid("to", "name a topic") }
            return topic
        }
        guard target.hasPrefix("topic:"), target.count > 6 else { throw command.invalid("to", "must be topic:NAME") }
        return String(target.dropFirst("topic:".count))
    }
}
