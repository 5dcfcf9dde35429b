import Attribution
import AttributionStore
import Base
import Report
import Terminal

/// What `attribute` prints.
enum AttributeText {
    /// - Parameter model: what divided: a model, or `ihc-api`.
    static func text(_ outcome: AttributionRun.Outcome, _ model: String) -> String {
        var text = table(outcome.report).text(width: Terminal.Stream.output.windowSize?.columns)
        let since = outcome.since.map { ", from \(CivilDay.text($0)) on" } ?? ""
        text += "\n\(HumanNumber.grouped(outcome.attributed)) conversions attributed by \(model)\(since); "
        text += "\(HumanNumber.grouped(outcome.rows)) rows of credit\n"
        for note in outcome.notes { text += "- \(note)\n" }
        return text
    }

    static func table(_ report: ChannelReport) -> Table {
        var table = Table(
            .text("Channel"), .number("Credit"), .number("Revenue"), .number("Cost"), .number("CPO"), .number("ROAS"))
        for line in report.totals + sums(report) {
            table.add(
                name(line.channel), Figure.fixed(line.credit, 2), Figure.fixed(line.revenue, 2),
                Figure.fixed(line.cost.amount, 2), line.cpo.map { Figure.fixed($0, 2) } ?? "",
                line.roas.map { Figure.fixed($0, 2) } ?? "")
        }
        return table
    }

    /// A channel's name, cut where it would widen every row.
    static func name(_ channel: String) -> String { channel.count > 60 ? channel.prefix(59) + "…" : channel }

    /// The channels with spend, and all: CPO and ROAS of all count orders that no spend brought.
    private static func sums(_ report: ChannelReport) -> [ChannelReport.Line] {
        var all = report.total
        all.channel = "all"
        guard let spending = report.paid, spending.totals.count < report.totals.count else { return [all] }
        var paid = spending.total
        paid.channel = "all with spend"
        return [paid, all]
    }

    static func json(_ outcome: AttributionRun.Outcome, _ model: String) -> JSONOutput {
        .object([
            ("model", .text(model)), ("conversions", .integer(outcome.attributed)),
            ("rows", .integer(outcome.rows)),
            ("since", outcome.since.map { JSONOutput.text(CivilDay.text($0)) } ?? .null),
            ("channels", channels(outcome.report)), ("with_spend", withSpend(outcome.report)),
            ("conversions_without_journey", .integer(outcome.journeys.withoutJourney)),
            ("revenue_without_journey", .number(outcome.journeys.revenueWithoutJourney.amount)),
            ("notes", .array(outcome.notes.map { JSONOutput.text($0) })),
        ])
    }

    static func channels(_ report: ChannelReport) -> JSONOutput {
        .array(
            report.totals.map { line in
                .object([(name: "channel_name", value: JSONOutput.text(line.channel))] + numbers(line))
            })
    }

    /// The channels with spend together.
    static func withSpend(_ report: ChannelReport) -> JSONOutput {
        report.paid.map { .object(numbers($0.total)) } ?? .null
    }

    private static func numbers(_ line: ChannelReport.Line) -> [(name: String, value: JSONOutput)] {
        [
            ("cost", .number(line.cost.amount)), ("ihc", .number(line.credit)), ("ihc_revenue", .number(line.revenue)),
            ("cpo", line.cpo.map { JSONOutput.number($0) } ?? .null),
            ("roas", line.roas.map { JSONOutput.number($0) } ?? .null),
        ]
    }
}
