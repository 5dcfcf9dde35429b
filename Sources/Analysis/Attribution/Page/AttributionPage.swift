import Report
import Statistics

/// The attribution page: what the channels earned and cost, how journeys went, where models disagree.
package struct AttributionPage: Sendable {
    package var title = "Channel attribution"
    package var source = ""
    package var time = ""
    package var command = ""
    /// The model of the stored credit, and the options of its run.
    package var model: String?
    package var run: String?
    package var report: ChannelReport
    package var comparison: ModelComparison?
    package var phases: PhaseShares?
    package var flows: PathFlows?
    package var channels = ChannelTable()
    package var notes: [String] = []

    package init(report: ChannelReport) { self.report = report }

    package var html: String {
        let total = report.total
        let lines = report.totals
        let days = report.days
        let best = lines.filter { $0.roas != nil }.max { ($0.roas ?? 0) < ($1.roas ?? 0) }
        let verdict =
            best.map {
                "Of the channels with spend, \(HTML.escape($0.channel)) returns the most: "
                    + "<strong>\(Figure.fixed($0.roas ?? 0, 2))</strong> for each unit spent."
            } ?? "No channel has spend: there is no return to state."
        var body = charts(lines)
        body += ReportPage.section(
            "Channels",
            HTML.table(
                "Credit, revenue and cost by channel",
                [
                    ("Channel", false), ("Credit", true), ("Share", true), ("Revenue", true), ("Cost", true),
                    ("CPO", true),
                    ("ROAS", true),
                ],
                (lines + sums).map { line in
                    [
                        line.channel, Figure.fixed(line.credit, 2),
                        total.creditUnits > 0 ? Figure.share(line.credit / total.credit) : "–",
                        Figure.fixed(line.revenue, 2), Figure.fixed(line.cost.amount, 2),
                        line.cpo.map { Figure.fixed($0, 2) } ?? "–", line.roas.map { Figure.fixed($0, 2) } ?? "–",
                    ]
                }))
        if let comparison { body += comparisonSection(comparison) }
        body += ReportPage.notes(notes)
        body += ReportPage.provenance([
            ("Model of the credit", model), ("Options of the run", run), ("Source", source.isEmpty ? nil : source),
            ("Made", time.isEmpty ? nil : time),
            ("Command", command.isEmpty ? nil : command),
        ])
        let span = days.first.flatMap { first in
            days.last.map { "\(CivilDay.text(first.day ?? 0)) to \(CivilDay.text($0.day ?? 0))" }
        }
        return ReportPage.document(
            title: title, verdict: verdict,
            subtitle: span.map { "Sessions from \($0), by the day of the session" } ?? "No sessions",
            tiles: tiles(total, report.paid?.total),
            body: body)
    }

    /// What stands below the channels: those with spend together, and all.
    private var sums: [ChannelReport.Line] {
        var all = report.total
        all.channel = "All"
        guard let spending = report.paid, spending.totals.count < report.totals.count else { return [all] }
        var paid = spending.total
        paid.channel = "All with spend"
        return [paid, all]
    }

    private func tiles(_ total: ChannelReport.Line, _ paid: ChannelReport.Line?) -> String {
        func beside(_ value: Double?, _ words: String) -> String {
            paid == nil
                ? "no spend is known"
                : "channels with spend" + (value.map { "; \(Figure.fixed($0, 2)) \(words)" } ?? "")
        }
        return tiles(
            total, cpo: (paid?.cpo, beside(total.cpo, "over all orders")),
            roas: (paid?.roas, beside(total.roas, "with all revenue")))
    }

    private func tiles(
        _ total: ChannelReport.Line, cpo: (Double?, String), roas: (Double?, String)
    ) -> String {
        ReportPage.tiles([
            ("Conversions credited", Figure.count(total.credit), "one unit each"),
            ("Revenue", Figure.count(total.revenue), "of these conversions"),
            ("Cost", Figure.count(total.cost.amount), "of all sessions"),
            ("Cost per order", cpo.0.map { Figure.fixed($0, 2) } ?? "–", cpo.1),
            ("Return on ad spend", roas.0.map { Figure.fixed($0, 2) } ?? "–", roas.1),
        ])
    }

    private func charts(_ lines: [ChannelReport.Line]) -> String {
        var figures = [channelBars(lines)]
        if let phases { figures.append(phaseBars(phases)) }
        if let paid = report.paid {
            let (channels, days) = (paid.totals, paid.days)
            figures.append(ratioBars(channels, id: "cpo-bars", "Cost per order by channel", { $0.cpo }))
            figures.append(ratioBars(channels, id: "roas-bars", "Return on ad spend by channel", { $0.roas }))
            if let chart = dayChart(days, id: "cpo", "Cost per order by day", { $0.cpo }) { figures.append(chart) }
            if let chart = dayChart(days, id: "roas", "Return on ad spend by day", { $0.roas }) {
                figures.append(chart)
            }
        }
        var html = "<div class=\"charts\">\n\(figures.joined(separator: "\n"))\n</div>"
        if let flows, flows.journeys > 0 { html += "<div style=\"margin-top:16px\">\(sankey(flows))</div>" }
        return ReportPage.section("At a glance", html)
    }
}
