import Report
import Statistics

/// The report as one page that needs nothing but itself.
extension EvaluationReport {
    /// A complete HTML document: no script, no font, no picture from elsewhere.
    package var html: String {
        let figure = self.figure
        return ReportPage.document(
            title: provenance.title, verdict: ReportPage.verdict(verdict, qini.interval), subtitle: subtitle,
            tiles: tiles(figure),
            body: """
                <section>
                <h2>What targeting by these scores gains</h2>
                <div class="charts">
                \(qiniChart(figure))
                \(upliftChart(figure))
                </div>
                </section>
                <section>
                <h2>Where the effect is</h2>
                <div class="charts">
                \(binChart(figure))
                \(calibrationChart(figure))
                </div>
                </section>
                \(tables(figure))
                \(ReportPage.notes(notes))
                \(provenanceSection)
                """)
    }

    private var subtitle: String {
        var parts = [
            "\(Figure.count(Double(treatedRows))) treated and \(Figure.count(Double(rows - treatedRows))) control rows"
        ]
        if let outcome = provenance.outcomeName { parts.append("outcome “\(outcome)”") }
        if let model = provenance.model {
            parts.append("model \(model)\(provenance.modelVersion.map { " \($0)" } ?? "")")
        }
        parts.append("\(Figure.share(options.level)) intervals")
        return parts.joined(separator: " · ")
    }

    private func tiles(_ figure: Figure) -> String {
        func interval(_ text: String?) -> String { text ?? "no interval" }
        var tiles: [(name: String, value: String, below: String)] = [
            ("Average effect", figure.effect(averageEffect.effect), interval(figure.bare(averageEffect.interval))),
            (
                "Qini coefficient", Figure.coefficient(qini.value),
                qini.remark ?? interval(qini.interval.map { Figure.coefficient($0) })
            ),
            (
                "AUUC", Figure.coefficient(upliftAUC.value),
                upliftAUC.remark ?? interval(upliftAUC.interval.map { Figure.coefficient($0) })
            ),
        ]
        tiles.append(
            (
                "AUTOC", figure.effect(rate.autoc.value),
                interval(self.interval(rate.autoc).map { figure.bare($0) })
            ))
        let middle = topShares.filter { $0.strategy == .overall }.min {
            abs($0.fraction - 0.3) < abs($1.fraction - 0.3)
        }
        if let middle {
            tiles.append(
                (
                    "Uplift, best \(Figure.share(middle.fraction))", figure.effect(middle.effect.effect),
                    middle.effect.remark ?? interval(figure.bare(middle.effect.interval))
                ))
        }
        tiles.append(
            ("Gain peaks at best", Figure.share(best.fraction), "\(figure.outcomes(best.gain)) outcomes"))
        tiles.append(
            (
                "Calibration slope", calibration.slope.map { Figure.fixed($0, 2) } ?? "–",
                interval(
                    calibration.slopeInterval.map { "\(Figure.fixed($0.lower, 2)) to \(Figure.fixed($0.upper, 2))" })
            ))
        return ReportPage.tiles(tiles)
    }

    private var provenanceSection: String {
        ReportPage.provenance([
            ("Data", provenance.data), ("SHA-256 of the data", provenance.dataSHA256),
            ("Outcome", provenance.outcomeName), ("Treated / control label", labels), ("Model", provenance.model),
            ("Model version", provenance.modelVersion), ("SHA-256 of the model", provenance.modelSHA256),
            ("Rows", "\(Figure.count(Double(rows))), \(Figure.count(Double(distinctScores))) distinct scores"),
            ("Weights", weightsText),
            ("Clusters", clusters.map { "\(Figure.count(Double($0.count))) of \($0.name)" }),
            (
                "Sample ratio",
                sampleRatio.map { "p \(Figure.pValue($0.pValue))\($0.isMismatch ? ": mismatch" : "")" }
            ),
            (
                "Intervals",
                "\(Figure.share(options.level)); areas and curves: \(options.replicates) Poisson bootstrap replicates, seed \(options.seed); "
                    + (hasBinaryOutcome ? "effects: Newcombe score" : "effects: Student’s t")
                    + "; targeting and RATE: Student’s t"
            ),
            ("Definitions", "as scikit-uplift 0.5.1: ties in reverse input order, curves at distinct scores"),
            ("Command", provenance.command), ("Made", provenance.time),
        ])
    }

    private var labels: String? {
        guard let treated = provenance.treatedLabel, let control = provenance.controlLabel else { return nil }
        return "\(treated) / \(control)"
    }

    private var weightsText: String {
        if isAdjustedForPropensity { return "inverse propensity, stabilised" }
        return isWeighted ? "\(options.weightMeaning.rawValue) weights" : "none: every row counts 1"
    }
}
