import Attribution
import AttributionStore
import Base
import Foundation
import Terminal

/// `impactiq attribute follow`: attribution that goes on as events come.
enum AttributeFollow: Command {
    static let specification = CommandSpecification(
        "follow", "Attribute events of the topic as they come, until SIGTERM",
        discussion: """
            Reads the event topic and keeps sessions, credit and the channel report in a database, a user with new \
            events at a time. What was read and what it led to change in one transaction: each event counts once, whatever \
            is killed. Models that learn from all journeys (markov, shapley, data-driven) attribute all each time. With \
            --scores it reads the pipeline's scores too, and states the incremental conversions of each channel beside its \
            credit. user.delete and a refusal to store take all that is known of the user; sums of channels and days stay. \
            The dashboard shows the report with attribution.store set to the same place.
            """,
        options: ConfigurationOptions.options + [
            .value(
                "out", "PLACE", "sqlite:PATH, made when it is not there, or postgresql://…; of its own",
                required: true),
            .flag("scores", "Also read the scores of output.topic: incremental conversions by channel"),
            .value("model", "MODEL", "How credit is divided", default: "ihc"),
            .value("every", "DURATION", "How long to wait for more events before they are attributed", default: "5s"),
            .value(
                "patience", "DURATION", "How long a broker or a database may be away or locked before it gives up",
                default: "10m"),
            .value("for", "DURATION", "Stop by itself after this time, as 30s or 5m"),
        ] + AttributeOptions.journeys + AttributeOptions.models,
        examples: [
            .init(
                "impactiq attribute follow --config impactiq.properties --out sqlite:attribution.db", "until SIGTERM"),
            .init(
                "impactiq attribute follow --config impactiq.properties --out postgresql://impactiq@db/attribution --scores",
                "with incremental conversions, into PostgreSQL"),
        ])

    static func run(_ command: ParsedCommand) throws {
        let configuration = try ConfigurationOptions.load(command)
        let kind = try ModelKind(named: command.text("model") ?? "ihc")
        let withScores = command.flag("scores")
        guard kind != .causal || withScores else { throw command.invalid("model", "causal needs --scores") }
        guard let place = command.text("out"), AttributeInput.isDatabase(place) else {
            throw command.invalid("out", "must be sqlite:PATH or postgresql://…")
        }
        let deadline = try command.milliseconds("for").map { ContinuousClock.now + .milliseconds($0) }
        let every = try command.milliseconds("every") ?? 5_000
        var trouble = FollowTrouble(patience: try command.milliseconds("patience") ?? 600_000)
        let events = try maker(command, place, kind, withScores)
        let follower = try AttributionFollower(configuration, withScores: withScores, open: events)
        defer { follower.close() }
        while !StopSignal.isRaised {
            let start = ContinuousClock.now
            var pause: Int64
            do {
                let hasMore = try follower.step()
                trouble.passed()
                // A step over much takes its time: it gets a fifth of it at most.
                pause = hasMore ? 0 : max(every, Int64((ContinuousClock.now - start) / .milliseconds(1)) * 4)
            } catch let error as ImpactError {
                follower.forgetDatabase()
                pause = Int64(try trouble.failed(error, since: start))
            }
            if let deadline {
                if ContinuousClock.now >= deadline { break }
                pause = min(pause, Int64((deadline - .now) / .milliseconds(1)))
            }
            if pause > 0 { StopSignal.wait(milliseconds: Int(pause)) }
        }
        Log.info("attribution", "stopped: \(follower.said)")
    }

    /// What opens the database; it must be there when it was before.
    private static func maker(
        _ command: ParsedCommand, _ place: String, _ kind: ModelKind, _ withScores: Bool
    ) throws(ImpactError) -> (Bool) throws(ImpactError) -> FollowedEvents {
        let reading = try AttributeOptions.reading(command)
        let wait = try command.milliseconds("lock-wait") ?? 5_000
        let timeout = try command.milliseconds("session-timeout") ?? 1_800_000
        var options = AttributionRun.Options()
        options.kind = kind
        options.models = try AttributeOptions.modelOptions(command)
        let chosen = options
        let text =
            try AttributeOptions.settingsText(command, kind.rawValue) + AttributeOptions.settingsText(options.models)
            + " session-timeout \(timeout)"
        return { isAgain throws(ImpactError) in
            let database = try SQLPlace.open(place, creates: !isAgain, lockWait: wait)
            return try FollowedEvents(
                database, reading: reading, options: chosen, timeout: timeout, settingsText: text)
        }
    }
}
