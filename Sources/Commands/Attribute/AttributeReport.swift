import Attribution
import AttributionStore
import Base
import Foundation
import Terminal

/// `impactiq attribute report`: what the last run stored, as CSV and as a page.
enum AttributeReport: Command {
    static let specification = CommandSpecification(
        "report", "The channel report: credit, revenue, cost, CPO and ROAS by channel and day",
        discussion: """
            Reads channel_reporting as the last run left it. CPO is cost over credit and empty where no order is credited; \
            ROAS is revenue over cost and empty for channels without spend. Both are ratios of sums. --html writes a page \
            with pictures; with the sessions in the same database it also shows phases, paths and a comparison of models, made with the options \
            of the run where none are given here.
            """,
        options: AttributeOptions.source + [
            .value("csv", "FILE", "Write a line a channel and day with CPO and ROAS; - is standard output"),
            .value("html", "FILE", "Write the page"),
            .value("title", "TEXT", "Heading of the page", default: "Channel attribution"),
            .flag("json", "Print one JSON object"),
        ] + AttributeOptions.models,
        examples: [
            .init(
                "impactiq attribute report --source sqlite:challenge.db --csv channel_reporting.csv --html report.html",
                "after a run")
        ])

    static func run(_ command: ParsedCommand) throws { try StopSignal.leavingAtOnce { try report(command) } }

    private static func report(_ command: ParsedCommand) throws {
        guard command.texts("source").count == 1, let place = command.text("source"), AttributeInput.isDatabase(place)
        else {
            throw command.invalid("source", "must be the database of the results: sqlite:PATH or postgresql://…")
        }
        try IdleOptions.refuse(command, nil)
        let database = try SQLPlace.open(
            place, creates: false, lockWait: try command.milliseconds("lock-wait") ?? 5_000)
        let report = try StoredReport.read(database)
        if let path = command.text("csv") { try AttributeFiles.report(report, to: path) }
        if let path = command.text("html") {
            try OutputFile.write(Array(try page(command, database, report).html.utf8), to: path)
        }
        if command.text("csv") == "-" || command.text("html") == "-" { return }
        if command.flag("json") {
            Terminal.Stream.output.write(
                JSONOutput.object([
                    ("channels", AttributeText.channels(report)), ("with_spend", AttributeText.withSpend(report)),
                ]).line + "\n")
        } else {
            Terminal.Stream.output.write(
                AttributeText.table(report).text(width: Terminal.Stream.output.windowSize?.columns))
        }
    }

    private static func page(
        _ command: ParsedCommand, _ database: any SQLDatabase, _ report: ChannelReport
    ) throws -> AttributionPage {
        var page = AttributionPage(report: report)
        page.title = command.text("title") ?? page.title
        page.source = database.place
        page.time = Date().formatted(.iso8601)
        page.command = "impactiq " + command.name
        let last = try StoredReport.lastRun(database)
        let asked = AskedOptions(json: last.asked)
        page.model = last.model
        page.run = asked.map { $0.words ?? "the defaults" }
        page.notes = last.notes
        let given = command
        let command = command.completed(values: asked?.values ?? [:], flags: asked?.flags ?? [])
        // Results may stand in a database of their own, without the sessions; a stream's hold them in its logs.
        let sessions = try AttributeInput.unpacked(database, command) ?? database
        guard try !sessions.columns(of: "session_sources").isEmpty else { return page }
        if asked == nil {
            page.notes.append("the models are compared with the options given here: those of the run are not known")
        }
        let differing = asked?.differing(from: given) ?? []
        if !differing.isEmpty {
            page.notes.append(
                "the models are compared with other options than those of the run: "
                    + differing.map { "--\($0)" }.joined(separator: ", "))
        }
        let options = try AttributeOptions.modelOptions(command)
        var channels = ChannelTable()
        let models = AttributionModels(options, channels: &channels)
        let scores = try command.text("scores").map { try AttributeInput.scores($0, command) }
        let reader = JourneyReader(sessions, try AttributeOptions.reading(command), channels: channels, scores: scores)
        let kinds = ModelKind.allCases.filter { $0 != .causal || scores != nil }
        var phases = PhaseShares()
        var flows = PathFlows()
        let ihc = IHCModel(options.ihc)
        page.comparison = try sessions.transaction(writing: false) { () throws(ImpactError) in
            try AttributionComparison.compare(
                reader, kinds, models,
                each: { journey in
                    phases.add(journey.touches, ihc)
                    flows.add(journey.touches)
                })
        }
        page.phases = phases
        page.flows = flows
        page.channels = reader.channels
        // What the run said stands there already, unless the tables have changed since.
        let found = reader.journeyCounts.notes + reader.counts.notes + (page.comparison?.remarks ?? [])
        page.notes += found.filter { !page.notes.contains($0) }
        return page
    }
}
