import Backtest
import Base
import Engine
import Events
import Foundation
import Kafka
import Pipeline
import Scoring
import Settings
import Sinks
import Tabular
import Terminal

/// `impactiq replay`: a bounded range of the input, scored again.
enum ReplayCommand: Command {
    static let specification = CommandSpecification(
        "replay", "Score a bounded range again; compare with what was published, or with another model",
        discussion: """
            Reads a range of the input topic, or event files, through the pipeline's own processor with a state of its own: \
            no consumer group is joined, nothing is committed. For the range and model of a live pipeline whose state \
            began where the replay's does, the scores are the same bytes. All cores work, each on a partition at a time. \
            A replay that was killed goes on from its checkpoints when the same command is run again, and ends with the \
            same bytes.

            --out takes FILE (JSON lines; .csv for CSV), sqlite:FILE or postgresql://… (the log store's table), topic:NAME, or - for standard \
            output: the partitions' scores one after another, by number. --against TOPIC compares, event by event, with \
            the scores published there (committed ones; as many partitions as the input): identical: N scores, or the \
            first difference with both sides and exit status 1. When the published scores are another model's, it \
            reports instead which decisions change and how far effects shift.

            With --input, line N of file P stands for offset N of partition P (counted from 0); lines have no key and no \
            timestamp of their own, and all events of a user must be in one file; with --join-users the files are read one \
            after another as one stream. --join-users reads a topic's partitions as one stream, on one thread and without \
            checkpoints: after 'topics grow' the scores are those that the application published, whose state has moved.
            """,
        options: ConfigurationOptions.options + [
            .value("model", "FILE", "The model file; the same as --set model.path=FILE")
        ] + BacktestSource.options + BacktestSource.userOptions + [
            .value(
                "out", "PLACE",
                "FILE.jsonl, FILE.csv, sqlite:FILE, postgresql://…, topic:NAME or -; not needed with --against"),
            .value("against", "TOPIC", "Compare with the scores in this topic"),
            .value("changes", "FILE", "With --against: list the pairs whose decisions differ, as JSON lines"),
            .value("workers", "N", "Threads; 0 is one per processor; never changes a byte", default: "0"),
            .value("checkpoint-every", "DURATION", "Time between two checkpoints", default: "30s"),
            .flag("spreadsheet", "CSV: mark texts that a spreadsheet would run as a formula with a quote before them"),
            .flag("json", "Print the summary as one JSON object"),
        ],
        examples: [
            .init(
                "impactiq replay --config impactiq.properties --out scores.jsonl --against uplift-scores",
                "everything, and proof that it equals what was published"),
            .init(
                "impactiq replay --from 2026-11-01T00:00:00Z --to 2026-11-08T00:00:00Z --warmup 30d --out week.csv",
                "one week, with features from the month before"),
            .init(
                "impactiq replay --model new.model --against uplift-scores --changes changed.jsonl",
                "what another model would have decided"),
            .init("impactiq replay --input events.jsonl.zst --model spring.model --out scores.jsonl", "a file"),
        ])

    static func run(_ command: ParsedCommand) throws {
        var configuration = try ConfigurationOptions.load(command)
        if let model = command.text("model") { try configuration.set("model.path", model) }
        guard command.isGiven("out") || command.isGiven("against") else {
            throw command.invalid("out", "say where the scores go, or --against a topic")
        }
        if command.isGiven("changes"), !command.isGiven("against") {
            throw command.invalid("changes", "needs --against")
        }
        let model = try configuration.openModel()
        let job = try ReplayJob(command, configuration, model)
        defer { if job.isEphemeral { job.folder.remove() } }
        let progress = ProgressLine("replay", total: job.total, unit: "offsets")
        let result = try job.replay.run(
            isResumed: job.isResumed, progress: { progress.update($0) }, isStopped: { StopSignal.isRaised })
        progress.finish(result.messagesThisTime)
        let summary = ReplaySummary(result: result, model: model, description: job.description, remarks: job.remarks)
        // The scores may be on standard output.
        let stream: Terminal.Stream = command.text("out") == "-" ? .error : .output
        stream.write(command.flag("json") ? summary.json.line + "\n" : summary.text)
        try summary.check()
        // What the pipeline published from the same parts is the same.
        if result.comparison?.isIdentical != true {
            try BacktestSource.refuse(
                result.counters.stream, command,
                then:
                    "The scores were written, and are those of a pipeline whose users are split in this way; --join-users reads "
                    + "the partitions as one, --split-users says that this is wanted")
        }
    }
}

/// A replay as a command line asks for it, new or resumed.
struct ReplayJob {
    let replay: Replay
    let folder: ReplayFolder
    /// Whether nobody can find the folder again: it goes away however the replay ends.
    let isEphemeral: Bool
    let isResumed: Bool
    let total: Int?
    let description: String
    let remarks: [String]

    init(_ command: ParsedCommand, _ configuration: Configuration, _ model: Model) throws {
        let output = try ReplayOutput(command.text("out"))
        if case .file(let path, _) = output { try OutputFolder.check(path) }
        if let path = command.text("changes") { try OutputFolder.check(path) }
        let joins = try BacktestSource.joins(command)
        if joins, output.hasHeaders { throw command.invalid("join-users", "does not write to a topic: name a file") }
        folder = ReplayFolder(output.folder)
        isEphemeral = output.isEphemeral
        var settings = try configuration.processorSettings()
        let request = Self.request(command, configuration, model)
        let source: BacktestSource
        let spans: [PartitionSpan]
        if let plan = try folder.plan() {
            if let what = plan.difference(to: request) {
                throw ImpactError(
                    .usage, code: "other_replay",
                    "\(folder.path) belongs to a replay with another \(what) ('\(plan.request[what] ?? "")', now "
                        + "'\(request[what] ?? "")'): finish that one, or delete the folder")
            }
            isResumed = true
            // Looked at again: a range that is gone by now must not pass for one that was read.
            source = try BacktestSource(command, configuration, withHeaders: output.hasHeaders)
            spans = plan.partitions
            try Self.check(spans, source)
            Log.info("replay", "going on with the replay in \(folder.path)")
        } else {
            isResumed = false
            source = try BacktestSource(command, configuration, withHeaders: output.hasHeaders)
            spans = source.spans
            try folder.begin(ReplayPlan(request: request, spans: spans))
        }
        settings.limits.requiresKey = settings.limits.requiresKey && source.factory.hasKeys
        var options = Replay.Options(settings: settings)
        options.threads = try command.count("workers") ?? 0
        options.joins = joins
        options.checkpointInterval = .milliseconds(try command.milliseconds("checkpoint-every") ?? 30_000)
        options.changesPath = command.text("changes")
        var published: (@Sendable (String) throws -> any PublishedScores)?
        if let topic = command.text("against") {
            published = try PublishedTopic.open(topic, configuration, inputPartitions: source.partitions)
        }
        replay = Replay(
            model: model, options: options, spans: spans, sources: source.factory,
            target: try output.target(
                folder.path, configuration, partitions: source.partitions,
                field: command.flag("spreadsheet") ? .spreadsheet : .plain),
            published: published, folder: folder)
        total = source.total
        description = source.description
        remarks = source.remarks
    }

    /// What a second try must ask alike, in words.
    private static func request(
        _ command: ParsedCommand, _ configuration: Configuration, _ model: Model
    ) -> [String: String] {
        var request = ["model": model.sha256]
        for option in ["from", "to", "warmup", "out", "against", "changes"] {
            request["--\(option)"] = command.text(option) ?? ""
        }
        request["--join-users"] = command.flag("join-users") ? "yes" : ""
        request["--input"] = command.texts("input").joined(separator: " ")
        for key in [
            "bootstrap.servers", "input.topics", "input.key", "score.events", "decision.threshold", "confidence.level",
            "message.max.bytes", "event.time.max.ahead.ms", "event.time.max.behind.ms",
        ] { request[key] = configuration.entry(key)?.value ?? "" }
        return request
    }

    /// The range of an earlier try must still be there.
    private static func check(_ spans: [PartitionSpan], _ source: BacktestSource) throws(ImpactError) {
        for span in spans where Int(span.partition) >= source.partitions {
            throw ImpactError(
                .badInput, code: "partition_vanished",
                "partition \(span.partition) of \(source.factory.topic) is gone since the replay began")
        }
    }
}

/// The places that `--out` can name.
enum ReplayOutput {
    case none
    case file(String, FileTarget.Format)
    case store(LogStoreAddress, folder: String)
    case topic(String)

    init(_ text: String?) throws(ImpactError) {
        guard let text else {
            self = .none
            return
        }
        if LogStores.kinds.contains(where: { $0.prefixes.contains { text.hasPrefix($0) } }) {
            do throws(SettingProblem) {
                let address = try LogStoreAddress(parsing: text)
                // A server's database has no folder beside it: the replay grows here, under the database's name.
                let name = address.description.split(whereSeparator: { "/:".contains($0) }).joined(separator: "-")
                self = .store(address, folder: (address.path ?? name) + ".replay")
            } catch {
                throw ImpactError(.usage, code: "bad_value", "--out: \(error.words)")
            }
        } else if text.hasPrefix("topic:") {
            self = .topic(String(text.dropFirst("topic:".count)))
        } else {
            self = .file(text, text.hasSuffix(".csv") ? .csv : .jsonl)
        }
    }

    /// The folder in which the replay grows: beside the output. What has no place of its own begins anew each time.
    var folder: String {
        switch self {
        case _ where isEphemeral:
            FileManager.default.temporaryDirectory.appending(path: "impactiq-replay-\(UUID().uuidString)").path
        case .file(let path, _): path + ".replay"
        case .store(_, let folder): folder
        case .topic(let name): name + ".replay"
        case .none: ""
        }
    }

    /// Whether a score may have headers there.
    var hasHeaders: Bool {
        if case .topic = self { true } else { false }
    }

    var isEphemeral: Bool {
        switch self {
        case .file(let path, _): path == "-" || OutputFile.isWrittenDirectly(path)
        case .none: true
        default: false
        }
    }

    func target(
        _ folder: String, _ configuration: Configuration, partitions: Int, field: CSVField
    ) throws -> any ReplayTarget {
        switch self {
        case .none: NoTarget()
        case .file(let path, let format): FileTarget(path: path, format: format, folder: folder, field: field)
        case .store(let address, _): try StoreTarget(address)
        case .topic(let name):
            TopicTarget(
                topic: name, properties: configuration.kafkaProperties(client: "consumer"),
                producerProperties: configuration.kafkaProperties(client: "producer"), inputPartitions: partitions,
                forwarded: ForwardedHeaders(configuration.forwardedHeaders))
        }
    }
}

/// The published side of a comparison.
enum PublishedTopic {
    /// - Throws: `kafka_topic`; `topic_misfit` for a topic whose partitions are not those of the input.
    static func open(
        _ topic: String, _ configuration: Configuration, inputPartitions: Int
    ) throws -> @Sendable (String) throws -> any PublishedScores {
        let properties = configuration.kafkaProperties(client: "consumer")
        let admin = try Admin(properties: properties, readCommitted: true)
        defer { admin.close() }
        let ends = try admin.watermarks(ofTopic: topic)
        guard ends.count == inputPartitions else {
            throw ImpactError(
                .badConfiguration, code: "topic_misfit",
                "\(topic) has \(ends.count) partitions, the input has \(inputPartitions): scores can be matched with their "
                    + "events only when both have as many")
        }
        return { component in
            try TopicScores(topic: topic, ends: ends, properties: properties, component: component)
        }
    }
}
