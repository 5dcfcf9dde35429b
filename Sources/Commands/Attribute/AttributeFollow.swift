import Attribution
import AttributionStore
import Base
import Foundation
import Kafka
import Terminal

/// `impactiq attribute follow`: attribution that goes on as events come.
enum AttributeFollow: Command {
    static let specification = CommandSpecification(
        "follow", "Attribute events of the topic as they come, until SIGTERM",
        discussion: """
            Reads the event topic and keeps sessions, credit and the channel report in an SQLite file, a user with new \
            events at a time. What was read and what it led to change in one transaction: each event counts once, whatever \
            is killed. Models that learn from all journeys (markov, shapley, data-driven) attribute all each time. The \
            dashboard shows the report with attribution.store set to the same file.
            """,
        options: ConfigurationOptions.options + [
            .value("out", "sqlite:PATH", "The file; made when it is not there", required: true),
            .value("model", "MODEL", "How credit is divided", default: "ihc"),
            .value("every", "DURATION", "How long to wait for more events before they are attributed", default: "5s"),
            .value("for", "DURATION", "Stop by itself after this time, as 30s or 5m"),
        ] + AttributeOptions.journeys + AttributeOptions.models,
        examples: [
            .init("impactiq attribute follow --config impactiq.properties --out sqlite:attribution.db", "until SIGTERM")
        ])

    static func run(_ command: ParsedCommand) throws {
        let configuration = try ConfigurationOptions.load(command)
        let kind = try ModelKind(named: command.text("model") ?? "ihc")
        guard kind != .causal else { throw command.invalid("model", "causal needs scores: use 'attribute run'") }
        guard let place = command.text("out"), place.hasPrefix("sqlite:") else {
            throw command.invalid("out", "must be sqlite:PATH")
        }
        let deadline = try command.milliseconds("for").map { ContinuousClock.now + .milliseconds($0) }
        let every = try command.milliseconds("every") ?? 5_000
        let follower = try AttributionFollower(configuration, try events(command, place, kind))
        follower.sessionTimeout = try command.milliseconds("session-timeout") ?? follower.sessionTimeout
        defer { follower.close() }
        while !StopSignal.isRaised {
            let start = ContinuousClock.now
            let hasMore = try attempt(follower)
            if let deadline, ContinuousClock.now >= deadline { break }
            if hasMore { continue }
            // A report over much takes its time: it gets a fifth of it at most.
            let pause = max(every, Int64((ContinuousClock.now - start) / .milliseconds(1)) * 4)
            let left = deadline.map { Int64(($0 - .now) / .milliseconds(1)) } ?? pause
            StopSignal.wait(milliseconds: Int(max(0, min(pause, left))))
        }
        Log.info("attribution", "stopped: \(follower.said)")
    }

    /// A broker that is away is waited for, as everywhere.
    private static func attempt(_ follower: AttributionFollower) throws -> Bool {
        do { return try follower.step() } catch let error as ImpactError {
            guard Admin.isOfBrokers(error) else { throw error }
            Log.warning("attribution", "\(error.message); trying again")
            return false
        }
    }

    private static func events(
        _ command: ParsedCommand, _ place: String, _ kind: ModelKind
    ) throws(ImpactError) -> FollowedEvents {
        let database = try SQLiteDatabase(
            path: String(place.dropFirst(7)), creates: true,
            lockWait: try command.milliseconds("lock-wait") ?? 5_000)
        let reading = try AttributeOptions.reading(command)
        var options = AttributionRun.Options()
        options.kind = kind
        options.models = try AttributeOptions.modelOptions(command)
        options.touchedOnly = true
        let text =
            AttributeOptions.settingsText(command, kind.rawValue) + AttributeOptions.settingsText(options.models)
        return try FollowedEvents(database, clock: reading.clock) {
            AttributionRun(source: database, sink: database, reading: reading, options: options, settingsText: text)
        }
    }
}
