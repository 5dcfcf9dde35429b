import Report
import Statistics
import Terminal

/// The parts that a report has only when the data has them: experiments, balance, costs, a challenger, several arms. Each is
/// one table, shown alike in a terminal and on the page.
extension EvaluationReport {
    struct Section {
        enum Chart { case none, toc, cost, budget }

        let title: String
        /// How to read it.
        let reading: String
        var chart = Chart.none
        let columns: [(title: String, isNumber: Bool)]
        let rows: [[String]]

        var table: Table {
            var table = Table(columns: columns.map { $0.isNumber ? .number($0.title) : .text($0.title) })
            for row in rows { table.add(row) }
            return table
        }
    }

    /// An interval of the report's level; nil below the least evidence.
    func interval(_ estimate: TrialEstimate) -> Interval? {
        lacking == nil ? estimate.interval(level: options.level) : nil
    }

    func sections(_ figure: Figure) -> [Section] {
        ([experimentSection(figure), balanceSection, rateSection(figure), costSection(figure), comparisonSection]
            .compactMap { $0 } + armSections(figure)).filter { !$0.rows.isEmpty }
    }

    private var level: String { "\(Figure.share(options.level)) interval" }
    private func unit(_ figure: Figure) -> String { figure.percent ? ", pp" : "" }

    private func experimentSection(_ figure: Figure) -> Section? {
        guard !experiments.isEmpty else { return nil }
        return Section(
            title: "Experiments",
            reading: "Each experiment by itself. The average effect of all is their mean, each counted by its rows.",
            columns: [
                ("experiment", false), ("treated", true), ("control", true), ("mean treated", true),
                ("mean control", true), ("effect\(unit(figure))", true), (level, true), ("sample ratio p", true),
            ],
            rows: experiments.map { experiment in
                [
                    experiment.name, Figure.count(Double(experiment.effect.treated.rows)),
                    Figure.count(Double(experiment.effect.control.rows)), figure.mean(experiment.effect.treated.mean),
                    figure.mean(experiment.effect.control.mean), figure.bare(experiment.effect.effect),
                    figure.bare(experiment.effect.interval), Figure.pValue(experiment.sampleRatio?.pValue),
                ]
            })
    }

    private var balanceSection: Section? {
        guard let balance else { return nil }
        let together = balance.omnibus.map {
            " (p \(Figure.pValue($0.pValue)), \($0.degreesOfFreedom) degrees of freedom)"
        }
        return Section(
            title: "Balance of covariates",
            reading:
                "Randomisation makes the arms alike but for chance. A standardised difference over 0.1 is worth a look; "
                + "one covariate in twenty has p below 0.05 by chance, so trust the test of all together"
                + "\(together ?? "").",
            columns: [
                ("covariate", false), ("mean treated", true), ("mean control", true), ("std difference", true),
                ("variance ratio", true), ("missing treated", true), ("missing control", true), ("p", true),
            ],
            rows: balance.covariates.map { covariate in
                func number(_ value: Double?) -> String { value.map { Figure.significant($0) } ?? "–" }
                return [
                    covariate.name, number(covariate.treatedMean), number(covariate.controlMean),
                    covariate.standardizedDifference.map { Figure.fixed($0, 3, sign: true) } ?? "–",
                    covariate.varianceRatio.map { Figure.fixed($0, 2) } ?? "–", Figure.share(covariate.treatedMissing),
                    Figure.share(covariate.controlMissing), Figure.pValue(covariate.pValue),
                ]
            })
    }

    private func rateSection(_ figure: Figure) -> Section? {
        let shown = rate.curve.filter { abs(($0.share * 10).rounded() - $0.share * 10) < 1e-9 }
        return Section(
            title: "Targeting operator characteristic (TOC)",
            reading:
                "How much larger the effect is among the best-scored share than among all, doubly robust. AUTOC is the "
                + "area under it; 0 says that the scores tell nothing about effects.",
            chart: .toc,
            columns: [
                ("best", true), ("beyond the average\(unit(figure))", true), ("std error", true), (level, true),
            ],
            rows: shown.map {
                [
                    Figure.share($0.share), figure.bare($0.gain.value), figure.distance($0.gain.standardError),
                    figure.bare(interval($0.gain)),
                ]
            })
    }

    private func costSection(_ figure: Figure) -> Section? {
        guard let costCurve else { return nil }
        let money = Figure(binary: false, scale: costCurve.best.net.value, outcomes: 0)
        let shown = costCurve.points.filter { abs(($0.share * 10).rounded() - $0.share * 10) < 1e-9 }
        return Section(
            title: "Cost curve",
            reading: "What treating the best-scored share costs and brings, per person of all; net is the outcome at "
                + "\(Figure.significant(options.outcomeValue)) each, less the cost. It is highest at the best "
                + "\(Figure.share(costCurve.best.share)).",
            chart: .cost,
            columns: [
                ("best", true), ("cost", true), ("gain\(unit(figure))", true), (level, true), ("net", true),
                (level, true),
            ],
            rows: shown.map { point in
                [
                    Figure.share(point.share), Figure.significant(point.cost.value), figure.bare(point.gain.value),
                    figure.bare(interval(point.gain)), money.bare(point.net.value), money.bare(interval(point.net)),
                ]
            })
    }

    private var comparisonSection: Section? {
        guard let comparison else { return nil }
        func rows(
            _ differences: [ScoreComparison.Difference], _ level: (Double) -> String, _ change: (Double) -> String,
            _ range: (Interval?) -> String
        ) -> [[String]] {
            differences.map {
                [
                    $0.name, level($0.champion), level($0.challenger), change($0.difference), range($0.interval),
                    Figure.pValue($0.pValue),
                ]
            }
        }
        let values = Figure(binary: hasBinaryOutcome, scale: averageEffect.effect ?? 0, outcomes: 0)
        return Section(
            title: "Challenger \(comparison.challenger) against champion \(comparison.champion), paired",
            reading:
                "Both scores on the same rows: differences are challenger less champion, and what both share cancels "
                + "in their intervals. Several numbers are tested at once, so look at the one that you chose before.",
            columns: [
                ("number", false), ("champion", true), ("challenger", true), ("difference", true), (level, true),
                ("p", true),
            ],
            rows: rows(comparison.areas, { Figure.fixed($0, 4) }, { Figure.fixed($0, 4) }, { Figure.coefficient($0) })
                + rows(comparison.rates, { values.effect($0) }, { values.effect($0) }, { values.bare($0) })
                + rows(comparison.values, { values.mean($0) }, { values.effect($0) }, { values.bare($0) }))
    }

    private func armSections(_ figure: Figure) -> [Section] {
        guard let arms else { return [] }
        let money = Figure(
            binary: figure.percent && !arms.hasCosts && arms.outcomeValue == 1,
            scale: arms.arms.map { abs($0.net.value) }.max() ?? 0, outcomes: 0)
        let each = Section(
            title: "Each arm against \(arms.control) (doubly robust)",
            reading:
                "Doubly robust, over everyone: each mean is what all people would have had under the arm, adjusted for who got "
                + "it, so that it differs a little from the arm's plain mean and the effect from the difference of means. Net is the effect at \(Figure.significant(arms.outcomeValue)) per outcome, "
                + "less the arm's cost.",
            columns: [
                ("arm", false), ("rows", true), ("adjusted mean", true), ("effect\(unit(figure))", true), (level, true),
                ("cost", true), ("net", true), (level, true),
            ],
            rows: [
                [
                    arms.control, Figure.count(Double(arms.controlRows)), figure.mean(arms.controlMean.value), "–", "–",
                    "–", "–", "–",
                ]
            ]
                + arms.arms.map { arm in
                    [
                        arm.label, Figure.count(Double(arm.rows)), figure.mean(arm.mean.value),
                        figure.bare(arm.effect.value), figure.bare(arm.effect.interval),
                        arms.hasCosts ? Figure.significant(arm.cost) : "–", money.bare(arm.net.value),
                        money.bare(arm.net.interval),
                    ]
                })
        let rankings = Section(
            title: "Each arm's own score",
            reading:
                "How well the score of an arm ranks people for that arm against \(arms.control): Qini by the rows of both, AUTOC "
                + "and effects doubly robust over the rows of all arms, so that they differ a little from those above, which "
                + "rest on the rows of two arms alone.",
            columns: [
                ("arm", false), ("Qini coefficient", true), (level, true), ("AUTOC\(unit(figure))", true),
                (level, true),
            ],
            rows: arms.arms.map { arm in
                [
                    arm.label, Figure.coefficient(arm.qini?.value), Figure.coefficient(arm.qini?.interval),
                    figure.bare(arm.rate.autoc.value), figure.bare(interval(arm.rate.autoc)),
                ]
            })
        let choice = Section(
            title: "Which arm for whom",
            reading: "What each way to choose would have earned per person, doubly robust; shares are of "
                + "\(([arms.control] + arms.arms.map(\.label)).joined(separator: " / ")). The best arm for each is the one "
                + "with the highest predicted net value, control when none is over 0; \(arms.bestArm) is the best single arm. "
                + "It was chosen by these same rows, so it is a little flattered.",
            columns: [
                ("who gets what", false), ("shares", false), ("value", true), ("over nobody\(unit(figure))", true),
                (level, true),
            ],
            rows: arms.choices.map { choice in
                [
                    choice.name, choice.shares.map { Figure.share($0) }.joined(separator: " / "),
                    figure.mean(choice.value.value), figure.bare(choice.gainOverNobody.value),
                    figure.bare(choice.gainOverNobody.interval),
                ]
            })
        let against = Section(
            title: "The choice against \(arms.bestArm) for everybody",
            reading: "The same ways to choose against the best single arm, and what they earn less the arms' costs.",
            columns: [
                ("who gets what", false), ("over \(arms.bestArm)\(unit(figure))", true), (level, true), ("net", true),
                (level, true),
            ],
            rows: arms.choices.map { choice in
                [
                    choice.name, figure.bare(choice.gainOverBestArm.value),
                    figure.bare(choice.gainOverBestArm.interval),
                    money.bare(choice.net.value), money.bare(choice.net.interval),
                ]
            })
        let every = max(1, (arms.budget.points.count - 1) / 10)
        let budget = Section(
            title: "Multi-arm Qini curve",
            reading:
                "What the best use of a budget gains per person: upgrades are bought by predicted effect per unit of cost. "
                + "Its mean height over the line to its end is \(figure.effect(arms.budget.area.value)) "
                + "(\(level) \(figure.effect(interval(arms.budget.area)))); 0 says that the predictions spend no better "
                + "than chance.",
            chart: .budget,
            columns: [
                (arms.hasCosts ? "budget per person" : "people treated", true), ("gain\(unit(figure))", true),
                (level, true), ("gets " + arms.arms.map(\.label).joined(separator: " / "), false),
            ],
            rows: arms.budget.points.enumerated().filter { $0.offset > 0 && $0.offset % every == 0 }.map { _, point in
                [
                    arms.hasCosts ? Figure.significant(point.budget) : Figure.share(point.budget),
                    figure.bare(point.gain.value), figure.bare(interval(point.gain)),
                    point.shares.map { Figure.share($0) }.joined(separator: " / "),
                ]
            })
        return [each, rankings, choice, against, budget]
    }
}
