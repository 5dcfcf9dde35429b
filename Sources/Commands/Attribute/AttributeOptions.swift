import Attribution
import AttributionStore
import Backtest
import Base
import Foundation
import JSON
import Terminal

/// The options of `attribute`, read into the libraries' own.
enum AttributeOptions {
    static let source: [CommandSpecification.Option] =
        ConfigurationOptions.options + BacktestSource.options + [
            .value(
                "source", "PLACE",
                "Where sessions and conversions are: sqlite:PATH, postgresql://…, CSV files or a folder of them, "
                    + "paths:FILE.csv, or topic", repeated: true, required: true),
            .value(
                "scores", "PLACE",
                "Uplift scores, for the causal model: a log store or a CSV (user_id, time, uplift, std_error)"),
        ] + journeys

    /// What makes journeys of sessions and conversions.
    static let journeys: [CommandSpecification.Option] = [
        .value("lookback", "DURATION", "Sessions older than this before a conversion do not count", default: "90d"),
        .flag("cut", "A conversion ends a journey: the user's next one begins after it"),
        .value("time-zone", "ZONE", "The zone of times that name none, and of the report's days", default: "UTC"),
        .value("channel-rules", "FILE.json", "Rules that name channels from campaign, source and medium"),
        .value("channels", "NAMES", "The only channels, separated by commas; others count as (unknown)"),
        .value("currency", "CODE", "The report's currency"),
        .value("rate", "CODE=WORTH", "What one unit of another currency is worth", repeated: true),
        .value("session-timeout", "DURATION", "Of events: silence that ends a session", default: "30m"),
        .value(
            "lock-wait", "DURATION", "How long to wait for a table that another process has locked", default: "5s"),
    ]

    static let models: [CommandSpecification.Option] = [
        .value(
            "direct", "CHANNEL", "A channel that counts as direct; default Direct, Direct Traffic, (direct)",
            repeated: true),
        .value("half-life", "DURATION", "Half-life of decay and data-driven", default: "7d"),
        .value("order", "N", "Order of the Markov graph, 1 to 4", default: "1"),
        .value(
            "worth", "WORTH", "What Shapley divides: conversions, or the rate (needs journeys without a conversion)",
            default: "conversions"),
        .value("permutations", "N", "Sampled orders of Shapley by rate above 15 channels", default: "2000"),
        .value("seed", "S", "Seed of the sampling", default: "1"),
        .value("ihc", "IHC.json", "Curves of the IHC model, from 'attribute fit-ihc'; default: the built-in ones"),
        .flag("redistribute-direct", "IHC: credit of direct sessions goes to the journey's others"),
    ]

    static func reading(_ command: ParsedCommand) throws(ImpactError) -> ReadingSettings {
        var settings = ReadingSettings(clock: try LocalClock(named: command.text("time-zone") ?? "UTC"))
        settings.journeys.lookback = try command.milliseconds("lookback") ?? settings.journeys.lookback
        settings.journeys.cutsAtConversion = command.flag("cut")
        settings.currencies = try Currencies(report: command.text("currency"), rates: command.texts("rate"))
        if let path = command.text("channel-rules") {
            settings.rules = try ChannelRules(json: try json(path), name: path)
        }
        if let names = command.text("channels") {
            settings.knownChannels = Set(
                names.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty })
        }
        return settings
    }

    static func modelOptions(_ command: ParsedCommand) throws(ImpactError) -> ModelOptions {
        var options = ModelOptions()
        options.halfLife = Double(try command.milliseconds("half-life") ?? 7 * 86_400_000)
        options.markovOrder = try command.count("order") ?? 1
        guard MarkovFitter.orders.contains(options.markovOrder) else {
            throw command.invalid("order", "must be 1 to 4")
        }
        guard options.halfLife > 0 else { throw command.invalid("half-life", "must be more than 0") }
        guard let worth = ShapleyWorth(rawValue: command.text("worth") ?? "conversions") else {
            throw command.invalid("worth", "must be conversions or rate")
        }
        options.shapleyWorth = worth
        options.permutations = max(2, try command.count("permutations") ?? 2_000)
        options.seed = try command.seed("seed") ?? 1
        if command.isGiven("direct") { options.direct = command.texts("direct") }
        options.redistributesDirect = command.flag("redistribute-direct")
        if let path = command.text("ihc") { options.ihc = try IHCParameters(json: try json(path), name: path) }
        return options
    }

    /// Everything that decides the credit, as text: a run with other settings is a full one.
    static func settingsText(_ command: ParsedCommand, _ model: String) throws(ImpactError) -> String {
        var text = "model \(model)\n"
        for option in ["lookback", "time-zone", "channels", "currency"] {
            text += "\(option) \(command.text(option) ?? "")\n"
        }
        // What the file says, not where it is.
        if let path = command.text("channel-rules") { text += "channel-rules \(try json(path))\n" }
        return text + "cut \(command.flag("cut")) rates \(command.texts("rate"))\n"
    }

    static func settingsText(_ options: ModelOptions) -> String {
        "half-life \(options.halfLife) order \(options.markovOrder) worth \(options.shapleyWorth) direct \(options.direct) "
            + "redistribute \(options.redistributesDirect) \(options.ihc)"
    }

    static func json(_ path: String) throws(ImpactError) -> JSONValue {
        try JSONValue(
            parsing: try bytes(path), name: path.first == "{" || path.first == "[" ? "of the run" : path,
            maxBytes: 256 << 20)
    }

    /// What a file says; a text that is JSON itself is that of a run (``AskedOptions``).
    static func bytes(_ path: String) throws(ImpactError) -> [UInt8] {
        path.first == "{" || path.first == "[" ? Array(path.utf8) : try SmallFile.read(path, limit: 256 << 20)
    }
}

/// The source that a command line names, opened.
struct AttributeInput {
    let database: any SQLDatabase
    let scores: (any SQLDatabase)?
    /// Whether results can be written where the sessions are.
    let isDatabase: Bool
    /// What was odd on the way into a temporary database.
    var notes: [String] = []

    static func open(_ command: ParsedCommand) throws -> AttributeInput {
        let places = command.texts("source")
        let wait = try command.milliseconds("lock-wait") ?? 5_000
        let scores = try command.text("scores").map { try self.scores($0, command) }
        if places.count == 1, isDatabase(places[0]) {
            let database = try SQLPlace.open(places[0], creates: false, lockWait: wait)
            if let made = try unpacked(database, command) {
                return AttributeInput(database: made, scores: scores, isDatabase: false)
            }
            return AttributeInput(database: database, scores: scores, isDatabase: true)
        }
        if places == ["topic"] { return try topic(command, scores) }
        for place in places where !isDatabase(place) { try checkPath(place) }
        if let odd = places.first(where: { isDatabase($0) || $0 == "topic" || $0.hasPrefix("paths:") }) {
            throw command.invalid("source", "'\(odd)' stands alone: give one database, or CSV files")
        }
        let progress = ProgressLine("load", unit: "rows")
        let database = try CSVSource.load(places, progress: { progress.update($0) })
        let ownScores = try database.columns(of: "scores").isEmpty ? nil : database
        return AttributeInput(database: database, scores: scores ?? ownScores, isDatabase: false)
    }

    /// The tables that the logs of 'attribute follow' stand for; nil where a database has none.
    static func unpacked(_ database: any SQLDatabase, _ command: ParsedCommand) throws -> (any SQLDatabase)? {
        guard try RawEvents.areKept(in: database) else { return nil }
        return try database.transaction(writing: false) { () throws(ImpactError) in
            try RawEvents.unpacked(
                database, clock: try LocalClock(named: command.text("time-zone") ?? "UTC"),
                timeout: try command.milliseconds("session-timeout") ?? 1_800_000)
        }
    }

    /// A range of the event topic (or of files of events with --input), brought into sessions and conversions.
    private static func topic(_ command: ParsedCommand, _ scores: (any SQLDatabase)?) throws -> AttributeInput {
        let source = try BacktestSource(command, try ConfigurationOptions.load(command))
        let events = try RawEvents(clock: try LocalClock(named: command.text("time-zone") ?? "UTC"))
        let records = try source.factory.make(component: "attribute")
        let progress = ProgressLine("read", total: source.total, unit: "events")
        for span in source.spans {
            try records.begin(span)
            while try records.read(
                max: 1_000,
                { record in
                    guard let value = record.value else { return }
                    try events.add(value, place: "\(source.factory.topic)/\(span.partition)/\(record.offset)")
                })
            {
                progress.update(events.counts.events)
            }
        }
        records.close()
        progress.finish(events.counts.events)
        try events.finish(timeout: try command.milliseconds("session-timeout") ?? 1_800_000)
        return AttributeInput(
            database: events.database, scores: scores, isDatabase: false, notes: events.counts.notes + source.remarks)
    }

    /// A database with a table `scores`, or a CSV.
    static func scores(_ place: String, _ command: ParsedCommand) throws(ImpactError) -> any SQLDatabase {
        if isDatabase(place) {
            return try SQLPlace.open(
                place, creates: false, lockWait: try command.milliseconds("lock-wait") ?? 5_000)
        }
        return try CSVSource.load([place])
    }

    /// A path, as far as one can tell: what looks like an address is none.
    ///
    /// - Throws: `unknown_place`.
    static func checkPath(_ place: String) throws(ImpactError) {
        let lower = place.lowercased()
        let isAddress =
            lower.contains("://") || lower.hasPrefix("postgres") && lower.contains(":") || lower.hasPrefix("mysql:")
            || (lower.hasPrefix("host=") || lower.hasPrefix("dbname=") || lower.contains(" password="))
        guard isAddress else { return }
        throw ImpactError(
            .usage, code: "unknown_place",
            "'\(Secrets.masked(message: place).prefix(80))' is neither a database nor a path: write sqlite:PATH or "
                + "postgresql://user@host/database, in small letters; a path with \"://\" is not taken")
    }

    static func isDatabase(_ place: String) -> Bool {
        place.hasPrefix("sqlite:") || place.hasPrefix("postgresql://") || place.hasPrefix("postgres://")
    }

    static func paths(_ command: ParsedCommand) -> String? {
        let places = command.texts("source")
        return places.count == 1 && places[0].hasPrefix("paths:") ? String(places[0].dropFirst(6)) : nil
    }
}
