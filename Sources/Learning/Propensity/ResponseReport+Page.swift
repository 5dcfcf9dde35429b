import Report
import Statistics

/// The training as one page that needs nothing but itself.
extension ResponseResult {
    package func html(title: String, facts: [(name: String, value: String?)]) -> String {
        let sections = outcomes.map { outcome in
            let name = outcomes.count > 1 ? "\(outcome.name): " : ""
            return ReportPage.section(
                "\(name)how well it tells buyers from others",
                "<div class=\"charts\">\n\(rocChart(outcome))\n\(calibrationChart(outcome))\n</div>\n"
                    + metricsTable(outcome) + confusionTable(outcome))
                + ReportPage.section("\(name)what it looks at", importanceTable(outcome) + coefficientTable(outcome))
        }
        return ReportPage.document(
            title: title, verdict: HTML.escape(verdict),
            subtitle:
                "\(split.train.count) training, \(split.validation.count) validation and \(split.test.count) test rows, "
                + "seed \(request.seed) · \(Figure.share(request.level)) intervals", tiles: tiles,
            body: ReportPage.notes(notes) + sections.joined() + comparisonSection + ReportPage.provenance(facts))
    }

    private var tiles: String {
        // With several outcomes the tiles say whose they are.
        outcomes.map { outcome in
            (outcomes.count > 1 ? "<h2>\(HTML.escape(outcome.name))</h2>\n" : "") + tiles(outcome)
        }.joined()
    }

    private func tiles(_ outcome: OutcomeResult) -> String {
        func tile(_ metric: String) -> (name: String, value: String, below: String) {
            let interval = outcome.intervals[metric].map {
                "\(Figure.fixed($0.lower, 3)) to \(Figure.fixed($0.upper, 3))"
            }
            return (Self.title(metric), Figure.fixed(outcome.test[metric] ?? .nan, 3), interval ?? "no interval")
        }
        return ReportPage.tiles(
            ["roc_auc", "pr_auc", "f1", "recall", "precision", "brier"].map(tile)
                + [("Threshold", Figure.fixed(outcome.threshold, 3), "chosen on validation rows")])
    }

    private func rocChart(_ outcome: OutcomeResult) -> String {
        let curves = outcome.scored.curves()
        var chart = SVGChart(
            id: "roc-\(outcomeNumber(outcome))", title: "ROC curve of \(outcome.name)",
            description: "True positive rate by false positive rate; area \(Figure.fixed(outcome.test.rocAUC, 3)).",
            x: 0...1, y: 0...1)
        let ticks = [0, 0.2, 0.4, 0.6, 0.8, 1].map { ($0, Figure.share($0)) }
        chart.verticalAxis(ticks)
        chart.horizontalAxis(ticks, title: "others taken for buyers")
        chart.line([(0, 0), (1, 1)], "random")
        chart.line(curves.roc, "model")
        return ReportPage.figure(
            "ROC curve", ReportPage.legend([("model", "this model"), ("random", "chance")]), chart.element,
            "Each point is a threshold: how many of those with the outcome are found, against how many of the others are "
                + "taken for them. The area is the probability that a random one with it scores above a random one without."
        )
    }

    private func calibrationChart(_ outcome: OutcomeResult) -> String {
        var chart = SVGChart(
            id: "calibration-\(outcomeNumber(outcome))", title: "Calibration of \(outcome.name)",
            description: outcome.calibration.map {
                "predicted \(Figure.share($0.predicted)), observed \(Figure.share($0.observed))"
            }.joined(separator: "; "), x: 0...1, y: 0...1)
        let ticks = [0, 0.2, 0.4, 0.6, 0.8, 1].map { ($0, Figure.share($0)) }
        chart.verticalAxis(ticks)
        chart.horizontalAxis(ticks, title: "predicted probability")
        chart.line([(0, 0), (1, 1)], "random")
        for bin in outcome.calibration {
            chart.whisker(bin.predicted, bin.interval)
            chart.dot(
                bin.predicted, bin.observed,
                tip:
                    "\(bin.rows) rows: predicted \(Figure.share(bin.predicted)), observed \(Figure.share(bin.observed))"
            )
        }
        return ReportPage.figure(
            "Calibration", ReportPage.legend([("dot", "a tenth of the test rows"), ("random", "perfect")]),
            chart.element,
            "Of the rows with a predicted probability near p, a share p should have the outcome. Whiskers that miss the "
                + "dotted line say that the probabilities are not to be taken at their word.")
    }

    private func outcomeNumber(_ outcome: OutcomeResult) -> Int {
        outcomes.firstIndex { $0.name == outcome.name } ?? 0
    }

    private func metricsTable(_ outcome: OutcomeResult) -> String {
        HTML.table(
            "Metrics on test rows",
            [("metric", false), ("this model", true), ("interval", false), ("predicting it of everybody", true)],
            ClassificationMetrics.names.map { name in
                [
                    Self.title(name), Figure.fixed(outcome.test[name] ?? .nan, 4),
                    outcome.intervals[name].map { "\(Figure.fixed($0.lower, 4)) to \(Figure.fixed($0.upper, 4))" }
                        ?? "–",
                    Figure.fixed(outcome.everybody[name] ?? .nan, 4),
                ]
            })
    }

    private func confusionTable(_ outcome: OutcomeResult) -> String {
        let m = outcome.test
        return HTML.table(
            "Confusion matrix at the threshold \(Figure.fixed(outcome.threshold, 3))",
            [("", false), ("predicted", true), ("not predicted", true)],
            [
                ["with the outcome", Figure.count(m.truePositive), Figure.count(m.falseNegative)],
                ["without", Figure.count(m.falsePositive), Figure.count(m.trueNegative)],
            ])
    }

    private func importanceTable(_ outcome: OutcomeResult) -> String {
        HTML.table(
            "Importance of the features",
            [
                ("feature", false), ("fall of ROC AUC when shuffled", true), ("share of gain", true),
                ("correlation", true),
            ],
            outcome.importance.sorted { $0.permutation > $1.permutation }.prefix(40).map { feature in
                [
                    feature.name, Figure.fixed(feature.permutation, 4),
                    feature.gain.map { Figure.share($0) } ?? "–",
                    feature.correlation.map { Figure.fixed($0, 3) } ?? "–",
                ]
            })
    }

    private func coefficientTable(_ outcome: OutcomeResult) -> String {
        guard let fit = outcome.fit.linear else { return "" }
        let rows = columnNames.indices.map { index in
            [
                columnNames[index], Figure.fixed(fit.coefficients[index], 4),
                Figure.fixed(fit.standardErrors[index], 4),
                Figure.fixed(fit.coefficients[index] / fit.standardErrors[index], 2),
            ]
        }
        return HTML.table(
            "Coefficients (of scaled columns)",
            [("column", false), ("coefficient", true), ("standard error", true), ("z", true)],
            [["(intercept)", Figure.fixed(fit.intercept, 4), Figure.fixed(fit.interceptError, 4), ""]] + rows)
    }

    private var comparisonSection: String {
        ReportPage.section(
            "Which learner, and why",
            HTML.table(
                "\(request.folds)-fold cross-validation on the training rows; the best \(Self.title(request.metric)) was kept",
                [("learner", false)] + ClassificationMetrics.names.map { (Self.title($0), true) },
                comparison.map { entry in
                    ["\(entry.learner.rawValue)\(entry.learner == learner ? " (kept)" : "")"]
                        + ClassificationMetrics.names.map { Figure.fixed(entry.metrics[$0] ?? .nan, 4) }
                }))
    }
}
