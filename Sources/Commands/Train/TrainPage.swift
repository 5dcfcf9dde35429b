import Report
import Rows
import Scoring
import Statistics
import Terminal
import Training

/// The report of a training as one page that needs nothing but itself.
struct TrainPage {
    private let data: TrainingData
    private let options: CausalOptions
    private let result: TrainingResult
    private let findings: TrainFindings
    private let figure: Figure

    init(_ data: TrainingData, _ options: CausalOptions, _ result: TrainingResult, _ findings: TrainFindings) {
        self.data = data
        self.options = options
        self.result = result
        self.findings = findings
        let isBinary = data.outcomes.first?.buffer.allSatisfy { $0 == 0 || $0 == 1 } ?? false
        figure = Figure(
            binary: isBinary, scale: result.outcomes.first?.averages.first?.estimate ?? 1,
            outcomes: Double(data.count))
    }

    var html: String {
        ReportPage.document(
            title: "\(options.settings.name): what was trained, and whether to believe it",
            verdict: HTML.escape(TrainText.verdict(data, result)),
            subtitle:
                "effect of \(data.plan.effects.joined(separator: ", ")) on \(data.plan.outcomes.joined(separator: ", ")) · "
                + "\(Figure.count(Double(data.count))) rows · \(data.plan.features.count) features · \(options.kind)",
            tiles: tiles,
            body: [
                effects, charts, policy, comparison, trial, importance, choices,
                ReportPage.notes(TrainText.warnings(data, result, findings)), provenance,
            ].joined(separator: "\n"))
    }

    private func interval(_ average: (estimate: Double, standardError: Double, rows: Int)) -> Interval {
        Interval(
            lower: average.estimate - 1.959964 * average.standardError,
            upper: average.estimate + 1.959964 * average.standardError)
    }

    private var tiles: String {
        guard let outcome = result.outcomes.first, let average = outcome.averages.first,
            let test = outcome.calibrations.first
        else { return "" }
        // Of several effects they show the first, by its name.
        let of =
            result.outcomes.count * data.plan.effects.count > 1
            ? " of \(data.plan.effects[0]) on \(outcome.name)" : ""
        var tiles: [(name: String, value: String, below: String)] = [
            ("Average effect\(of)", figure.effect(average.estimate), figure.effect(interval(average))),
            (
                "Heterogeneity\(of)", TrainText.p(test.pValue),
                "slope \(Figure.fixed(test.heterogeneity, 2)) ± \(Figure.fixed(1.959964 * test.heterogeneityError, 2)), 1 is right"
            ),
        ]
        if let ranking = findings.diagnostics?.ranking.first?.first {
            tiles.append(
                ("AUTOC\(of)", figure.effect(ranking.autoc.value), figure.effect(ranking.autoc.interval(level: 0.95))))
        }
        if let policy = findings.policy {
            tiles.append(
                (
                    "Policy tree over the best for everyone", figure.effect(policy.gain.estimate),
                    "± \(figure.distance(1.959964 * policy.gain.standardError)), held-out rows"
                ))
        }
        return ReportPage.tiles(tiles)
    }

    private var effects: String {
        let rows = result.outcomes.flatMap { outcome in
            data.plan.effects.enumerated().map { effect, name -> [String] in
                let (average, test) = (outcome.averages[effect], outcome.calibrations[effect])
                return [
                    name, outcome.name, figure.bare(average.estimate), figure.bare(interval(average)),
                    "\(Figure.fixed(test.mean, 2)) ± \(Figure.fixed(1.959964 * test.meanError, 2))",
                    "\(Figure.fixed(test.heterogeneity, 2)) ± \(Figure.fixed(1.959964 * test.heterogeneityError, 2))",
                    TrainText.p(test.pValue),
                ]
            }
        }
        return ReportPage.section(
            "The effect on average, and whether it differs",
            "<p class=\"muted\">Averages are doubly robust (AIPW). Calibration: near 1 the average is right; heterogeneity: "
                + "above 0 differences are real, near 1 they have the right size (best linear predictor, one-sided p). ± is half of a 95 % interval.</p>"
                + HTML.table(
                    "Effects in \(figure.unit)",
                    [
                        ("effect", false), ("outcome", false), ("average", true), ("95 % interval", true),
                        ("calibration", true), ("heterogeneity", true), ("p", true),
                    ], rows))
    }

    private var charts: String {
        var figures: [String] = []
        if let ranking = findings.diagnostics?.ranking.first?.first, !ranking.curve.isEmpty {
            let scale = figure.percent ? 100.0 : 1
            let points = ranking.curve.map { point -> (x: Double, value: Double, low: Double, high: Double) in
                let interval = point.gain.interval(level: 0.95)
                return (
                    point.share * 100, point.gain.value * scale, (interval?.lower ?? point.gain.value) * scale,
                    (interval?.upper ?? point.gain.value) * scale
                )
            }
            var chart = SVGChart(
                id: "toc", title: "Targeting operator characteristic",
                description: "The average effect among the people of the greatest estimated effects less that of all.",
                x: 0...100, y: ReportPage.padded(points.flatMap { [$0.low, $0.high] } + [0]))
            chart.verticalAxis(SVGChart.ticks(chart.y, 5).map { (at: $0, label: ReportPage.tick($0)) })
            chart.horizontalAxis(
                [0.0, 25, 50, 75, 100].map { (at: $0, label: "\(Int($0)) %") },
                title: "share treated, greatest effects first")
            chart.band(points.map { (x: $0.x, low: $0.low, high: $0.high) }, "band")
            chart.line(points.map { (x: $0.x, y: $0.value) }, "model")
            figures.append(
                ReportPage.figure(
                    "What ranking gains",
                    ReportPage.legend([("model", "effect among them less the average"), ("band", "95 % interval")]),
                    chart.element,
                    "In \(figure.unit). Above zero on the left: the people ranked first gain more than people on average. "
                        + "Each row is judged by a model that has not seen it (three folds)."))
        }
        if let overlap = findings.diagnostics?.overlap {
            let most = Double(overlap.histogram.max() ?? 1)
            var chart = SVGChart(
                id: "overlap", title: "Overlap",
                description: "How many rows had which chance of \(data.plan.effects[0]).",
                x: 0...1, y: 0...(most * 1.06))
            chart.verticalAxis(SVGChart.ticks(chart.y, 4).map { (at: $0, label: ReportPage.tick($0)) })
            chart.horizontalAxis(
                [0.0, 0.25, 0.5, 0.75, 1].map { (at: $0, label: ReportPage.tick($0)) },
                title: "chance of \(data.plan.effects[0])"
            )
            for (index, count) in overlap.histogram.enumerated() {
                let low = Double(index) / 20
                chart.bar(low, low + 0.05, Double(count), "plain", tip: "\(Figure.count(Double(count))) rows")
            }
            figures.append(
                ReportPage.figure(
                    "Overlap", "", chart.element,
                    zip(data.plan.effects, overlap.arms).map {
                        "\($0): from \(Figure.fixed($1.least, 2)) to \(Figure.fixed($1.greatest, 2)); "
                    }.joined()
                        + "\(Figure.share(overlap.thin)) of the rows had a chance below 5 % of some arm. Effects are only known "
                        + "where every arm was possible."))
        }
        guard !figures.isEmpty else { return "" }
        return ReportPage.section(
            "Ranking and overlap", "<div class=\"charts\">\(figures.joined(separator: "\n"))</div>")
    }

    private var policy: String {
        guard let policy = findings.policy else { return "" }
        let segments = HTML.table(
            "Segments of the policy tree, on held-out rows",
            [(title: "who", isNumber: false), (title: "gets", isNumber: false), (title: "share", isNumber: true)]
                + data.plan.effects.map { (title: "effect of \($0)", isNumber: true) },
            policy.segments.map { segment in
                [segment.words, segment.arm ?? "nothing", Figure.share(segment.share)]
                    + segment.effects.map {
                        "\(figure.effect($0.estimate)) ± \(figure.distance(1.959964 * $0.standardError))"
                    }
            })
        let values = HTML.table(
            "Value of policies for \(result.outcomes.first?.name ?? ""), less the costs, against treating nobody",
            [("policy", false), ("value per person", true), ("95 % interval", true)],
            (policy.values + [policy.gain]).map { value in
                let bounds = Interval(
                    lower: value.estimate - 1.959964 * value.standardError,
                    upper: value.estimate + 1.959964 * value.standardError)
                return [value.name, figure.bare(value.estimate), figure.bare(bounds)]
            })
        return ReportPage.section(
            "Whom to treat",
            "<p class=\"muted\">The best tree of depth \(policy.depth) by exact search on one half of the rows, judged on the "
                + "other (\(Figure.count(Double(policy.heldOut))) rows).</p>\(segments)\(values)")
    }

    private var comparison: String {
        guard let comparison = findings.comparison else { return "" }
        return ReportPage.section(
            "Learners compared",
            "<p><strong>\(HTML.escape(comparison.advice))</strong></p>"
                + HTML.table(
                    "On rows held out (three folds)",
                    [
                        ("learner", false), ("Qini", true), ("95 %", true), ("AUTOC", true), ("R-loss", true),
                        ("CPU s", true),
                    ],
                    comparison.entries.map { entry in
                        [
                            entry.label, figure.bare(entry.qini.value), figure.bare(entry.qini.interval(level: 0.95)),
                            figure.bare(entry.autoc.value), entry.rLoss.map { TrainText.number($0) } ?? "–",
                            Figure.fixed(entry.seconds, 1),
                        ]
                    }))
    }

    private var trial: String {
        guard let diagnostics = findings.diagnostics else { return "" }
        var parts: [String] = []
        if let ratio = diagnostics.sampleRatio {
            parts.append(
                "<p>Sample ratio: p = \(TrainText.p(ratio.pValue))"
                    + (ratio.isMismatch
                        ? ": <strong class=\"bad\">the arms are not as large as they should be</strong>"
                        : ", as assigned")
                    + ".</p>")
        }
        for balance in diagnostics.balance {
            parts.append(
                HTML.table(
                    "Balance of \(balance.arm) and the control: standardised differences",
                    [("feature", false), ("as they are", true), ("after weighting", true)],
                    balance.features.prefix(12).map {
                        [$0.name, Figure.fixed($0.before, 3), Figure.fixed($0.after, 3)]
                    }))
        }
        if !findings.refutations.isEmpty {
            parts.append(
                HTML.table(
                    "Refutations",
                    [("what", false), ("average", true), ("heterogeneity p", true), ("expected", false), ("", false)],
                    findings.refutations.map {
                        [
                            $0.name, "\(figure.bare($0.average)) ± \(figure.distance(1.959964 * $0.standardError))",
                            TrainText.p($0.heterogeneity), $0.expects, $0.holds ? "holds" : "FAILS",
                        ]
                    }))
        }
        return ReportPage.section("The trial itself", parts.joined(separator: "\n"))
    }

    private var importance: String {
        let sorted = findings.importance.enumerated().sorted { ($0.element.1, $1.offset) > ($1.element.1, $0.offset) }
        guard !sorted.isEmpty else { return "" }
        return ReportPage.section(
            "What the effect depends on",
            HTML.table(
                "Share of the splits, those near the root counting more; with an offset, share of the effects' variance",
                [("feature", false), ("importance", true)],
                sorted.prefix(20).map { [$0.element.0, Figure.fixed($0.element.1, 3)] }))
    }

    private var choices: String {
        let nuisances = HTML.table(
            "Nuisances: mean squared error on rows left out", [("of", false), ("chosen", false), ("errors", false)],
            result.nuisances.reports.map { report in
                [
                    report.name, report.chosen,
                    report.errors.map { "\($0.model) \(TrainText.number($0.error))" }.joined(separator: ", "),
                ]
            })
        let others = result.outcomes.flatMap { outcome in
            outcome.choices.map { choice in
                [
                    outcome.name, choice.what, choice.chosen,
                    choice.losses.map { "\($0.name) \(TrainText.number($0.loss))" }.joined(separator: ", "),
                ]
            }
        }
        let table =
            others.isEmpty
            ? ""
            : HTML.table(
                "Choices by the out-of-bag R-loss",
                [("outcome", false), ("what", false), ("chosen", false), ("losses", false)], others)
        let linear = result.coefficients.first?.enumerated().map { effect, coefficients in
            HTML.table(
                "Linear effect of \(data.plan.effects[effect]), per unit of each feature",
                [("term", false), ("coefficient", true), ("std. error", true), ("p", true)],
                coefficients.map {
                    [
                        $0.label, TrainText.number($0.estimate), TrainText.number($0.standardError),
                        TrainText.p($0.pValue),
                    ]
                })
        }
        return ReportPage.section("Choices that the data made", nuisances + table + (linear ?? []).joined())
    }

    private var provenance: String {
        ReportPage.provenance([
            ("Rows", options.request.rows), ("Model", options.output), ("SHA-256 of the model", result.sha256),
            ("Seed", "\(options.settings.grower.seed)"), ("Trees", Figure.count(Double(result.trees))),
            ("Intervals", "from little bags; those of single people ignore how offset and leaf were chosen"),
            ("Command", EvaluateCommand.commandLine), ("Program", "impactiq \(CommandLineTool.version)"),
        ])
    }
}
