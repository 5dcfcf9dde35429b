import Report
import Statistics

/// The attribution page: what the channels earned and cost, how journeys went, where models disagree.
package struct AttributionPage: Sendable {
    package var title = "Channel attribution"
    package var source = ""
    package var time = ""
    package var command = ""
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
        var body = charts(lines, days)
        body += ReportPage.section(
            "Channels",
            HTML.table(
                "Credit, revenue and cost by channel",
                [
                    ("Channel", false), ("Credit", true), ("Share", true), ("Revenue", true), ("Cost", true),
                    ("CPO", true),
                    ("ROAS", true),
                ],
                lines.map { line in
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
            ("Source", source.isEmpty ? nil : source), ("Made", time.isEmpty ? nil : time),
            ("Command", command.isEmpty ? nil : command),
        ])
        let span = days.first.flatMap { first in
            days.last.map { "\(CivilDay.text(first.day ?? 0)) to \(CivilDay.text($0.day ?? 0))" }
        }
        return ReportPage.document(
            title: title, verdict: verdict,
            subtitle: span.map { "Sessions from \($0), by the day of the session" } ?? "No sessions",
            tiles: tiles(total),
            body: body)
    }

    private func tiles(_ total: ChannelReport.Line) -> String {
        ReportPage.tiles([
            ("Conversions credited", Figure.count(total.credit), "one unit each"),
            ("Revenue", Figure.count(total.revenue), "of these conversions"),
            ("Cost", Figure.count(total.cost.amount), "of all sessions"),
            ("Cost per order", total.cpo.map { Figure.fixed($0, 2) } ?? "–", "cost over credit"),
            ("Return on ad spend", total.roas.map { Figure.fixed($0, 2) } ?? "–", "revenue over cost, all channels"),
        ])
    }

    private func charts(_ lines: [ChannelReport.Line], _ days: [ChannelReport.Line]) -> String {
        var figures = [channelBars(lines)]
        if let phases { figures.append(phaseBars(phases)) }
        // Without any cost an order costs nothing on every day.
        if lines.contains(where: { $0.cost > .zero }),
            let chart = dayChart(days, id: "cpo", "Cost per order by day", { $0.cpo })
        {
            figures.append(chart)
        }
        if let chart = dayChart(days, id: "roas", "Return on ad spend by day", { $0.roas }) { figures.append(chart) }
        var html = "<div class=\"charts\">\n\(figures.joined(separator: "\n"))\n</div>"
        if let flows, flows.journeys > 0 { html += "<div style=\"margin-top:16px\">\(sankey(flows))</div>" }
        return ReportPage.section("At a glance", html)
    }

    // MARK: Channels

    private func channelBars(_ lines: [ChannelReport.Line]) -> String {
        let shown = lines.prefix(14)
        let total = max(lines.reduce(0) { $0 + $1.credit }, .leastNormalMagnitude)
        let largest = max(shown.map(\.credit).max() ?? 0, .leastNormalMagnitude)
        var drawing = Drawing(
            id: "bars", title: "Credit by channel",
            description: shown.map { "\($0.channel) \(Figure.fixed($0.credit, 1))" }.joined(separator: ", "),
            width: 400,
            height: Double(shown.count) * 24 + 8)
        for (index, line) in shown.enumerated() {
            let y = Double(index) * 24 + 4
            drawing.text(138, y + 13, line.channel, anchor: "end", limit: 21)
            let width = line.credit / largest * 145
            drawing.rectangle(
                146, y, width, 17, colour: "var(--model)",
                tip:
                    "\(line.channel): \(Figure.fixed(line.credit, 2)) conversions, revenue \(Figure.fixed(line.revenue, 2))"
            )
            drawing.text(152 + width, y + 13, "\(Figure.fixed(line.credit, 1)) · \(Figure.share(line.credit / total))")
        }
        return ReportPage.figure(
            "Credit by channel", "", drawing.element,
            "Conversions that each channel is credited with, and its share of all.")
    }

    private func phaseBars(_ phases: PhaseShares) -> String {
        let rows = phases.sums.map { ($0.key, $0.value, $0.value.initializer + $0.value.holder + $0.value.closer) }
            .filter { $0.2 > 0 }.sorted { ($1.2, $0.0) < ($0.2, $1.0) }.prefix(14)
        let colours = [Drawing.colour(0), Drawing.colour(1), Drawing.colour(2)]
        var drawing = Drawing(
            id: "phases", title: "Phases by channel",
            description: rows.map {
                "\(channels[$0.0]) initializer \(Figure.share($0.1.initializer / $0.2)), holder "
                    + "\(Figure.share($0.1.holder / $0.2)), closer \(Figure.share($0.1.closer / $0.2))"
            }.joined(separator: "; "), width: 400, height: Double(rows.count) * 24 + 8)
        for (index, row) in rows.enumerated() {
            let y = Double(index) * 24 + 4
            let name = channels[row.0]
            drawing.text(138, y + 13, name, anchor: "end", limit: 21)
            var x = 146.0
            let parts = [("initializer", row.1.initializer), ("holder", row.1.holder), ("closer", row.1.closer)]
            for (part, colour) in zip(parts, colours) {
                let width = part.1 / row.2 * 240
                if width > 0 {
                    drawing.rectangle(
                        x, y, width - 1, 17, colour: colour, tip: "\(name), \(part.0): \(Figure.share(part.1 / row.2))")
                }
                x += width
            }
        }
        return ReportPage.figure(
            "Phases by channel",
            Drawing.legend([(colours[0], "initializer"), (colours[1], "holder"), (colours[2], "closer")]),
            drawing.element,
            "What a channel's IHC credit is made of: opening journeys, keeping them alive, closing them.")
    }

    // MARK: Time

    private func dayChart(
        _ days: [ChannelReport.Line], id: String, _ heading: String, _ value: (ChannelReport.Line) -> Double?
    ) -> String? {
        let points = days.compactMap { line in value(line).map { (x: Double(line.day ?? 0), y: $0) } }
        guard points.count > 1, let first = points.first, let last = points.last else { return nil }
        var chart = SVGChart(
            id: id, title: heading,
            description: points.map { "\(CivilDay.text(Int32($0.x))) \(Figure.fixed($0.y, 2))" }.joined(
                separator: ", "),
            x: first.x...last.x, y: 0...(points.map(\.y).max() ?? 1) * 1.08)
        chart.verticalAxis(SVGChart.ticks(chart.y, 5).map { ($0, ReportPage.tick($0)) })
        let every = max(1, (points.count + 4) / 5)
        chart.horizontalAxis(
            stride(from: 0, to: points.count, by: every).map {
                (points[$0].x, String(CivilDay.text(Int32(points[$0].x)).dropFirst(5)))
            }, title: "day of the session")
        chart.line(points, "model")
        for point in points {
            chart.dot(point.x, point.y, tip: "\(CivilDay.text(Int32(point.x))): \(Figure.fixed(point.y, 2))")
        }
        return ReportPage.figure(
            heading, "", chart.element,
            id == "cpo"
                ? "Cost of a day's sessions over the credit that they earned. Days without credit have none."
                : "Revenue credited to a day's sessions over their cost. Days without cost have none.")
    }

    // MARK: Paths

    private func sankey(_ flows: PathFlows) -> String {
        let links = flows.links(keeping: 7)
        let total = Double(max(flows.journeys, 1))
        let height = 360.0
        let gap = 8.0
        var inflow: [PathFlows.Node: Int] = [:]
        var outflow: [PathFlows.Node: Int] = [:]
        for link in links {
            outflow[link.from, default: 0] += link.count
            inflow[link.to, default: 0] += link.count
        }
        let nodes = Set(inflow.keys).union(outflow.keys)
        func size(_ node: PathFlows.Node) -> Double { Double(max(inflow[node] ?? 0, outflow[node] ?? 0)) }
        let columns = (0...PathFlows.steps).map { step in
            nodes.filter { $0.step == step }.sorted { (size($1), $0.channel) < (size($0), $1.channel) }
        }
        let most = columns.map(\.count).max() ?? 1
        let scale = (height - gap * Double(most)) / total
        var place: [PathFlows.Node: Double] = [:]
        let width = 900.0
        // Steps that no journey reaches take no room.
        let used = columns.indices.filter { !columns[$0].isEmpty }
        func x(_ step: Int) -> Double {
            Double(used.firstIndex(of: step) ?? 0) / Double(max(used.count - 1, 1)) * (width - 190) + 4
        }
        for column in columns {
            var y = 4.0
            for node in column {
                place[node] = y
                y += size(node) * scale + gap
            }
        }
        let names = Dictionary(
            uniqueKeysWithValues: nodes.map { node in
                (node, node.channel == -1 ? "Conversion" : node.channel == -2 ? "Others" : channels[node.channel])
            })
        var drawing = Drawing(
            id: "paths", title: "Paths to conversion",
            description: links.prefix(12).map { "\(names[$0.from] ?? "") to \(names[$0.to] ?? ""): \($0.count)" }
                .joined(separator: ", "), width: width, height: height + 8)
        var leaving = place
        var arriving = place
        for link in links {
            guard let from = leaving[link.from], let to = arriving[link.to] else { continue }
            let thickness = Double(link.count) * scale
            leaving[link.from] = from + thickness
            arriving[link.to] = to + thickness
            drawing.flow(
                x(link.from.step) + 10, from + thickness / 2, x(link.to.step), to + thickness / 2, thickness: thickness,
                colour: Drawing.colour(Int(link.from.channel)),
                tip: "\(names[link.from] ?? "") → \(names[link.to] ?? ""): \(link.count) journeys")
        }
        for node in nodes.sorted(by: { ($0.step, $0.channel) < ($1.step, $1.channel) }) {
            let y = place[node] ?? 0
            let name = names[node] ?? ""
            let thickness = size(node) * scale
            drawing.rectangle(
                x(node.step), y, 10, thickness,
                colour: node.channel == -1 ? "var(--goodfill)" : Drawing.colour(Int(node.channel)),
                tip: "\(name): \(Int(size(node))) journeys")
            if thickness > 7 {
                drawing.text(
                    x(node.step) + 15, y + thickness / 2 + 4, "\(name) \(Figure.share(size(node) / total))", limit: 26)
            }
        }
        return ReportPage.figure(
            "Paths to conversion", "", drawing.element,
            "Converting journeys from their first channel on, neighbours of one channel taken together; what comes after the "
                + "fourth step flows to the conversion. A band's width is its number of journeys.")
    }

    // MARK: Models

    private func comparisonSection(_ comparison: ModelComparison) -> String {
        let order = Array(comparison.order.prefix(14))
        let largest = max(
            order.flatMap { channel in comparison.columns.map { $0.credit(channel) } }.max() ?? 0, .leastNormalMagnitude
        )
        var drawing = Drawing(
            id: "models", title: "Credit by model",
            description: order.map { channel in
                "\(comparison.channels[channel]): "
                    + comparison.columns.map { "\($0.kind.rawValue) \(Figure.fixed($0.credit(channel), 1))" }
                    .joined(separator: ", ")
            }.joined(separator: "; "), width: 900, height: Double(order.count) * 30 + 34)
        let (left, right) = (190.0, 880.0)
        for tick in SVGChart.ticks(0...largest, 6) {
            let x = left + tick / largest * (right - left)
            drawing.line(x, 2, x, Double(order.count) * 30 + 8)
            drawing.text(x, Double(order.count) * 30 + 24, ReportPage.tick(tick), anchor: "middle")
        }
        for (row, channel) in order.enumerated() {
            let y = Double(row) * 30 + 18
            drawing.text(left - 10, y + 4, comparison.channels[channel], anchor: "end", limit: 26)
            for (index, column) in comparison.columns.enumerated() {
                // Marks of equal values stand above one another.
                let shift = Double(index % 3 - 1) * 5
                drawing.dot(
                    left + column.credit(channel) / largest * (right - left), y + shift, colour: Drawing.colour(index),
                    tip:
                        "\(comparison.channels[channel]), \(column.kind.rawValue): \(Figure.fixed(column.credit(channel), 2))"
                )
            }
        }
        var html = ReportPage.figure(
            "Credit by model",
            Drawing.legend(comparison.columns.enumerated().map { (Drawing.colour($0), $1.kind.rawValue) }),
            drawing.element,
            "A row of dots that lie together: the models agree. Dots far apart: the choice of model decides.")
        var columns = [("Channel", false)] + comparison.columns.map { ($0.kind.rawValue, true) }
        if !comparison.causal.isEmpty { columns.append(("incremental (95 %)", true)) }
        columns.append(("Where they disagree", false))
        let rows = comparison.order.map { channel -> [String] in
            var cells = [comparison.channels[channel]]
            cells += comparison.columns.map { Figure.fixed($0.credit(channel), 1) }
            if !comparison.causal.isEmpty {
                let row = comparison.causal.first { Int($0.channel) == channel && $0.scored > 0 }
                cells.append(
                    row.map {
                        let half = 1.96 * $0.standardError
                        return "\(Figure.fixed($0.incremental, 1)) (\(Figure.fixed($0.incremental - half, 1)) to "
                            + "\(Figure.fixed($0.incremental + half, 1)))"
                    } ?? "–")
            }
            cells.append(comparison.disagreement(channel) ?? "")
            return cells
        }
        html += HTML.table("Models side by side", columns.map { (title: $0.0, isNumber: $0.1) }, rows)
        return ReportPage.section("Models", html)
    }
}
