import Report
import Statistics

extension AttributionPage {
    // MARK: Channels

    func channelBars(_ lines: [ChannelReport.Line]) -> String {
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

    func phaseBars(_ phases: PhaseShares) -> String {
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

    /// A ratio of each channel with spend.
    func ratioBars(
        _ lines: [ChannelReport.Line], id: String, _ heading: String, _ value: (ChannelReport.Line) -> Double?
    ) -> String {
        let shown = lines.prefix(14).compactMap { line in value(line).map { (name: line.channel, value: $0) } }
        let largest = max(shown.map(\.value).max() ?? 0, .leastNormalMagnitude)
        var drawing = Drawing(
            id: id, title: heading,
            description: shown.map { "\($0.name) \(Figure.fixed($0.value, 2))" }.joined(separator: ", "), width: 400,
            height: Double(shown.count) * 24 + 8)
        for (index, bar) in shown.enumerated() {
            let y = Double(index) * 24 + 4
            drawing.text(138, y + 13, bar.name, anchor: "end", limit: 21)
            let width = bar.value / largest * 180
            drawing.rectangle(
                146, y, width, 17, colour: "var(--model)", tip: "\(bar.name): \(Figure.fixed(bar.value, 2))")
            drawing.text(152 + width, y + 13, Figure.fixed(bar.value, 2))
        }
        return ReportPage.figure(
            heading, "", drawing.element,
            id == "cpo-bars"
                ? "Channels with spend: their cost over the conversions credited to them. Shorter is cheaper."
                : "Channels with spend: revenue credited to them for each unit spent. Longer is better.")
    }

    // MARK: Time

    func dayChart(
        _ days: [ChannelReport.Line], id: String, _ heading: String, _ value: (ChannelReport.Line) -> Double?
    ) -> String? {
        let all = days.compactMap { line in value(line).map { (x: Double(line.day ?? 0), y: $0) } }
        guard all.count > 1, let first = all.first, let last = all.last else { return nil }
        // A day with next to no cost, or no credit, would press all others flat.
        let highest = 4 * all.map(\.y).sorted()[all.count / 2]
        let above = highest > 0 ? all.filter { $0.y > highest } : []
        let points = above.isEmpty ? all : all.map { (x: $0.x, y: min($0.y, highest)) }
        var chart = SVGChart(
            id: id, title: heading,
            description: all.map { "\(CivilDay.text(Int32($0.x))) \(Figure.fixed($0.y, 2))" }.joined(
                separator: ", "),
            x: first.x...last.x, y: 0...(points.map(\.y).max() ?? 1) * 1.08)
        chart.verticalAxis(SVGChart.ticks(chart.y, 5).map { ($0, ReportPage.tick($0)) })
        let every = max(1, (points.count + 4) / 5)
        chart.horizontalAxis(
            stride(from: 0, to: points.count, by: every).map {
                (points[$0].x, String(CivilDay.text(Int32(points[$0].x)).dropFirst(5)))
            }, title: "day of the session")
        chart.line(points, "model")
        for (point, real) in zip(points, all) {
            chart.dot(point.x, point.y, tip: "\(CivilDay.text(Int32(point.x))): \(Figure.fixed(real.y, 2))")
        }
        return ReportPage.figure(
            heading, "", chart.element,
            (id == "cpo"
                ? "Channels with spend: cost of a day's sessions over the credit that they earned. Days without credit have none."
                : "Channels with spend: revenue credited to a day's sessions over their cost. Days without cost have none.")
                + (above.isEmpty
                    ? ""
                    : " Drawn at the upper edge, since higher: "
                        + above.prefix(3).map { "\(CivilDay.text(Int32($0.x))) \(Figure.fixed($0.y, 2))" }.joined(
                            separator: ", ")
                        + (above.count > 3 ? " and \(above.count - 3) more." : ".")))
    }
}
