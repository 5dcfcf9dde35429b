import Report
import Statistics

/// The page's tables: every number of the charts, and the targeting rules.
extension EvaluationReport {
    func tables(_ figure: Figure) -> String {
        let unit = figure.percent ? ", pp" : ""
        let level = "\(Figure.share(options.level)) interval"
        return """
            <section>
            <h2>What a targeting rule would have earned</h2>
            <p class="muted">The mean outcome per person if the rule had decided, estimated from the trial’s own randomisation \
            (doubly robust). Gains are against treating nobody and everybody; effective \
            rows say how many rows of a trial of the rule itself would tell as much.</p>
            \(targetingTable(figure, unit, level))
            </section>
            \(sectionTables(figure))
            <section>
            <h2>Every number</h2>
            <p class="muted">Areas are 1 for a perfect ranking and 0 for a random one. Uplift@k is the effect among the best \
            k, taken from all people together (overall) or from each arm by itself (by group).</p>
            \(areaTable(figure, level))
            \(topTable(figure, unit, level))
            \(binTable("Bins of the ranking, from both arms together", bins, figure, unit, level, predicted: true))
            \(binTable("Bins of the ranking, from each arm by itself", binsByGroup, figure, unit, level, predicted: false))
            \(gainTable(figure, level))
            \(estimatorTable(figure, level))
            </section>
            """
    }

    /// Experiments, balance, RATE, costs, challenger and arms, as far as there are any.
    private func sectionTables(_ figure: Figure) -> String {
        sections(figure).map { section in
            let chart =
                switch section.chart {
                case .none: ""
                case .toc: tocChart(figure)
                case .cost: costChart()
                case .budget: budgetChart(figure)
                }
            return ReportPage.section(
                section.title,
                "<p class=\"muted\">\(HTML.escape(section.reading))</p>\n"
                    + (chart.isEmpty ? "" : "<div class=\"charts\">\n\(chart)\n</div>\n")
                    + HTML.table(section.title, section.columns, section.rows))
        }.joined(separator: "\n")
    }

    private func targetingTable(_ figure: Figure, _ unit: String, _ level: String) -> String {
        HTML.table(
            "Value of targeting rules",
            [
                ("who is treated", false), ("share", true), ("value", true), ("over nobody\(unit)", true),
                (level, true),
                ("over everybody\(unit)", true), (level, true), ("effective rows", true),
            ],
            targeting.map { value in
                [
                    value.rule.name, Figure.share(value.treatedShare), figure.mean(value.value.doublyRobust.value),
                    figure.bare(value.gainOverNobody.value), figure.bare(value.gainOverNobody.interval),
                    figure.bare(value.gainOverEverybody.value), figure.bare(value.gainOverEverybody.interval),
                    Figure.count(value.value.effectiveSampleSize.rounded()),
                ]
            })
    }

    private func estimatorTable(_ figure: Figure, _ level: String) -> String {
        func cells(_ estimate: ValueEstimate) -> [String] {
            [
                figure.mean(estimate.value),
                estimate.interval.map { "\(figure.mean($0.lower)) to \(figure.mean($0.upper))" } ?? "–",
            ]
        }
        return HTML.table(
            "Value of targeting rules, by estimator",
            [
                ("who is treated", false), ("doubly robust", true), (level, true), ("IPS", true), (level, true),
                ("SNIPS", true),
                (level, true),
            ],
            targeting.map { value in
                [value.rule.name] + cells(value.value.doublyRobust) + cells(value.value.ips)
                    + cells(value.value.selfNormalized)
            })
    }

    private func areaTable(_ figure: Figure, _ level: String) -> String {
        func row(
            _ name: String, _ coefficient: Coefficient, _ value: (Double?) -> String, _ error: (Double?) -> String,
            _ interval: (Interval?) -> String
        ) -> [String] {
            [
                name, value(coefficient.value), error(coefficient.standardError), interval(coefficient.interval),
                coefficient.aboveZero.map(Figure.share) ?? "–", coefficient.remark ?? "",
            ]
        }
        func area(_ name: String, _ coefficient: Coefficient) -> [String] {
            row(name, coefficient, Figure.coefficient, Figure.coefficient, Figure.coefficient)
        }
        func average(_ name: String, _ coefficient: Coefficient) -> [String] {
            row(name, coefficient, figure.effect, figure.distance, figure.effect)
        }
        return HTML.table(
            "Areas and averages",
            [
                ("number", false), ("value", true), ("std error", true), (level, true), ("replicates above 0", true),
                ("", false),
            ],
            [
                area("Qini coefficient", qini),
                area("Qini coefficient, perfect without harm", qiniWithoutHarm),
                area("AUUC", upliftAUC),
                average("weighted average uplift", weightedAverage.overall),
                average("weighted average uplift, by group", weightedAverage.byGroup),
                [
                    "average effect (difference of means)", figure.effect(averageEffect.effect),
                    figure.distance(averageEffect.standardError),
                    figure.effect(averageEffect.interval), "–", averageEffect.remark ?? "",
                ],
                [
                    "calibration slope", Figure.coefficient(calibration.slope), "–",
                    Figure.coefficient(calibration.slopeInterval), "–", "",
                ],
                ["calibration error", figure.distance(calibration.error), "–", "–", "–", ""],
            ])
    }

    private func topTable(_ figure: Figure, _ unit: String, _ level: String) -> String {
        HTML.table(
            "Uplift@k",
            [
                ("best", true), ("from", false), ("treated", true), ("control", true), ("mean treated", true),
                ("mean control", true), ("uplift\(unit)", true), (level, true), ("", false),
            ],
            topShares.map { top in
                [
                    Figure.share(top.fraction), top.strategy == .overall ? "overall" : "by group",
                    Figure.count(top.effect.treated.weight), Figure.count(top.effect.control.weight),
                    figure.mean(top.effect.treated.mean), figure.mean(top.effect.control.mean),
                    figure.bare(top.effect.effect), figure.bare(top.effect.interval), top.effect.remark ?? "",
                ]
            })
    }

    private func binTable(
        _ caption: String, _ bins: [GroupEffect], _ figure: Figure, _ unit: String, _ level: String, predicted: Bool
    ) -> String {
        HTML.table(
            caption,
            [("bin", true), ("treated", true), ("control", true), ("mean treated", true), ("mean control", true)]
                + (predicted ? [("predicted\(unit)", true)] : [])
                + [("observed\(unit)", true), ("std error", true), (level, true), ("", false)],
            bins.enumerated().map { index, bin in
                [
                    String(index + 1), Figure.count(bin.treated.weight), Figure.count(bin.control.weight),
                    figure.mean(bin.treated.mean), figure.mean(bin.control.mean),
                ] + (predicted ? [figure.bare(calibration.bins[index].predicted)] : [])
                    + [
                        figure.bare(bin.effect), figure.distance(bin.standardError), figure.bare(bin.interval),
                        bin.remark ?? "",
                    ]
            })
    }

    private func gainTable(_ figure: Figure, _ level: String) -> String {
        HTML.table(
            "Cumulative gain, in outcomes",
            [
                ("people treated", true), ("share", true), ("gain", true), (level, true), ("random", true),
                ("Qini height", true), (level, true),
            ],
            gains.map { gain in
                [
                    Figure.count(gain.population.rounded()), Figure.share(gain.fraction), figure.outcomes(gain.gain),
                    figure.outcomes(gain.gainInterval), figure.outcomes(gain.random), figure.outcomes(gain.qini),
                    figure.outcomes(gain.qiniInterval),
                ]
            })
    }
}
