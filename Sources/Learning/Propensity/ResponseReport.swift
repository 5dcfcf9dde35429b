import Report
import Scoring
import Statistics
import Terminal
import Trees

/// What a training says in plain words before its numbers.
extension ResponseResult {
    package var notes: [String] {
        request.notes + categoryNotes
            + outcomes.flatMap { outcome -> [String] in
                var notes: [String] = outcome.suspects
                let share = outcome.test.share
                let major = max(share, 1 - share)
                if major >= 0.7 {
                    let words =
                        share > 0.5 ? "everybody has '\(outcome.name)'" : "nobody has '\(outcome.name)'"
                    notes.append(
                        "\(Figure.share(share)) of the test rows have '\(outcome.name)': saying that \(words) is right for "
                            + "\(Figure.share(major)) of them, this model for \(Figure.share(outcome.test.accuracy)). "
                            + (share > 0.5
                                ? "Its F1 of \(Figure.fixed(outcome.test.f1, 3)) stands beside "
                                    + "\(Figure.fixed(outcome.everybody.f1, 3)) for predicting it of everybody. " : "")
                            + (isNoBetter(outcome)
                                ? "By its decisions the model is close to that guess; look at ROC AUC." : ""))
                }
                if let area = outcome.intervals["roc_auc"], area.lower <= 0.5 {
                    notes.append(
                        "The interval of the ROC AUC for '\(outcome.name)' (\(Figure.fixed(area.lower, 3)) to "
                            + "\(Figure.fixed(area.upper, 3))) includes .5: on \(outcome.scored.count) test rows the ranking "
                            + "cannot be told from chance.")
                }
                if let fit = outcome.fit.linear, !fit.converged {
                    notes.append(
                        "The logistic regression of '\(outcome.name)' did not come to rest: the classes may be separable. "
                            + "Raise --l2.")
                }
                return notes
            }
    }

    /// Whether the decisions at the threshold are hardly better than one answer for all: where the outcome is rare, accuracy
    /// alone cannot tell.
    private func isNoBetter(_ outcome: OutcomeResult) -> Bool {
        let major = max(outcome.test.share, 1 - outcome.test.share)
        return outcome.test.accuracy - major < 0.1 * (1 - major) && outcome.test.f1 - outcome.everybody.f1 < 0.02
    }

    /// What became of categories with many texts.
    private var categoryNotes: [String] {
        zip(request.columns, preprocessing.inputs).compactMap { column, input in
            guard let levels = column.levels, let kept = input.levels else { return nil }
            if levels.count > Preprocessing.mostLevels {
                return
                    "'\(column.name)' has \(levels.count) texts: the \(kept.count) most frequent of the training rows are "
                    + "columns of their own, all others count as unknown."
            }
            return nil
        }
            + (learner == .boosted && request.settings.leaf == nil && request.settings.hasRareTexts
                ? [
                    "A category has many texts of fewer than \(request.settings.leafRows) training rows: leaves of boosted trees "
                        + "hold \(request.settings.boostedLeaf) rows at the least, so that they can tell them apart (--leaf)."
                ] : [])
    }

    /// One sentence on the whole.
    package var verdict: String {
        let parts = outcomes.map { outcome in
            "\(outcome.name): ROC AUC \(Figure.fixed(outcome.test.rocAUC, 3))"
                + (outcome.intervals["roc_auc"].map {
                    " (\(Figure.fixed($0.lower, 3)) to \(Figure.fixed($0.upper, 3)))"
                } ?? "")
        }
        return "\(learner.rawValue) model on \(split.test.count) test rows. " + parts.joined(separator: "; ")
    }

    private static let titles = [
        "accuracy": "accuracy", "precision": "precision", "recall": "recall", "f1": "F1", "roc_auc": "ROC AUC",
        "pr_auc": "PR AUC", "log_loss": "log loss", "brier": "Brier score",
    ]

    static func title(_ metric: String) -> String { titles[metric] ?? metric }

    // MARK: Terminal

    package var text: String {
        var lines = [
            verdict, "",
            "\(split.train.count) training, \(split.validation.count) validation and \(split.test.count) test rows, "
                + "stratified, seed \(request.seed); model chosen by \(Self.title(request.metric)) in "
                + "\(request.folds)-fold cross-validation", "",
        ]
        var compared = Table(
            columns: [.text("learner")] + ClassificationMetrics.names.map { .number(Self.title($0)) }
                + [.number("s")])
        for entry in comparison {
            compared.add(
                ["\(entry.learner.rawValue)\(entry.learner == learner ? " *" : "")"]
                    + ClassificationMetrics.names.map { Figure.fixed(entry.metrics[$0] ?? .nan, 4) }
                    + [Figure.fixed(entry.seconds, 2)])
        }
        lines += compared.lines()
        for outcome in outcomes { lines += [""] + text(outcome) }
        let notes = notes
        if !notes.isEmpty { lines += [""] + notes }
        return lines.joined(separator: "\n") + "\n"
    }

    private func text(_ outcome: OutcomeResult) -> [String] {
        var table = Table(
            .text("\(outcome.name), test rows"), .number("value"), .text("\(Figure.share(request.level)) interval"),
            .number("everybody"))
        for name in ClassificationMetrics.names {
            let interval = outcome.intervals[name]
            table.add(
                Self.title(name), Figure.fixed(outcome.test[name] ?? .nan, 4),
                interval.map { "\(Figure.fixed($0.lower, 4)) to \(Figure.fixed($0.upper, 4))" } ?? "–",
                Figure.fixed(outcome.everybody[name] ?? .nan, 4))
        }
        let m = outcome.test
        var lines = table.lines()
        lines.append(
            "threshold \(Figure.fixed(outcome.threshold, 4)) (chosen on validation rows): "
                + "\(Figure.count(m.truePositive)) true and \(Figure.count(m.falsePositive)) false positives, "
                + "\(Figure.count(m.trueNegative)) true and \(Figure.count(m.falseNegative)) false negatives")
        lines.append("")
        var features = Table(
            .text("feature"), .number("permutation"), .number("gain"), .number("correlation"))
        for feature in outcome.importance.sorted(by: { $0.permutation > $1.permutation }).prefix(20) {
            features.add(
                feature.name, Figure.fixed(feature.permutation, 4), feature.gain.map { Figure.fixed($0, 4) } ?? "–",
                feature.correlation.map { Figure.fixed($0, 4) } ?? "–")
        }
        lines += features.lines()
        guard let fit = outcome.fit.linear else { return lines }
        var coefficients = Table(
            .text("column"), .number("coefficient"), .number("std error"), .number("z"), .number("a std deviation adds")
        )
        coefficients.add(
            "(intercept)", Figure.fixed(fit.intercept, 4), Figure.fixed(fit.interceptError, 4),
            Figure.fixed(fit.intercept / fit.interceptError, 2), "")
        for (index, name) in columnNames.enumerated() {
            coefficients.add(
                name, Figure.fixed(fit.coefficients[index], 4), Figure.fixed(fit.standardErrors[index], 4),
                Figure.fixed(fit.coefficients[index] / fit.standardErrors[index], 2),
                Figure.fixed(fit.coefficients[index] * outcome.spreads[index], 4))
        }
        return lines + [""] + coefficients.lines()
    }

    // MARK: JSON

    package var json: JSONOutput {
        [
            "kind": .text(Composition.response), "learner": .text(learner.rawValue),
            "rows": .object([
                (name: "train", value: .integer(split.train.count)),
                (name: "validation", value: .integer(split.validation.count)),
                (name: "test", value: .integer(split.test.count)),
            ]), "seed": .integer(Int(truncatingIfNeeded: request.seed)), "selected_by": .text(request.metric),
            "folds": .integer(request.folds),
            "cross_validation": .array(
                comparison.map { entry in
                    .object(
                        [(name: "learner", value: .text(entry.learner.rawValue))]
                            + ClassificationMetrics.names.map { (name: $0, value: .number(entry.metrics[$0] ?? .nan)) }
                            + [(name: "selection_std", value: .number(entry.spread))])
                }), "outcomes": .array(outcomes.map(json)), "notes": .array(notes.map { .text($0) }),
        ]
    }

    private static func json(_ metrics: ClassificationMetrics) -> JSONOutput {
        .object(ClassificationMetrics.names.map { (name: $0, value: .number(metrics[$0] ?? .nan)) })
    }

    private func json(_ outcome: OutcomeResult) -> JSONOutput {
        let m = outcome.test
        var members: [(name: String, value: JSONOutput)] = [
            (name: "name", value: .text(outcome.name)), (name: "threshold", value: .number(outcome.threshold)),
            (name: "test", value: Self.json(m)), (name: "validation", value: Self.json(outcome.validation)),
            (name: "everybody", value: Self.json(outcome.everybody)),
            (
                name: "intervals",
                value: .object(
                    ClassificationMetrics.names.compactMap { name in
                        outcome.intervals[name].map {
                            (name: name, value: .array([.number($0.lower), .number($0.upper)]))
                        }
                    })
            ),
            (
                name: "confusion",
                value: [
                    "true_positive": .number(m.truePositive), "false_positive": .number(m.falsePositive),
                    "true_negative": .number(m.trueNegative), "false_negative": .number(m.falseNegative),
                ]
            ),
            (
                name: "calibration",
                value: .array(
                    outcome.calibration.map { bin in
                        [
                            "rows": .integer(bin.rows), "predicted": .number(bin.predicted),
                            "observed": .number(bin.observed),
                            "interval": .array([.number(bin.interval.lower), .number(bin.interval.upper)]),
                        ]
                    })
            ),
            (
                name: "importance",
                value: .array(
                    outcome.importance.map { feature in
                        [
                            "feature": .text(feature.name), "permutation": .number(feature.permutation),
                            "gain": feature.gain.map { .number($0) } ?? .null,
                            "correlation": feature.correlation.map { .number($0) } ?? .null,
                        ]
                    })
            ),
        ]
        if let fit = outcome.fit.linear {
            let rows: [JSONOutput] = columnNames.indices.map { index in
                [
                    "column": .text(columnNames[index]), "coefficient": .number(fit.coefficients[index]),
                    "std_error": .number(fit.standardErrors[index]),
                    "standardised": .number(fit.coefficients[index] * outcome.spreads[index]),
                ]
            }
            members.append((name: "intercept", value: .number(fit.intercept)))
            members.append((name: "coefficients", value: .array(rows)))
        }
        if let trees = outcome.fit.ensemble { members.append((name: "trees", value: .integer(trees.trees.count))) }
        return .object(members)
    }
}
