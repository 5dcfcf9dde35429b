import Base
import Events
import Foundation
import JSON
import Kafka
import Pipeline
import Sinks
import Terminal

/// `impactiq dead-letter`: looks at rejected events, and sends them back after a fix.
enum DeadLetterCommand: CommandGroup {
    static let subcommands: [any Command.Type] = [DeadLetterListCommand.self, DeadLetterReplayCommand.self]
    static let specification = CommandSpecification(
        "dead-letter", "Look at rejected events; send them back after a fix",
        sharedOptions: ConfigurationOptions.options, subcommands: subcommands.specifications)

    static let selection: [CommandSpecification.Option] = [
        .value("code", "CODE", "Only rejections of this kind, as missing_field", repeated: true),
        .value("from", "TIME", "Only records of this time or later, as 2026-11-28 or 2026-11-28T10:00:00Z"),
        .value("to", "TIME", "Only records before this time"),
        .value("topic", "NAME", "Only records of this input topic"),
        .value("partition", "N", "Only records of this partition of the input"),
    ]
}

/// `impactiq dead-letter list`.
enum DeadLetterListCommand: Command {
    static let specification = CommandSpecification(
        "list", "Show rejected events: time, place, reason, preview",
        discussion: """
            The newest are shown, and how many there are of each code. The time is that of the rejected record, the \
            place is where it stood in the input. Letters that 'dead-letter replay' has sent back are marked.
            """,
        options: DeadLetterCommand.selection + [
            .value("limit", "N", "Show at most so many", default: "50"),
            .flag("json", "Print one JSON object per line, all of them unless --limit is given"),
        ],
        examples: [
            .init(
                "impactiq dead-letter list --config impactiq.properties", "the newest 50, and counts by code"),
            .init("impactiq dead-letter list --code missing_field --json", "for a machine"),
        ])

    static func run(_ command: ParsedCommand) throws {
        let configuration = try ConfigurationOptions.load(command)
        try DeadLetterListing(command, configuration, DeadLetterSelection(command)).run()
    }
}

/// `impactiq dead-letter replay`.
enum DeadLetterReplayCommand: Command {
    static let specification = CommandSpecification(
        "replay", "Send rejected events back to where they came from, each exactly once",
        discussion: """
            After the cause is mended: key, value, headers and timestamp go back, byte for byte, to the topic and \
            partition they came from, and the pipeline handles them again. Which letters were sent is committed together \
            with the records, so a replay that was killed goes on without doubling or losing one; codes and ranges \
            may be replayed in any order, and a letter that was sent back is not sent again. --skip passes over \
            for good what stands before the letters that are sent. \
            Shows what it would do and asks first; without a terminal it only shows, unless --yes is given.
            """,
        options: DeadLetterCommand.selection + [
            .flag("yes", "Do it without asking"),
            .flag("skip", "Pass over for good what the range leaves out"),
            .flag("again", "Also those that were sent back already: some events may come twice"),
            .flag("json", "Print the summary as one JSON object"),
        ],
        examples: [
            .init("impactiq dead-letter replay --code key_mismatch", "shows what would be sent, then asks"),
            .init("impactiq dead-letter replay --yes --config impactiq.properties", "all that are left"),
        ])

    static func run(_ command: ParsedCommand) throws {
        let configuration = try ConfigurationOptions.load(command)
        try DeadLetterReplay(command, configuration, DeadLetterSelection(command)).run()
    }
}

/// Which dead letters are meant.
struct DeadLetterSelection {
    var codes: Set<String>
    var from: Int64?
    var to: Int64?
    var topic: String?
    var partition: Int?

    init(_ command: ParsedCommand) throws {
        codes = Set(command.texts("code"))
        let known = InputErrorCode.allCases.map(\.name)
        for code in codes.sorted() where !known.contains(code) {
            let hint = NearestName.find(code, among: known).map { "; did you mean '\($0)'?" } ?? ""
            throw command.invalid("code", "no such code\(hint)")
        }
        from = try Self.time(command, "from")
        to = try Self.time(command, "to")
        topic = command.text("topic")
        partition = try command.count("partition")
    }

    func holds(_ letter: DeadLetter) -> Bool {
        let reason = letter.reason
        return (codes.isEmpty || codes.contains(reason.code)) && letter.record.timestamp >= from ?? .min
            && letter.record.timestamp < to ?? .max && reason.topic == topic ?? reason.topic
            && Int(reason.partition) == partition ?? Int(reason.partition)
    }

    /// A time of the command line, in milliseconds since 1970.
    static func time(_ command: ParsedCommand, _ option: String) throws -> Int64? {
        guard let text = command.text(option) else { return nil }
        if let milliseconds = Int64(text) { return milliseconds }
        if let time = WrittenTime.milliseconds(text) { return time }
        throw command.invalid(option, "write it as \(WrittenTime.forms)")
    }

    static func text(ofTime milliseconds: Int64) -> String {
        Date(timeIntervalSince1970: Double(milliseconds) / 1_000)
            .formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }
}
