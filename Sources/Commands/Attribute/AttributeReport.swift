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
            with pictures; with the sessions in the same database it also shows phases, paths and a comparison of models.
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

    static func run(_ command: ParsedCommand) throws {
        guard command.texts("source").count == 1, let place = command.text("source"), AttributeInput.isDatabase(place)
        else {
            throw command.invalid("source", "must be the database of the results: sqlite:PATH or postgresql://…")
        }
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
                JSONOutput.object([("channels", AttributeText.channels(report))]).line + "\n")
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
        // Results may stand in a database of their own, without the sessions; a stream's hold them in its logs.
        let sessions = try AttributeInput.unpacked(database, command) ?? database
        guard try !sessions.columns(of: "session_sources").isEmpty else { return page }
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
        page.notes = AttributeText.notes(reader.journeyCounts, reader.counts) + (page.comparison?.remarks ?? [])
        return page
    }
}
