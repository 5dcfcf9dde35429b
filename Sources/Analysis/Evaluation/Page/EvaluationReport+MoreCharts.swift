import Report
import Statistics

/// Charts of the parts that not every report has.
extension EvaluationReport {
    func tocChart(_ figure: Figure) -> String {
        let scale = figure.percent ? 100.0 : 1
        let points: [(x: Double, y: Double, range: Interval?)] = rate.curve.map {
            (x: $0.share, y: $0.gain.value * scale, range: interval($0.gain))
        }
        var ends = [0.0]
        for point in points {
            ends.append(point.y)
            if let range = point.range { ends += [range.lower * scale, range.upper * scale] }
        }
        var chart = SVGChart(
            id: "toc", title: "Targeting operator characteristic",
            description: points.map { "best \(Figure.share($0.x)): \(figure.effect($0.y / scale))" }
                .joined(separator: ", "), x: 0...1, y: ReportPage.padded(ends))
        chart.verticalAxis(SVGChart.ticks(chart.y, 5).map { ($0, ReportPage.tick($0)) })
        chart.horizontalAxis(
            [0, 0.2, 0.4, 0.6, 0.8, 1].map { ($0, Figure.share($0)) }, title: "share of people, best scores first")
        var band: [(x: Double, low: Double, high: Double)] = points.compactMap { point in
            point.range.map { (x: point.x, low: $0.lower * scale, high: $0.upper * scale) }
        }
        if !band.isEmpty {
            band.append((1, 0, 0))
            chart.band(band, "band")
        }
        var line: [(x: Double, y: Double)] = points.map { (x: $0.x, y: $0.y) }
        line.append((1, 0))
        chart.line(line, "model")
        var legend = [("model", "these scores")]
        if !band.isEmpty { legend.append(("band", "\(Figure.share(options.level)) interval")) }
        let area = "\(figure.effect(rate.autoc.value)) (\(figure.effect(interval(rate.autoc))))"
        return ReportPage.figure(
            "Effect beyond the average, \(figure.unit)", ReportPage.legend(legend), chart.element,
            """
            AUTOC, the area under the curve, is \(area). A curve that stays at 0 ranks as chance does; one that starts \
            high and falls finds the people for whom the treatment matters.
            """)
    }

    func costChart() -> String {
        guard let costCurve else { return "" }
        let points = costCurve.points
        var ends = [0.0]
        for point in points {
            ends.append(point.net.value)
            if let range = interval(point.net) { ends += [range.lower, range.upper] }
        }
        let last = max(points.map(\.cost.value).max() ?? 1, .leastNormalMagnitude)
        var chart = SVGChart(
            id: "cost", title: "Net value by cost",
            description: points.map {
                "cost \(Figure.significant($0.cost.value)): net \(Figure.significant($0.net.value))"
            }.joined(separator: ", "), x: 0...last, y: ReportPage.padded(ends))
        chart.verticalAxis(SVGChart.ticks(chart.y, 5).map { ($0, ReportPage.tick($0)) })
        chart.horizontalAxis(
            SVGChart.ticks(chart.x, 5).map { ($0, ReportPage.tick($0)) }, title: "cost per person of all")
        chart.band(
            points.map { point in
                let range = interval(point.net) ?? Interval(lower: point.net.value, upper: point.net.value)
                return (point.cost.value, range.lower, range.upper)
            }, "band")
        chart.line([(0, 0), (points.last?.cost.value ?? last, points.last?.net.value ?? 0)], "random")
        chart.line(points.map { ($0.cost.value, $0.net.value) }, "model")
        chart.dot(
            costCurve.best.cost.value, costCurve.best.net.value,
            tip: "best \(Figure.share(costCurve.best.share)): net \(Figure.significant(costCurve.best.net.value))")
        return ReportPage.figure(
            "Net value by cost",
            ReportPage.legend([
                ("model", "these scores"), ("band", "\(Figure.share(options.level)) interval"), ("random", "random"),
                ("dot", "highest"),
            ]), chart.element,
            "Treating from the highest score down: right is more money spent, up is more net value. Stop at the dot.")
    }

    func budgetChart(_ figure: Figure) -> String {
        guard let arms else { return "" }
        let scale = figure.percent ? 100.0 : 1
        let points = arms.budget.points
        func end(_ curve: BudgetCurve) -> Double { curve.points.last?.gain.value ?? 0 }
        let single = arms.arms.max { end($0.budget) < end($1.budget) }
        let other = single?.budget.points ?? []
        var ends = [0.0] + other.map { $0.gain.value * scale }
        for point in points {
            ends.append(point.gain.value * scale)
            if let range = interval(point.gain) { ends += [range.lower * scale, range.upper * scale] }
        }
        let last = max(points.last?.budget ?? 1, other.last?.budget ?? 0, .leastNormalMagnitude)
        var chart = SVGChart(
            id: "budget", title: "Multi-arm Qini curve",
            description: points.map {
                "budget \(Figure.significant($0.budget)): \(figure.effect($0.gain.value))"
            }.joined(separator: ", "), x: 0...last, y: ReportPage.padded(ends))
        chart.verticalAxis(SVGChart.ticks(chart.y, 5).map { ($0, ReportPage.tick($0)) })
        chart.horizontalAxis(
            SVGChart.ticks(chart.x, 5).map { ($0, arms.hasCosts ? ReportPage.tick($0) : Figure.share($0)) },
            title: arms.hasCosts ? "budget per person" : "share of people treated")
        chart.band(
            points.compactMap { point in
                interval(point.gain).map { (point.budget, $0.lower * scale, $0.upper * scale) }
            }, "band")
        chart.line([(0, 0), (points.last?.budget ?? 0, (points.last?.gain.value ?? 0) * scale)], "random")
        chart.line(other.map { ($0.budget, $0.gain.value * scale) }, "perfect")
        chart.line(points.map { ($0.budget, $0.gain.value * scale) }, "model")
        var legend = [("model", "all arms"), ("band", "\(Figure.share(options.level)) interval"), ("random", "random")]
        if let single { legend.append(("perfect", "\(single.label) alone")) }
        return ReportPage.figure(
            "Gain by budget, \(figure.unit)", ReportPage.legend(legend), chart.element,
            "Walk right, spending where it is predicted to bring most per unit of cost. The distance to the dotted line is what "
                + "the predictions are worth at that budget; the distance to the single arm's line is what choosing among "
                + "arms adds.")
    }
}
