import Attribution
import AttributionStore
import Base
import Report
import Terminal

/// What `attribute` prints.
enum AttributeText {
    static func text(_ outcome: AttributionRun.Outcome, _ kind: ModelKind) -> String {
        var text = table(outcome.report).text(width: Terminal.Stream.output.windowSize?.columns)
        let since = outcome.since.map { ", from \(CivilDay.text($0)) on" } ?? ""
        text += "\n\(HumanNumber.grouped(outcome.attributed)) conversions attributed by \(kind.rawValue)\(since); "
        text += "\(HumanNumber.grouped(outcome.rows)) rows of credit\n"
        for note in notes(outcome.journeys, outcome.reading) + outcome.remarks { text += "- \(note)\n" }
        return text
    }

    static func notes(_ journeys: JourneyCounts, _ reading: ReadingCounts) -> [String] {
        var notes: [String] = []
        if journeys.withoutJourney > 0 {
            notes.append(
                "\(journeys.withoutJourney) conversions without a session before them, revenue "
                    + "\(Figure.fixed(journeys.revenueWithoutJourney.amount, 2)): no channel gets them")
        }
        if journeys.duplicateConversions > 0 {
            notes.append("\(journeys.duplicateConversions) conversions with an id seen before: left out")
        }
        if journeys.duplicateSessions > 0 {
            notes.append("\(journeys.duplicateSessions) sessions with an id seen before: left out")
        }
        return notes + reading.notes
    }

    static func table(_ report: ChannelReport) -> Table {
        var table = Table(
            .text("Channel"), .number("Credit"), .number("Revenue"), .number("Cost"), .number("CPO"), .number("ROAS"))
        for line in report.totals + [total(report)] {
            table.add(
                line.channel, Figure.fixed(line.credit, 2), Figure.fixed(line.revenue, 2),
                Figure.fixed(line.cost.amount, 2), line.cpo.map { Figure.fixed($0, 2) } ?? "",
                line.roas.map { Figure.fixed($0, 2) } ?? "")
        }
        return table
    }

    private static func total(_ report: ChannelReport) -> ChannelReport.Line {
        var line = report.total
        line.channel = "all"
        return line
    }

    static func json(_ outcome: AttributionRun.Outcome, _ kind: ModelKind) -> JSONOutput {
        .object([
            ("model", .text(kind.rawValue)), ("conversions", .integer(outcome.attributed)),
            ("rows", .integer(outcome.rows)),
            ("since", outcome.since.map { JSONOutput.text(CivilDay.text($0)) } ?? .null),
            ("channels", channels(outcome.report)),
            ("conversions_without_journey", .integer(outcome.journeys.withoutJourney)),
            ("revenue_without_journey", .number(outcome.journeys.revenueWithoutJourney.amount)),
            ("notes", .array((notes(outcome.journeys, outcome.reading) + outcome.remarks).map { JSONOutput.text($0) })),
        ])
    }

    static func channels(_ report: ChannelReport) -> JSONOutput {
        .array(
            report.totals.map { line in
                .object([
                    ("channel_name", .text(line.channel)), ("cost", .number(line.cost.amount)),
                    ("ihc", .number(line.credit)), ("ihc_revenue", .number(line.revenue)),
                    ("cpo", line.cpo.map { JSONOutput.number($0) } ?? .null),
                    ("roas", line.roas.map { JSONOutput.number($0) } ?? .null),
                ])
            })
    }
}
