import Report

extension AttributionPage {
    // MARK: Models

    func comparisonSection(_ comparison: ModelComparison) -> String {
        let order = Array(comparison.order.prefix(14))
        let credits = order.flatMap { channel in comparison.columns.map { $0.credit(channel) } }
        let largest = max(credits.max() ?? 0, .leastNormalMagnitude)
        // Marks say differences, so that the axis need not begin at 0.
        let least = max(0, (credits.min() ?? 0) - 0.05 * largest)
        var drawing = Drawing(
            id: "models", title: "Credit by model",
            description: order.map { channel in
                "\(comparison.channels[channel]): "
                    + comparison.columns.map { "\($0.kind.rawValue) \(Figure.fixed($0.credit(channel), 1))" }
                    .joined(separator: ", ")
            }.joined(separator: "; "), width: 900, height: Double(order.count) * 30 + 34)
        let (left, right) = (190.0, 880.0)
        func place(_ credit: Double) -> Double {
            left + (credit - least) / max(largest - least, .leastNormalMagnitude) * (right - left)
        }
        for tick in SVGChart.ticks(least...max(largest, least), 6) {
            let x = place(tick)
            drawing.line(x, 2, x, Double(order.count) * 30 + 8)
            drawing.text(x, Double(order.count) * 30 + 24, ReportPage.tick(tick), anchor: "middle")
        }
        for (row, channel) in order.enumerated() {
            let y = Double(row) * 30 + 18
            drawing.text(left - 10, y + 4, comparison.channels[channel], anchor: "end", limit: 26)
            for (index, column) in comparison.columns.enumerated() {
                // Marks of equal values stand above one another, a shape a row.
                let shift = Double(index % 3 - 1) * 5
                drawing.mark(
                    index, place(column.credit(channel)), y + shift,
                    tip:
                        "\(comparison.channels[channel]), \(column.kind.rawValue): \(Figure.fixed(column.credit(channel), 2))"
                )
            }
        }
        var html = ReportPage.figure(
            "Credit by model",
            Drawing.legend(marks: comparison.columns.map(\.kind.rawValue)), drawing.scrolled,
            "A row of marks that lie together: the models agree. Marks far apart: the choice of model decides.")
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
