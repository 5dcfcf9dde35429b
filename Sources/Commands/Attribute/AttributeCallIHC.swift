import Attribution
import AttributionStore
import Base
import Foundation
import Terminal

/// `impactiq attribute call-ihc`: credit from an IHC API.
enum AttributeCallIHC: Command {
    static let specification = CommandSpecification(
        "call-ihc", "Ask an IHC API for the credit of each journey and write it as 'run' does",
        discussion: """
            Sends journeys that have no answer yet, at most 100 journeys and 3,000 sessions a call, and stores each answer \
            before the next call: after a stop or a kill the same command goes on, and what was answered is not sent again. \
            Calls that are throttled, time out or fail are tried again, waiting twice as long each time; answers that are \
            partial or wrong are asked once more. A journey of more than 3,000 sessions is not sent: it is counted, and no channel gets it. Then the credit and the channel report are written in one transaction. The \
            key comes from a file or from IMPACTIQ_IHC_API_KEY, never from the command line.
            """,
        options: AttributeOptions.source + [
            .value("url", "URL", "The whole URL of compute_ihc, with its query", required: true),
            .value("key-file", "FILE", "A file that holds the key; default: the variable IMPACTIQ_IHC_API_KEY"),
            .value("timeout", "DURATION", "How long one call may take", default: "60s"),
            .value("attempts", "N", "Tries of one call", default: "8"),
            .value("back-off", "DURATION", "Wait before the second try; doubled each time", default: "500ms"),
            .value(
                "patience", "DURATION", "How long the API may ask to wait (Retry-After) before the command ends",
                default: "10m"),
            .flag("json", "Print one JSON object"),
        ],
        examples: [
            .init(
                "impactiq attribute call-ihc --source sqlite:challenge.db --key-file key.txt "
                    + "--url 'https://api.example.com/v1/compute_ihc?conv_type_id=web'", "each night")
        ])

    static func run(_ command: ParsedCommand) throws { try StopSignal.leavingAtOnce { try call(command) } }

    private static func call(_ command: ParsedCommand) throws {
        try IdleOptions.refuse(command, nil)
        let input = try AttributeInput.open(command)
        guard input.isDatabase else {
            throw command.invalid("source", "answers are stored in a database: sqlite:PATH or postgresql://…")
        }
        var settings = IHCClient.Settings(url: command.text("url") ?? "", key: try key(command))
        settings.timeout = Int(try command.milliseconds("timeout") ?? 60_000)
        settings.attempts = try command.count("attempts") ?? 8
        settings.backOff = Double(try command.milliseconds("back-off") ?? 500)
        settings.patience = Double(try command.milliseconds("patience") ?? 600_000)
        guard settings.attempts > 0 else { throw command.invalid("attempts", "must be at least 1") }
        guard settings.timeout > 0 else { throw command.invalid("timeout", "must be more than 0") }
        try settings.check()
        let lock = try CallerLock(input.database)
        defer { withExtendedLifetime(lock) {} }
        let reading = try AttributeOptions.reading(command)
        let reader = JourneyReader(input.database, reading, channels: ChannelTable())
        var journeys: [Journey] = []
        try input.database.transaction(writing: false) { () throws(ImpactError) in
            try reader.forEachJourney { (journey) throws(ImpactError) in
                if journey.conversion != nil { journeys.append(journey) }
            }
        }
        let answers = try IHCAnswers(input.database)
        let client = try IHCClient(settings, channels: reader.channels)
        client.onWait = { milliseconds, why in
            guard milliseconds >= 5_000 else { return }
            Log.info("attribution", "\(why): waiting \(Int(milliseconds / 1_000)) s, then asking again")
        }
        let progress = ProgressLine("call-ihc", total: journeys.count, unit: "journeys")
        let outcome = try IHCCollection.collect(journeys, reader.channels, client, answers) { progress.update($0) }
        var options = AttributionRun.Options()
        options.usesAnswers = true
        options.asked = try AskedOptions(command).json
        let text = try AttributeOptions.settingsText(command, "ihc-api")
        let run = try AttributionRun(
            source: input.database, sink: input.database, reading: try AttributeOptions.reading(command),
            options: options, settingsText: text
        ).run()
        if command.flag("json") {
            let json = JSONOutput.object([
                ("calls", .integer(client.calls)), ("retries", .integer(client.retries)),
                ("answered_now", .integer(outcome.answeredNow)), ("answered_before", .integer(outcome.answeredBefore)),
                ("unanswered", .integer(run.unanswered)), ("too_long", .integer(run.tooLong.rows)),
                ("run", AttributeText.json(run, "ihc-api")),
            ])
            Terminal.Stream.output.write(json.line + "\n")
        } else {
            Terminal.Stream.output.write(
                AttributeText.text(run, "ihc-api")
                    + "\(client.calls) calls (\(client.retries) of them again): \(outcome.answeredNow) journeys answered now, "
                    + "\(outcome.answeredBefore) before\n")
        }
        guard run.unanswered == 0 else {
            throw ImpactError(
                .failed, code: "ihc_unanswered",
                "\(run.unanswered) journeys of \(input.database.place) have no usable answer"
                    + (outcome.why.map { " (\($0))" } ?? "") + "; the others are attributed. Run the same command again"
            )
        }
    }

    private static func key(_ command: ParsedCommand) throws(ImpactError) -> String {
        if let path = command.text("key-file") {
            return String(decoding: try SmallFile.read(path, limit: 1 << 16), as: UTF8.self).trimmingCharacters(
                in: .whitespacesAndNewlines)
        }
        guard let key = ProcessInfo.processInfo.environment["IMPACTIQ_IHC_API_KEY"], !key.isEmpty else {
            throw ImpactError(
                .badConfiguration, code: "missing_key",
                "there is no API key: give --key-file or set IMPACTIQ_IHC_API_KEY")
        }
        return key
    }
}
