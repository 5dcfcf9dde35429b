import Report
import Statistics

/// The page's charts, each with a legend and how to read it.
extension EvaluationReport {
    func qiniChart(_ figure: Figure) -> String {
        curveChart(
            id: "qini", heading: "Qini curve", curve: qiniCurve, band: bootstrap.qiniBand, perfect: perfectQini, figure,
            reading:
                "Walk right, treating people from the highest score down: the curve counts the treated outcomes that "
                + "treatment added. The further it bows above the dotted line, the better the ranking; the Qini "
                + "coefficient is that area as a share of what a perfect ranking would enclose.")
    }

    func upliftChart(_ figure: Figure) -> String {
        curveChart(
            id: "gain", heading: "Uplift curve (cumulative gain)", curve: upliftCurve, band: bootstrap.upliftBand,
            perfect: perfectUplift, figure,
            reading:
                "The difference in mean outcome among the best-scored people, times their number: outcomes gained if "
                + "all of them were treated. Its peak is the share worth treating when treatment is free; where it falls, "
                + "treatment does harm.")
    }

    private func curveChart(
        id: String, heading: String, curve: Curve, band: [Interval], perfect: Curve?, _ figure: Figure, reading: String
    ) -> String {
        let last = curve.population.last ?? 1
        let low: Double = min(0, curve.value.min() ?? 0, band.map(\.lower).min() ?? 0)
        let high: Double = max(0, curve.value.max() ?? 0, band.map(\.upper).max() ?? 0)
        let room = high > low ? (high - low) * 0.06 : 1
        let described: [String] = gains.map { gain in
            let height = id == "qini" ? gain.qini : gain.gain
            return "\(Figure.share(gain.fraction)) \(figure.outcomes(height))"
        }
        let bottom = low < 0 ? low - room : low
        var chart = SVGChart(
            id: id, title: "\(heading) with random and perfect targeting",
            description: """
                Outcomes gained by share of people treated: \(described.joined(separator: ", ")). Random targeting ends \
                at the same height.
                """, x: 0...1, y: bottom...(high + room))
        chart.verticalAxis(SVGChart.ticks(chart.y, 5).map { ($0, ReportPage.tick($0)) })
        chart.horizontalAxis(
            [0, 0.2, 0.4, 0.6, 0.8, 1].map { ($0, Figure.share($0)) },
            title: "share of people treated, best scores first")
        func points(_ curve: Curve) -> [(x: Double, y: Double)] {
            zip(curve.population, curve.value).map { ($0 / last, $1) }
        }
        if band.count == bootstrap.grid.count {
            chart.band(zip(bootstrap.grid, band).map { ($0, $1.lower, $1.upper) }, "band")
        }
        chart.line([(0, 0), (1, curve.value.last ?? 0)], "random")
        if let perfect {
            chart.line(points(perfect), "perfect")
        }
        chart.line(points(curve), "model")
        var legend = [("model", "these scores")]
        if !band.isEmpty { legend.append(("band", "\(Figure.share(options.level)) interval")) }
        legend.append(("random", "random"))
        if let peak = perfect?.value.max() { legend.append(("perfect", "perfect, peaks at \(figure.outcomes(peak))")) }
        return ReportPage.figure(heading, ReportPage.legend(legend), chart.element, reading)
    }

    func binChart(_ figure: Figure) -> String {
        let scale = figure.percent ? 100.0 : 1
        let ends =
            bins.flatMap(\.extent)
            + [0, averageEffect.effect ?? 0]
        let range = ReportPage.padded(ends.map { $0 * scale })
        let count = Double(bins.count)
        var chart = SVGChart(
            id: "bins", title: "Observed effect by bin of the ranking",
            description: bins.enumerated().map {
                "bin \($0 + 1): \($1.effect == nil ? $1.remark ?? "–" : figure.effect($1.effect))"
            }.joined(separator: ", "), x: 0.5...(count + 0.5), y: range)
        chart.verticalAxis(SVGChart.ticks(chart.y, 5).map { ($0, ReportPage.tick($0)) })
        let every = max(1, (bins.count + 11) / 12)
        chart.horizontalAxis(
            stride(from: 1, through: bins.count, by: every).map { (Double($0), String($0)) },
            title: "bin of the ranking, 1 has the highest scores")
        if let average = averageEffect.effect {
            chart.line([(0.5, average * scale), (count + 0.5, average * scale)], "random")
        }
        for (index, bin) in bins.enumerated() {
            let at = Double(index + 1)
            guard let effect = bin.effect else { continue }
            chart.bar(
                at - 0.34, at + 0.34, effect * scale, effect >= 0 ? "up" : "down",
                tip:
                    "bin \(index + 1): \(figure.effect(effect)), \(Figure.share(options.level)) \(figure.bare(bin.interval))"
            )
            if let interval = bin.interval {
                chart.whisker(at, Interval(lower: interval.lower * scale, upper: interval.upper * scale))
            }
        }
        return ReportPage.figure(
            bins.count == 10 ? "Effect by decile" : "Effect by bin",
            ReportPage.legend([("up", "observed effect, \(figure.unit)"), ("random", "average effect")]),
            chart.element,
            "Each bar compares treated with control people of similar score. A good ranking falls from left to right; a bar "
                + "whose whisker crosses zero is not shown to differ from no effect.")
    }

    func calibrationChart(_ figure: Figure) -> String {
        let scale = figure.percent ? 100.0 : 1
        let usable = calibration.bins.filter { $0.predicted != nil && $0.observed.effect != nil }
        let predicted = usable.compactMap { $0.predicted }.map { $0 * scale }
        let observed = usable.flatMap {
            [$0.observed.effect, $0.observed.interval?.lower, $0.observed.interval?.upper]
        }
        .compactMap { $0 }.map { $0 * scale }
        let x = ReportPage.padded(predicted + [0])
        let y = ReportPage.padded(observed + [0])
        var chart = SVGChart(
            id: "calibration", title: "Predicted against observed effect",
            description: usable.map {
                "predicted \(figure.effect($0.predicted)), observed \(figure.effect($0.observed.effect))"
            }
            .joined(separator: "; "), x: x, y: y)
        chart.verticalAxis(SVGChart.ticks(y, 5).map { ($0, ReportPage.tick($0)) })
        chart.horizontalAxis(
            SVGChart.ticks(x, 5).map { ($0, ReportPage.tick($0)) }, title: "predicted effect, \(figure.unit)")
        chart.line([(x.lowerBound, x.lowerBound), (x.upperBound, x.upperBound)], "random")
        if let slope = calibration.slope, let intercept = calibration.intercept {
            let from = predicted.min() ?? 0
            let to = predicted.max() ?? 0
            chart.line([(from, intercept * scale + slope * from), (to, intercept * scale + slope * to)], "fit")
        }
        for bin in usable {
            guard let at = bin.predicted, let effect = bin.observed.effect else { continue }
            if let interval = bin.observed.interval {
                chart.whisker(at * scale, Interval(lower: interval.lower * scale, upper: interval.upper * scale))
            }
            chart.dot(
                at * scale, effect * scale,
                tip: "predicted \(figure.effect(at)), observed \(figure.effect(effect))")
        }
        return ReportPage.figure(
            "Calibration",
            ReportPage.legend([
                ("dot", "observed effect of a bin"), ("fit", "fitted line"), ("random", "perfectly calibrated"),
            ]),
            chart.element,
            "A point on the dotted line is a bin whose predicted effect came true. A fitted line flatter than the dotted one "
                + "says that the predictions are too far apart (slope below 1); \(calibration.covered) of \(bins.count) bins "
                + "hold their prediction within the interval.")
    }
}

extension GroupEffect {
    /// What a chart must have room for.
    fileprivate var extent: [Double] { [effect, interval?.lower, interval?.upper].compactMap { $0 } }
}
