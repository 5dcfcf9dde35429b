import Report
import Statistics
import Terminal

/// The report for a terminal.
extension EvaluationReport {
    var figure: Figure {
        let scale = ([averageEffect.effect] + bins.map(\.effect)).compactMap { $0 }.map(abs).max() ?? 0
        let highest = (upliftCurve.value + qiniCurve.value).map(abs).max() ?? 0
        return Figure(binary: hasBinaryOutcome, scale: scale, outcomes: highest)
    }

    /// One sentence: does the ranking beat chance?
    package var verdict: String {
        if let lacking { return "No verdict: \(lacking)." }
        guard let value = qini.value else {
            return "No verdict: \(qini.remark ?? "the Qini coefficient is not defined")."
        }
        let number = Figure.coefficient(value)
        guard let interval = qini.interval else {
            return "Qini \(number): \(value > 0 ? "above" : "not above") random targeting (no interval was asked for)."
        }
        let range = "Qini \(number), \(Figure.share(options.level)) interval \(Figure.coefficient(interval))"
        if interval.lower > 0 { return "The scores rank people better than chance (\(range))." }
        if interval.upper < 0 { return "The scores rank people worse than chance (\(range))." }
        return "The scores are not shown to rank people better than chance (\(range))."
    }

    /// Tables of every number, aligned.
    ///
    /// - Parameter width: columns of the terminal.
    package func text(width: Int = 100) -> String {
        let figure = self.figure
        var out = "\(provenance.title)\n\(verdict)\n\n"
        out += summary(figure).text(width: width)
        let effects = figure.percent ? " (pp)" : ""
        out += "\nUplift@k\(effects)\n" + topTable(figure).text(width: width)
        out += "\nBins of the ranking, best first\(effects)\n" + binTable(figure).text(width: width)
        out += "\nCumulative gain (outcomes)\n" + gainTable(figure).text(width: width)
        out += "\nTargeting rules, value per person (doubly robust)\n" + targetingTable(figure).text(width: width)
        for section in sections(figure) { out += "\n\(section.title)\n" + section.table.text(width: width) }
        if let comparison { out += "\n\(comparison.verdict)\n" }
        if !notes.isEmpty {
            out += "\nNotes\n"
            for note in notes {
                for (index, line) in TextLayout.wrap(note, width: max(20, width - 2)).enumerated() {
                    out += (index == 0 ? "· " : "  ") + line + "\n"
                }
            }
        }
        return out
    }

    /// The Qini curve beside random targeting.
    ///
    /// - Parameter width: columns that the plot may take; `rows` is its height without axis and legend.
    package func plot(width: Int = 80, rows: Int = 14) -> String {
        let last = qiniCurve.population.last ?? 1
        let random = Curve(population: [0, last], value: [0, qiniCurve.value.last ?? 0])
        let low = min(0, qiniCurve.value.min() ?? 0)
        var high = max(0, qiniCurve.value.max() ?? 0)
        if high == low { high = low + 1 }
        let labels = (top: figure.outcomes(high), bottom: figure.outcomes(low))
        let margin = max(TextLayout.width(labels.top), TextLayout.width(labels.bottom))
        let columns = max(10, width - margin - 2)
        var plot = BraillePlot(columns: columns, rows: rows, x: 0...last, y: low...high)
        plot.draw(random, .dotted)
        plot.draw(qiniCurve)
        var out = "Qini curve: outcomes gained by treating the best-scored first\n"
        let lines = plot.lines
        for (index, line) in lines.enumerated() {
            let label = index == 0 ? labels.top : index == lines.count - 1 ? labels.bottom : ""
            out += Self.pad(label, margin) + (label.isEmpty ? " │" : " ┤") + line + "\n"
        }
        out += Self.pad("", margin) + " └" + String(repeating: "─", count: columns) + "\n"
        let end = Figure.count(last)
        let axis = "0 %" + Self.pad("100 % (\(end))", max(0, columns - 3))
        out += Self.pad("", margin + 2) + axis + "\n"
        let peak = perfectQini?.value.max().map { "; a perfect ranking would peak at \(figure.outcomes($0))" } ?? ""
        return out + "⣀⡠⠔⠊ these scores   ⠄⠄⠄⠄ random targeting\(peak)\n"
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - TextLayout.width(text))) + text
    }

    private func summary(_ figure: Figure) -> Table {
        var table = Table(.text("Number"), .number("Value"), .number("\(Figure.share(options.level)) interval"))
        table.add(
            "rows (treated / control)",
            "\(Figure.count(Double(treatedRows))) / "
                + Figure.count(Double(rows - treatedRows)))
        if let clusters { table.add("clusters (\(clusters.name))", Figure.count(Double(clusters.count))) }
        if let sampleRatio {
            table.add(
                "sample ratio, p", Figure.pValue(sampleRatio.pValue), sampleRatio.isMismatch ? "MISMATCH" : "as planned"
            )
        }
        if let omnibus = balance?.omnibus {
            table.add("balance of all covariates, p", Figure.pValue(omnibus.pValue))
        }
        table.add(
            "mean outcome (treated / control)",
            "\(figure.mean(averageEffect.treated.mean)) / "
                + figure.mean(averageEffect.control.mean))
        table.add(
            "average effect (difference of means)", figure.effect(averageEffect.effect),
            figure.effect(averageEffect.interval))
        table.add("Qini coefficient", Figure.coefficient(qini.value), Figure.coefficient(qini.interval))
        table.add(
            "Qini, perfect without harm", Figure.coefficient(qiniWithoutHarm.value),
            Figure.coefficient(qiniWithoutHarm.interval))
        table.add("AUUC", Figure.coefficient(upliftAUC.value), Figure.coefficient(upliftAUC.interval))
        table.add("AUTOC (RATE)", figure.effect(rate.autoc.value), figure.effect(interval(rate.autoc)))
        table.add("Qini (RATE)", figure.effect(rate.qini.value), figure.effect(interval(rate.qini)))
        if let area = costCurve?.area { table.add("AUCC (cost curve; 0.5 is random)", Figure.coefficient(area)) }
        table.add(
            "weighted average uplift", figure.effect(weightedAverage.overall.value),
            figure.effect(weightedAverage.overall.interval))
        table.add(
            "weighted average uplift, by group", figure.effect(weightedAverage.byGroup.value),
            figure.effect(weightedAverage.byGroup.interval))
        table.add(
            "gain peaks at the best", "\(Figure.share(best.fraction)) (\(figure.outcomes(best.gain)) outcomes)", "")
        table.add(
            "calibration slope", Figure.coefficient(calibration.slope), Figure.coefficient(calibration.slopeInterval))
        table.add("calibration error", figure.distance(calibration.error), "")
        return table
    }

    private func topTable(_ figure: Figure) -> Table {
        var table = Table(
            .number("k"), .text("strategy"), .number("treated"), .number("control"), .number("uplift"),
            .number("interval"), .text(""))
        for top in topShares {
            table.add(
                Figure.share(top.fraction), top.strategy == .overall ? "overall" : "by group",
                Figure.count(top.effect.treated.weight), Figure.count(top.effect.control.weight),
                figure.bare(top.effect.effect), figure.bare(top.effect.interval), top.effect.remark ?? "")
        }
        return table
    }

    private func binTable(_ figure: Figure) -> Table {
        var table = Table(
            .number("bin"), .number("treated"), .number("control"), .number("mean treated"), .number("mean control"),
            .number("predicted"), .number("observed"), .number("interval"), .text(""))
        for (index, bin) in bins.enumerated() {
            table.add(
                String(index + 1), Figure.count(bin.treated.weight), Figure.count(bin.control.weight),
                figure.mean(bin.treated.mean), figure.mean(bin.control.mean),
                figure.bare(calibration.bins[index].predicted), figure.bare(bin.effect), figure.bare(bin.interval),
                bin.remark ?? "")
        }
        return table
    }

    private func gainTable(_ figure: Figure) -> Table {
        var table = Table(
            .number("treated"), .number("gain"), .number("interval"), .number("random"), .number("Qini height"))
        for gain in gains {
            table.add(
                Figure.share(gain.fraction), figure.outcomes(gain.gain), figure.outcomes(gain.gainInterval),
                figure.outcomes(gain.random), figure.outcomes(gain.qini))
        }
        return table
    }

    private func targetingTable(_ figure: Figure) -> Table {
        var table = Table(
            .text("rule"), .number("treats"), .number("value"), .number("vs nobody"), .number("interval"),
            .number("vs all"), .number("interval"), .number("effective rows"))
        for value in targeting {
            table.add(
                value.rule.name, Figure.share(value.treatedShare), figure.mean(value.value.doublyRobust.value),
                figure.bare(value.gainOverNobody.value), figure.bare(value.gainOverNobody.interval),
                figure.bare(value.gainOverEverybody.value), figure.bare(value.gainOverEverybody.interval),
                Figure.count(value.value.effectiveSampleSize.rounded()))
        }
        return table
    }
}
