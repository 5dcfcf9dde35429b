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
            One JSON object a line, plain, .gz or .zst; - is standard input. A record's key is the event's user_id, placed by \
            murmur2 as the Java clients do: --partitioner must be what the other producers of the topic use, or a user's \
            events come into several partitions. Its timestamp is the present, or with --event-time the event's time, so that \
            --from and --to of replay mean event time: only for a topic whose retention is longer than the events are old. \
            Invalid lines are passed over, counted, and the first one is shown. Nothing is written twice within a run, but a \
            run that is repeated writes all again: with --resume FILE it goes on where the last one was stopped.
            """,
        options: ConfigurationOptions.options + [
            .value("to", "topic:NAME", "The topic; default input.topics"),
            .flag("event-time", "Stamp records with the event's time instead of the present"),
            .value(
                "partitioner", "NAME", "murmur2 (Java), crc32 (librdkafka, Python, Go) or fnv1a", default: "murmur2"),
            .value("resume", "FILE", "Keep in FILE how far the load has come, and go on from there"),
        ],
        arguments: [.init("FILE", "Event files, in their order", repeated: true)],
        examples: [
            .init("impactiq load events.jsonl.gz --config impactiq.properties", "an export into the input topic"),
            .init("zcat part-*.gz | impactiq load - --config impactiq.properties", "from a pipe"),
            .init("impactiq load a.jsonl b.jsonl --resume load.progress", "go on after a stop"),
        ])

    static func run(_ command: ParsedCommand) throws {
        let configuration = try ConfigurationOptions.load(command)
        let topic = try topic(command, configuration)
        guard let partitioner = KeyPartition(rawValue: command.text("partitioner") ?? "") else {
            throw command.invalid("partitioner", "must be murmur2, crc32 or fnv1a")
        }
        let progressFile = command.text("resume")
        if progressFile != nil, command.arguments.contains("-") {
            throw command.invalid("resume", "standard input cannot be gone on with: name files")
        }
        let admin = try Admin(properties: configuration.kafkaProperties(client: "consumer"))
        guard try admin.describe(topic) != nil else {
            throw ImpactError(
                .failed, code: "missing_topic", "topic \(topic) does not exist: 'impactiq topics create' makes it")
        }
        admin.close()
        var properties = configuration.kafkaProperties(client: "producer")
        if command.isGiven("partitioner") { properties["partitioner"] = partitioner.property }
        var load = try Load(
            topic: topic, files: command.arguments, progressFile: progressFile, isEventTime: command.flag("event-time"),
            limits: try configuration.processorSettings().limits, properties: properties)
        try load.run()
    }

    private static func topic(_ command: ParsedCommand, _ configuration: Configuration) throws -> String {
        guard let target = command.text("to") else {
            guard let topic = configuration.inputTopics.first else { throw command.invalid("to", "name a topic") }
            return topic
        }
        guard target.hasPrefix("topic:"), target.count > 6 else { throw command.invalid("to", "must be topic:NAME") }
        return String(target.dropFirst("topic:".count))
    }
}

/// One run of `load`.
private struct Load {
    private let topic: String
    private let progressFile: String?
    private let isEventTime: Bool
    private let limits: EventLimits
    private let producer: OutputProducer
    private let output: OutputTopic
    private let progress = ProgressLine("load", unit: "events")
    private var place: LoadProgress
    private var saved = ContinuousClock.now
    private var written = 0
    private var rejected = 0

    init(
        topic: String, files: [String], progressFile: String?, isEventTime: Bool, limits: EventLimits,
        properties: KafkaProperties
    ) throws {
        self.topic = topic
        self.progressFile = progressFile
        self.isEventTime = isEventTime
        self.limits = limits
        try SameFile.refuse(files)
        let target = "\(topic) at \(properties["bootstrap.servers"] ?? "")"
        place = LoadProgress(files: files, target: target)
        if let progressFile, let found = try LoadProgress.read(progressFile, files: files, target: target) {
            place = found
            let at = found.file < files.count ? "\(files[found.file]) after line \(found.line)" : "the end"
            Log.info("load", "going on at \(at)")
            for (file, lines) in found.grown {
                Log.info("load", "\(files[file]) has grown: going on after line \(lines)")
            }
        }
        // From the beginning on, so that a load that is killed early is gone on with as any other.
        if let progressFile { try place.write(progressFile) }
        producer = try OutputProducer(properties: properties, options: ProducerOptions())
        output = try producer.topic(topic)
    }

    mutating func run() throws {
        defer { producer.close() }
        for (file, lines) in place.grown {
            let bytes = LoadProgress.bytes(place.files[file])
            let count = try read(place.files[file], after: lines, isInHand: false)
            if StopSignal.isRaised { break }
            try settle()
            place.finish(file: file, lines: count, bytes: bytes)
        }
        while place.file < place.files.count, !StopSignal.isRaised {
            let bytes = LoadProgress.bytes(place.files[place.file])
            do { _ = try read(place.files[place.file], after: place.line, isInHand: true) } catch {
                // What came before the damage is written, whatever becomes of the rest.
                try? settle()
                progress.finish(written)
                throw error
            }
            if StopSignal.isRaised { break }
            place.finishFile(bytes: bytes)
        }
        try settle()
        progress.finish(written)
        if StopSignal.isRaised {
            let at =
                "stopped after \(written) events, at line \(place.line) of \(place.files[min(place.file, place.files.count - 1)])"
            throw ImpactError(
                .failed, code: "stopped",
                progressFile == nil
                    ? "\(at); --resume FILE would go on from there" : "\(at); the same command goes on there")
        }
        if written == 0, rejected > 0 {
            throw ImpactError(.badInput, code: "no_events", "none of \(rejected) lines is a valid event")
        }
    }

    /// - Parameter isInHand: whether the progress tells of its lines as they are read.
    /// - Returns: the lines that are read then.
    private mutating func read(_ path: String, after lines: Int, isInHand: Bool) throws -> Int {
        let reader = try EventFileReader(
            path: path, limits: limits, present: Self.present, isStopped: { StopSignal.isRaised })
        try reader.skip(lines)
        let (producer, output, topic, isEventTime) = (producer, output, topic, isEventTime)
        while !StopSignal.isRaised,
            try reader.next({ user, event, time in
                do throws(KafkaError) {
                    try producer.produce(
                        output, key: user, value: event, timestamp: isEventTime ? time : Self.present)
                } catch { throw error.impactError(doing: "writing to \(topic)") }
            })
        {
            written += 1
            if isInHand { place.line = reader.number }
            if written % 4_096 == 0 {
                progress.update(written)
                if progressFile != nil, ContinuousClock.now - saved > .seconds(1) { try settle() }
            }
        }
        if !StopSignal.isRaised, isInHand { place.line = reader.number }
        rejected += reader.rejected.values.reduce(0, +)
        if let first = reader.firstRejection {
            let counts = reader.rejected.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
            Log.warning("load", "\(path): \(counts.joined(separator: ", ")) passed over; the first: \(first)")
        }
        return reader.number
    }

    /// Waits until what was written is acknowledged, and notes it.
    private mutating func settle() throws {
        do { try producer.flush() } catch { throw error.impactError(doing: "writing to \(topic)") }
        saved = .now
        if let progressFile { try place.write(progressFile) }
    }

    private static var present: Int64 { Int64(Date().timeIntervalSince1970 * 1_000) }
}
