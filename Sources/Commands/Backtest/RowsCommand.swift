import Backtest
import Base
import Engine
import Events
import Features
import Foundation
import JSON
import Pipeline
import Scoring
import Settings
import Tabular
import Terminal

/// `impactiq rows`: labelled training rows, point in time.
enum RowsCommand: Command {
    /// What `evaluate --topic` takes as well.
    static let outcomeOptions: [CommandSpecification.Option] = [
        .value("outcome-window", "DURATION", "How long after the assignment an outcome counts", default: "7d"),
        .value("lateness", "DURATION", "How much longer a row waits for events that arrive late", default: "1d"),
        .value("assignment-events", "TYPES", "Types of events that assign; default: every event with a treatment"),
        .value(
            "score-at", "WHERE", "Whose score a row gets: assignment, or before (else the user's last one before it)",
            default: "assignment"),
    ]

    static let specification = CommandSpecification(
        "rows", "Labelled training rows from events: features before the treatment, arm, outcomes",
        discussion: """
            One row per assignment (an event with a treatment). Its features are those of the user just before that event, as \
            of its time: never the assignment itself, the exposure or anything after. Outcomes are what the user did from \
            the assignment on, within --outcome-window: by default conversion (a purchase), value (purchases less \
            refunds) and visit (a click). A row whose window is not over at the end of the range has censored = 1. An \
            outcome counts in every row of its user whose window holds it, once: duplicates are known by their id.

            A row stays open until the partition's event time is past its window by --lateness (users whose events are farther \
            ahead than that count only when they are a quarter of those seen lately); what arrives later, or lies before its assignment, is \
            counted and not used. An assignment that arrives after later events of \
            its user is counted and gives no row, since the state holds the future by then. arm_propensity is the \
            probability of the arm that was taken, as logged; 'impactiq evaluate' reads all of these columns as they are. Memory: the users' state, and about 120 bytes plus 4 per \
            feature for each assignment within window + lateness.

            Beside OUT stands OUT.json: the specification's hash, the range, and every count.
            """,
        options: ConfigurationOptions.options + [
            .value("features", "SPEC.json", "The feature specification"),
            .value("model", "FILE", "Take the specification of this model"),
        ] + BacktestSource.options + BacktestSource.userOptions + [
            .value("out", "FILE.csv", "Where the rows go; - is standard output, without a sidecar", required: true),
            .value("outcome", "RULE", "NAME=any|count|sum:TYPES, as value=sum:purchase-refund", repeated: true),
        ] + outcomeOptions + [
            .value("scores", "TOPIC", "Join each row with its published score; rows without one are left out"),
            .value("workers", "N", "Threads; 0 is one per processor; never changes a byte", default: "0"),
            .flag("spreadsheet", "Mark texts that a spreadsheet would run as a formula with a quote before them"),
        ],
        examples: [
            .init(
                "impactiq rows --config impactiq.properties --features features.json --out rows.csv", "a whole topic"),
            .init(
                "impactiq rows --input events.jsonl.gz --features features.json --outcome visits=count:click "
                    + "--outcome-window 14d --out rows.csv", "a file, an outcome of one's own"),
        ])

    static func run(_ command: ParsedCommand) throws {
        let configuration = try ConfigurationOptions.load(command)
        guard let out = command.text("out") else { throw command.invalid("out", "name a file") }
        var options = RowsOptions(specification: try specification(command, configuration))
        options.threads = try command.count("workers") ?? 0
        options.field = command.flag("spreadsheet") ? .spreadsheet : .plain
        let rules = command.texts("outcome")
        if !rules.isEmpty { options.outcomes = try rules.map { rule throws(ImpactError) in try OutcomeRule(rule) } }
        let run = try RowsRun(command, configuration, &options, scores: command.text("scores"))
        let counters = try run.write(to: out)
        let summary = RowsSummary(
            counters: counters, options: options, source: run.source, scores: command.text("scores"))
        Terminal.Stream.error.write(summary.text)
        guard out != "-", !OutputFile.isWrittenDirectly(out) else { return }
        try OutputFile.write(Array((summary.json.line + "\n").utf8), to: out + ".json")
    }

    private static func specification(
        _ command: ParsedCommand, _ configuration: Configuration
    ) throws -> FeatureSpecification {
        if let path = command.text("features") {
            return try FeatureSpecification(json: try SmallFile.read(path), name: path)
        }
        guard let path = command.text("model") else {
            throw command.invalid("features", "name a feature specification, or a --model that has one")
        }
        guard let specification = try configuration.openModel(path).specification else {
            throw ImpactError(.badInput, code: "missing_specification", "\(path) holds no feature specification")
        }
        return specification
    }
}

/// The making of rows as a command line asks for it.
struct RowsRun {
    let source: BacktestSource
    private let job: RowsJob
    private let command: ParsedCommand

    init(
        _ command: ParsedCommand, _ configuration: Configuration, _ options: inout RowsOptions, scores: String?
    ) throws {
        let source = try BacktestSource(command, configuration)
        self.source = source
        self.command = command
        options.window = try command.milliseconds("outcome-window") ?? options.window
        options.lateness = try command.milliseconds("lateness") ?? options.lateness
        guard options.window > 0 else { throw command.invalid("outcome-window", "must be longer than nothing") }
        options.assignmentTypes = command.text("assignment-events").map {
            $0.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        }
        guard let mode = RowsOptions.ScoreAt(rawValue: command.text("score-at") ?? "assignment") else {
            throw command.invalid("score-at", "must be assignment or before")
        }
        options.scoreAt = mode
        options.joins = try BacktestSource.joins(command)
        if options.joins, mode == .before {
            throw command.invalid(
                "join-users", "goes with --score-at assignment alone: the score before may lie in another partition")
        }
        let settings = try configuration.processorSettings()
        options.limits = settings.limits
        options.timeToLive = settings.timeToLive
        options.limits.requiresKey = options.limits.requiresKey && source.factory.hasKeys
        let published = try scores.map {
            try PublishedTopic.open($0, configuration, inputPartitions: source.partitions)
        }
        if let published {
            let scores = try published("rows-effects")
            defer { scores.close() }
            options.effects = try ScoreEffect.all(in: scores, partitions: source.spans.map(\.partition))
        }
        job = try RowsJob(options: options, spans: source.spans, sources: source.factory, published: published)
    }

    func write(to path: String) throws -> RowsCounters {
        let progress = ProgressLine("rows", total: source.total, unit: "offsets")
        let counters = try job.run(
            to: path, progress: { progress.update($0) }, isStopped: { StopSignal.isRaised }
        ) { counters in
            try BacktestSource.refuse(
                counters.stream, command,
                then:
                    "Nothing was written. --join-users reads the partitions as one; --split-users takes the rows as they "
                    + "are")
        }
        progress.finish(counters.stream.messages)
        return counters
    }
}

/// What the making of rows met: for people, and the sidecar.
struct RowsSummary {
    let counters: RowsCounters
    let options: RowsOptions
    let source: BacktestSource
    let scores: String?

    private var means: [(name: String, mean: Double)] {
        options.outcomes.enumerated().map {
            ($1.name, counters.rows > 0 ? counters.totals[$0] / Double(counters.rows) : .nan)
        }
    }

    var text: String {
        var out = "\(HumanNumber.grouped(counters.rows)) rows (\(counters.censored) censored)"
        for (arm, count) in counters.arms.sorted(by: { $0.key < $1.key }) {
            out += ", \(arm.isEmpty ? "no arm" : arm) \(HumanNumber.grouped(count))"
        }
        out +=
            "\n\(HumanNumber.grouped(counters.stream.messages)) messages, \(HumanNumber.grouped(counters.stream.events)) events, "
        out += "\(counters.stream.duplicates) duplicates, \(counters.stream.rejectedCount) rejected\n"
        out += "mean " + means.map { "\($0.name) \(HumanNumber.decimals($0.mean, 4))" }.joined(separator: ", ") + "\n"
        out += "outcomes: \(counters.outcomesUsed) used, \(counters.outcomesBefore) before their assignment, "
        out += "\(counters.outcomesLate) late, \(counters.outcomesUnattributed) of nobody assigned\n"
        for note in notes { out += "note: \(note)\n" }
        return out
    }

    private var notes: [String] {
        var notes = source.remarks
        if counters.outOfOrder > 0 {
            notes.append("\(counters.outOfOrder) assignments arrived after later events of their user and give no row")
        }
        if counters.erased > 0 { notes.append("\(counters.erased) rows of users erased meanwhile are left out") }
        if counters.refused > 0 { notes.append("\(counters.refused) events of users who refuse storing are left out") }
        if counters.outcomesLate * 10 > counters.outcomesUsed + counters.outcomesLate {
            notes.append(
                "\(counters.outcomesLate) outcomes came when their windows were closed for good, a tenth of all or more: their "
                    + "rows say that nothing happened. Raise --lateness above the longest delay, or look for clocks that are ahead"
            )
        }
        if counters.withoutScore > 0 {
            notes.append("\(counters.withoutScore) assignments have no score and give no row")
        }
        if counters.stream.eventTimeBackwards > 0 {
            notes.append(
                "\(counters.stream.eventTimeBackwards) events are older than one before them in their partition")
        }
        for (partition, lead) in counters.leads.sorted(by: { $0.key < $1.key }) {
            notes.append(
                "\(partition < 0 ? "all partitions" : "partition \(partition)"): a few users' events are up to \(HumanNumber.span(seconds: Double(lead) / 1_000)) ahead "
                    + "of everybody else's; rows whose windows only they would have ended have censored = 1")
        }
        if let finding = counters.stream.users?.finding { notes.append("\(finding): \(BacktestSource.splitCause)") }
        for (code, count) in counters.stream.rejected.sorted(by: { $0.key < $1.key }) {
            let explanation = InputErrorCode.allCases.first { $0.name == code }?.explanation
            notes.append("\(count) rejected as \(code)\(explanation.map { ": \($0)" } ?? "")")
        }
        notes += UnusableValues.notes(counters.stream)
        if counters.outcomesWithoutValue > 0 {
            notes.append("\(counters.outcomesWithoutValue) outcomes have no value and add nothing to a sum")
        }
        return notes
    }

    var json: JSONOutput {
        func map(_ counts: [String: Int]) -> JSONOutput {
            .object(counts.sorted { $0.key < $1.key }.map { ($0.key, .integer($0.value)) })
        }
        var members: [(name: String, value: JSONOutput)] = [
            ("specification_sha256", .text(options.specification.sha256)),
            ("specification", .text(String(decoding: options.specification.canonicalJSON, as: UTF8.self))),
            ("features", .array(options.specification.names.map { .text($0) })),
            ("outcomes", .array(options.outcomes.map { .text($0.text) })),
            ("outcome_window_ms", .integer(Int(options.window))), ("lateness_ms", .integer(Int(options.lateness))),
            ("assignment_events", options.assignmentTypes.map { .array($0.map { .text($0) }) } ?? .null),
            ("topic", .text(source.factory.topic)),
            (
                "range",
                .array(
                    source.spans.map { span in
                        .object([
                            ("partition", .integer(Int(span.partition))), ("warmup_from", .integer(Int(span.first))),
                            ("from", .integer(Int(span.from))),
                            ("to", span.end == .max ? .null : .integer(Int(span.end))),
                        ])
                    })
            ),
            ("first_event_time", counters.stream.firstTime.map { .integer(Int($0)) } ?? .null),
            ("last_event_time", counters.stream.lastTime.map { .integer(Int($0)) } ?? .null),
            ("scores_topic", scores.map { .text($0) } ?? .null),
            ("score_at", scores == nil ? .null : .text(options.scoreAt.rawValue)),
            ("models", .array(counters.models.sorted().map { .text($0) })),
        ]
        members += [
            ("rows", .integer(counters.rows)), ("censored", .integer(counters.censored)), ("arms", map(counters.arms)),
            ("outcome_means", .object(means.map { ($0.name, .number($0.mean)) })),
            ("messages", .integer(counters.stream.messages)),
            ("warmup_messages", .integer(counters.stream.warmUpMessages)),
            ("events", .integer(counters.stream.events)), ("duplicates", .integer(counters.stream.duplicates)),
            ("rejected", map(counters.stream.rejected)), ("assignments_out_of_order", .integer(counters.outOfOrder)),
            ("rows_of_erased_users", .integer(counters.erased)),
            ("assignments_without_score", .integer(counters.withoutScore)),
            ("outcomes_used", .integer(counters.outcomesUsed)),
            ("outcomes_before_assignment", .integer(counters.outcomesBefore)),
            ("outcomes_late", .integer(counters.outcomesLate)),
            ("outcomes_unattributed", .integer(counters.outcomesUnattributed)),
            ("outcomes_without_value", .integer(counters.outcomesWithoutValue)),
            ("event_time_backwards", .integer(counters.stream.eventTimeBackwards)),
            ("unusable_values", map(counters.stream.unusable ?? [:])),
            (
                "ahead_of_all_others_ms",
                .object(counters.leads.sorted { $0.key < $1.key }.map { ("\($0.key)", .integer(Int($0.value))) })
            ),
            ("most_open_rows", .integer(counters.mostOpen)),
        ]
        return .object(members)
    }
}
