import Base
import Events
import Foundation
import Kafka
import Pipeline
import Settings
import Simulation
import Sinks
import Terminal

/// `impactiq generate`: synthetic events of a randomised trial with known effects, to a topic or a file.
enum GenerateCommand: Command {
    static let specification = CommandSpecification(
        "generate", "Write synthetic events of a randomised trial with known effects",
        discussion: """
            Equal settings give equal bytes. Persuadable people buy more when they see the ad, sleeping dogs less; sure \
            things and lost causes do not care. --truth writes each person's true effect beside it.
            """,
        options: ConfigurationOptions.options + [
            .value("events", "N", "How many messages, as 10000, 10k or 1e6", required: true),
            .value("to", "TARGET", "topic:NAME, or a file; - is standard output", required: true),
            .value("seed", "S", "Seed of the whole trial", default: "1"),
            .value("users", "N", "How many people there are", default: "10000"),
            .value("rate", "N", "Messages per second; flat out when not given"),
            .value("truth", "FILE", "Write the people's true effects as CSV"),
            .value("start", "MS", "Time of the first event, milliseconds since 1970", default: "1767225600000"),
            .value("duplicates", "SHARE", "Share of events that come twice", default: "0"),
            .value("out-of-order", "SHARE", "Share of events that come late", default: "0"),
            .value("invalid", "SHARE", "Messages no reader may accept, for each valid one", default: "0"),
        ],
        examples: [
            .init("impactiq generate --events 1e6 --seed 7 --to topic:events", "a million events, as fast as it goes"),
            .init("impactiq generate --events 10k --to trial.jsonl --truth people.csv", "a file, with its truth"),
        ])

    static func run(_ command: ParsedCommand) throws {
        let settings = try settings(command)
        guard let events = try command.count("events"), events > 0 else {
            throw command.invalid("events", "must be 1 or more")
        }
        guard let target = command.text("to") else { throw command.invalid("to", "name a topic or a file") }
        if let truth = command.text("truth") { try writeTruth(settings, to: truth) }
        let pace = Pace(perSecond: try command.number("rate"))
        let progress = ProgressLine("generate", total: events, unit: "events")
        if target.hasPrefix("topic:") {
            let topic = String(target.dropFirst("topic:".count))
            try write(settings, events, toTopic: topic, try ConfigurationOptions.load(command), pace, progress)
        } else {
            try write(settings, events, toFile: target, pace, progress)
        }
    }

    private static func settings(_ command: ParsedCommand) throws -> TrialSettings {
        var settings = TrialSettings()
        settings.seed = try command.seed("seed") ?? 1
        settings.users = try command.count("users") ?? 10_000
        settings.start = Int64(try command.count("start") ?? 0)
        settings.duplicates = try command.number("duplicates") ?? 0
        settings.outOfOrder = try command.number("out-of-order") ?? 0
        settings.invalid = try command.number("invalid") ?? 0
        try settings.check()
        return settings
    }

    private static func writeTruth(_ settings: TrialSettings, to path: String) throws {
        let file = try OutputFile(path)
        var text = "\(TrialTruth.header)"
        for user in 0..<settings.users {
            TrialTruth.appendLine(of: user, seed: settings.seed, into: &text)
            if text.utf8.count > 1 << 20 || user == settings.users - 1 {
                try file.append(text)
                text = ""
            }
        }
        try file.finish()
    }

    private static func write(
        _ settings: TrialSettings, _ events: Int, toFile path: String, _ pace: Pace, _ progress: ProgressLine
    ) throws {
        let file = try OutputFile(path)
        var simulation = try TrialSimulation(settings)
        let buffer = ByteBuffer(capacity: 1 << 20)
        var done = 0
        while done < events, !StopSignal.isRaised {
            buffer.removeAll()
            for _ in 0..<pace.allowed(done, of: events) {
                _ = simulation.next(into: buffer)
                buffer.append(UInt8(ascii: "\n"))
                done += 1
            }
            try file.append(buffer.bytes)
            // Whoever reads a pipe sees the events at their rate.
            try file.flush()
            progress.update(done)
        }
        try file.finish()
        progress.finish(done)
    }

    private static func write(
        _ settings: TrialSettings, _ events: Int, toTopic topic: String, _ configuration: Configuration, _ pace: Pace,
        _ progress: ProgressLine
    ) throws {
        let admin = try Admin(properties: configuration.kafkaProperties(client: "consumer"))
        guard try admin.describe(topic) != nil else {
            throw ImpactError(
                .failed, code: "missing_topic", "topic \(topic) does not exist: 'impactiq topics create' makes it")
        }
        admin.close()
        let producer = try OutputProducer(
            properties: configuration.kafkaProperties(client: "producer"), options: ProducerOptions())
        let writer = try TrialTopicWriter(producer: producer, topic: topic, settings: settings)
        var done = 0
        while done < events, !StopSignal.isRaised {
            let count = pace.allowed(done, of: events)
            do { try writer.write(count) } catch {
                throw error.impactError(doing: "writing to \(topic)")
            }
            done += count
            progress.update(done)
        }
        do { try producer.flush() } catch { throw error.impactError(doing: "writing to \(topic)") }
        progress.finish(done)
    }
}

/// How many messages may be written now: a rate, or as many as a chunk holds.
struct Pace {
    private let perSecond: Double?
    private let start = ContinuousClock.now
    private static let chunk = 4_096

    init(perSecond: Double?) { self.perSecond = perSecond }

    /// Waits until at least one more is due, and says how many are.
    func allowed(_ done: Int, of total: Int) -> Int {
        guard let perSecond, perSecond > 0 else { return min(Self.chunk, total - done) }
        while true {
            let due = Int(saturating: (ContinuousClock.now - start) / .seconds(1) * perSecond)
            if due > done { return min(due - done, Self.chunk, total - done) }
            if StopSignal.wait(milliseconds: 5) { return 0 }
        }
    }
}
