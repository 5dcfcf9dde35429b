import Backtest
import Base
import Consumer
import Foundation
import Kafka
import Pipeline
import Settings
import Terminal

/// `--from`, `--to`, `--warmup`, `--input`: the range of records that `replay`, `rows` and `evaluate --topic` read.
struct BacktestSource {
    let factory: any RecordSourceFactory
    let spans: [PartitionSpan]
    /// Partitions of the input topic; the number of files.
    let partitions: Int
    /// What people should know about the range.
    let remarks: [String]

    static let options: [CommandSpecification.Option] = [
        .value(
            "from", "PLACE", "beginning, a time (RFC 3339, a date, or ms), or offsets as 0:1200,1:950",
            default: "beginning"),
        .value("to", "PLACE", "end (captured now), a time, or offsets; what is there is left out", default: "end"),
        .value(
            "warmup", "SPAN", "Fill the state from records this much older than --from, as 30d, or all; gives no output"
        ),
        .value(
            "input", "FILE",
            "Events from a file instead, one per line, plain, .gz or .zst; several are partitions 0, 1, …",
            repeated: true),
    ]

    /// For those to whom each user's history matters as a whole.
    static let userOptions: [CommandSpecification.Option] = [
        .flag("split-users", "Go on though users have events in several partitions, whose parts count apart"),
        .flag(
            "join-users",
            "Read all partitions as one, by the times of their records: users whose events lie in several have one history"
        ),
    ]

    /// - Parameter withHeaders: whether records come with those headers that go from an event to its score.
    /// - Throws: `range_…`, `kafka_topic`, `file_not_readable`.
    init(_ command: ParsedCommand, _ configuration: Configuration, withHeaders: Bool = false) throws {
        let from = try Self.point("from", command), to = try Self.point("to", command)
        let warmUp = try Self.warmUp(command)
        guard configuration.inputTopics.count == 1, let topic = configuration.inputTopics.first else {
            throw ImpactError(.badConfiguration, code: "several_inputs", "input.topics must name one topic")
        }
        let files = command.texts("input")
        guard files.isEmpty else {
            let factory = try FileSourceFactory(
                paths: files, topic: topic, present: Int64(Date().timeIntervalSince1970 * 1_000))
            self.factory = factory
            spans = try factory.spans(from: from, to: to, warmUp: warmUp)
            partitions = files.count
            remarks = []
            return
        }
        let properties = configuration.kafkaProperties(client: "consumer")
        factory = TopicSourceFactory(
            topic: topic, properties: properties, withHeaders: withHeaders && !configuration.forwardedHeaders.isEmpty)
        let admin = try Admin(properties: properties, readCommitted: true)
        defer { admin.close() }
        let range = try TopicRange(topic: topic, admin: admin)
        let times = try RecordTimes(topic: topic, properties: properties)
        defer { times.close() }
        spans = try range.spans(from: from, to: to, warmUp: warmUp) { place, offset throws(ImpactError) in
            let end = try admin.watermarks(of: place).high
            return try times.time(of: place, offset: offset, end: end)
        }
        partitions = range.partitions
        var remarks: [String] = []
        if from == .beginning || warmUp == .all, !range.truncated.isEmpty {
            let list = range.truncated.map(String.init).joined(separator: ", ")
            remarks.append(
                "retention has removed the first records of partitions \(list): the state begins empty where they end, "
                    + "and scores may differ from those of a pipeline that has seen them")
        }
        self.remarks = remarks
    }

    /// - Throws: `users_split` when users have events in several partitions and nobody has said that this is well.
    static func refuse(_ stream: StreamCounts, _ command: ParsedCommand, then: String) throws(ImpactError) {
        guard !command.flag("split-users"), let finding = stream.users?.finding else { return }
        throw ImpactError(.badInput, code: "users_split", "\(finding): \(splitCause). \(then)")
    }

    static func joins(_ command: ParsedCommand) throws(ImpactError) -> Bool {
        guard command.flag("join-users") else { return false }
        if command.flag("split-users") { throw command.invalid("join-users", "says the opposite of --split-users") }
        return true
    }

    static let splitCause =
        "each partition counts its part alone, so that their features are too small (files of --input are partitions; a topic "
        + "may have got more partitions by 'topics grow', or producers that place keys differently)"

    private static func point(_ option: String, _ command: ParsedCommand) throws(ImpactError) -> ReplayPoint {
        do { return try ReplayPoint(command.text(option) ?? "") } catch { throw command.invalid(option, error.message) }
    }

    private static func warmUp(_ command: ParsedCommand) throws(ImpactError) -> WarmUp {
        switch command.text("warmup") {
        case nil: return .none
        case "all": return .all
        default: return .milliseconds(try command.milliseconds("warmup") ?? 0)
        }
    }

    /// Offsets in the range, warm-up and all; nil when files do not say.
    var total: Int? {
        spans.contains { $0.end == .max } ? nil : spans.reduce(0) { $0 + $1.length }
    }

    /// The range in words: `events 0:0–1200, 1:0–950`.
    var description: String {
        factory.topic + " "
            + spans.map { "\($0.partition):\($0.from)–\($0.end == .max ? "end" : String($0.end))" }
            .joined(separator: ", ")
    }
}
