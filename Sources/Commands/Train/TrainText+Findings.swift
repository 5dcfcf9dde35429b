import Base
import Scoring
import Statistics
import Terminal
import Training

/// What the referee's questions gave, in words and for machines.
extension TrainText {
    static func p(_ value: Double) -> String {
        value.isNaN ? "–" : value < 0.0001 ? "< 0.0001" : HumanNumber.decimals(value, 4)
    }

    /// A sentence an effect: is there one, does it differ.
    static func verdict(_ data: TrainingData, _ result: TrainingResult) -> String {
        let sentences = result.outcomes.flatMap { outcome in
            data.plan.effects.indices.map { verdict(data.plan.effects[$0], outcome, $0) }
        }
        return sentences.isEmpty ? "the model is written; nothing was asked of it" : sentences.joined(separator: ". ")
    }

    private static func verdict(_ name: String, _ outcome: TrainedOutcome, _ index: Int) -> String {
        let (average, test) = (outcome.averages[index], outcome.calibrations[index])
        let z = average.estimate / average.standardError
        let effect =
            z > 1.959964
            ? "\(name) raises \(outcome.name) on average"
            : z < -1.959964
                ? "\(name) lowers \(outcome.name) on average"
                : "no average effect of \(name) on \(outcome.name) is shown"
        let differs =
            test.pValue < 0.05 ? "the effect differs between people" : "no differences between people are shown"
        return
            "\(effect) (\(TrainText.number(average.estimate)) ± \(TrainText.number(1.959964 * average.standardError))); \(differs) (p \(p(test.pValue)))"
    }

    static func warnings(_ data: TrainingData, _ result: TrainingResult, _ findings: TrainFindings) -> [String] {
        var warnings = data.plan.notes + findings.notes
        for suspect in findings.suspects { warnings.append("kept by --force: \(suspect.feature) \(suspect.why)") }
        if let ratio = findings.diagnostics?.sampleRatio, ratio.isMismatch {
            warnings.append(
                "sample-ratio mismatch (p \(p(ratio.pValue))): the arms are not as large as their chances say; rows were lost or doubled, or the chances are others (a column with the probability of treatment needs --propensity-of-treatment)"
            )
        }
        if let overlap = findings.diagnostics?.overlap, overlap.thin > 0.01 {
            warnings.append(
                "\(HumanNumber.decimals(100 * overlap.thin, 1)) % of the rows had a chance below 5 % of some arm: their effects rest on few others"
            )
        }
        let least = findings.diagnostics?.overlap?.arms.map { min($0.least, 1 - $0.greatest) }.min() ?? 1
        if least < 0.001 {
            warnings.append(
                "the least chance of an arm is \(number(least)): a row of it weighs as \(number(1 / least)) rows in the averages"
            )
        }
        for balance in findings.diagnostics?.balance ?? [] {
            let off = balance.features.filter { abs($0.after) > 0.1 }
            if let worst = off.max(by: { abs($0.after) < abs($1.after) }) {
                warnings.append(
                    "\(off.count) \(off.count == 1 ? "feature differs" : "features differ") between \(balance.arm) and the control after weighting, \(worst.name) by \(HumanNumber.decimals(worst.after, 2)) standard deviations"
                )
            }
        }
        if result.nuisances.clipped > 0 {
            warnings.append(
                "\(HumanNumber.grouped(result.nuisances.clipped)) estimated chances of an arm were raised to \(NuisanceFitter.leastPropensity)"
            )
        }
        for check in findings.monotone where check.against > 0 {
            warnings.append(
                "the effect goes against --monotone \(check.feature):\(check.rises ? "+" : "-") at \(HumanNumber.decimals(100 * Double(check.against) / Double(check.steps), 1)) % of \(HumanNumber.grouped(check.steps)) steps, by \(TrainText.number(check.worst)) at the most: each split keeps the direction, their sum over trees need not"
            )
        }
        if !findings.hasIntervals {
            warnings.append(
                "this learner has no interval: every decision is 'uncertain'. Rank by the uplift, or train causal-forest or linear-dml"
            )
        }
        for refutation in findings.refutations where !refutation.holds {
            warnings.append("refutation fails: \(refutation.name), expected \(refutation.expects)")
        }
        return warnings
    }

    static func sections(_ data: TrainingData, _ result: TrainingResult, _ findings: TrainFindings) -> [String] {
        var lines: [String] = []
        if let diagnostics = findings.diagnostics {
            for (outcome, rankings) in zip(result.outcomes, diagnostics.ranking) {
                for (name, ranking) in zip(data.plan.effects, rankings) {
                    lines.append(
                        "ranking   \(name.printable()) on \(outcome.name.printable()): AUTOC \(estimate(ranking.autoc)), Qini \(estimate(ranking.qini)) (held out)"
                    )
                }
            }
            if let ratio = diagnostics.sampleRatio { lines.append("arms      sample ratio p \(p(ratio.pValue))") }
            for balance in diagnostics.balance {
                let worst = balance.features.map { abs($0.after) }.max() ?? 0
                lines.append(
                    "balance   \(balance.arm): greatest standardised difference \(HumanNumber.decimals(balance.features.first.map { abs($0.before) } ?? 0, 3)), after weighting \(HumanNumber.decimals(worst, 3))"
                )
            }
            if let overlap = diagnostics.overlap {
                for (name, arm) in zip(data.plan.effects, overlap.arms) {
                    lines.append(
                        "overlap   chances of \(name) from \(HumanNumber.decimals(arm.least, 3)) to \(HumanNumber.decimals(arm.greatest, 3))"
                    )
                }
            }
        }
        let important = findings.importance.sorted { $0.1 > $1.1 }.prefix(6)
        if !important.isEmpty {
            lines.append(
                "depends   on " + important.map { "\($0.0) \(HumanNumber.decimals($0.1, 2))" }.joined(separator: ", "))
        }
        for refutation in findings.refutations {
            lines.append(
                "refute    \(refutation.name): average \(TrainText.number(refutation.average)) ± \(TrainText.number(1.959964 * refutation.standardError)), heterogeneity p \(p(refutation.heterogeneity)): \(refutation.holds ? "holds" : "FAILS")"
            )
        }
        for coefficients in result.coefficients.flatMap({ $0 }) {
            var table = Table(
                .text("linear effect, per unit"), .number("coefficient"), .number("std. error"), .number("p"))
            for coefficient in coefficients {
                table.add(
                    coefficient.label, TrainText.number(coefficient.estimate),
                    TrainText.number(coefficient.standardError), p(coefficient.pValue))
            }
            lines += ["", table.text()]
        }
        if let policy = findings.policy {
            var table = Table(
                columns: [.text("policy tree: who"), .text("gets"), .number("share")]
                    + data.plan.effects.map { .number("effect of \($0)") })
            for segment in policy.segments {
                table.add(
                    [segment.words, segment.arm ?? "nothing", "\(HumanNumber.decimals(100 * segment.share, 1)) %"]
                        + segment.effects.map {
                            "\(TrainText.number($0.estimate)) ± \(TrainText.number(1.959964 * $0.standardError))"
                        })
            }
            lines += ["", table.text()]
            for value in policy.values + [policy.gain] {
                lines.append(
                    "value     \(value.name): \(TrainText.number(value.estimate)) ± \(TrainText.number(1.959964 * value.standardError)) \(result.outcomes.first?.name ?? "") per person, less the costs (held-out rows)"
                )
            }
        }
        if let comparison = findings.comparison {
            var table = Table(
                .text("learner"), .number("Qini"), .number("± 95 %"), .number("AUTOC"), .number("R-loss"),
                .number("CPU s"))
            for entry in comparison.entries {
                table.add(
                    entry.label, TrainText.number(entry.qini.value),
                    TrainText.number(1.959964 * (entry.qini.standardError ?? .nan)),
                    TrainText.number(entry.autoc.value), entry.rLoss.map { TrainText.number($0) } ?? "–",
                    HumanNumber.decimals(entry.seconds, 2))
            }
            lines += ["", table.text() + comparison.advice]
        }
        return lines
    }

    private static func estimate(_ estimate: TrialEstimate) -> String {
        "\(TrainText.number(estimate.value)) ± \(TrainText.number(1.959964 * (estimate.standardError ?? .nan)))"
    }

    static func findingsJSON(
        _ data: TrainingData, _ result: TrainingResult, _ findings: TrainFindings
    ) -> [(name: String, value: JSONOutput)] {
        func policy(_ value: PolicyReport.Value) -> JSONOutput {
            .object([
                ("name", .text(value.name)), ("value", .number(value.estimate)),
                ("std_error", .number(value.standardError)),
            ])
        }
        var members: [(name: String, value: JSONOutput)] = [("verdict", .text(verdict(data, result)))]
        members.append(("warnings", .array(warnings(data, result, findings).map { .text($0) })))
        members.append(("importance", .object(findings.importance.map { (name: $0.0, value: .number($0.1)) })))
        members.append(("split_importance", .object(findings.splits.map { (name: $0.0, value: .number($0.1)) })))
        if let diagnostics = findings.diagnostics {
            members.append(("ranking", ranking(data, result, diagnostics)))
            members.append(("sample_ratio_p", diagnostics.sampleRatio.map { .number($0.pValue) } ?? .null))
            members.append(
                (
                    "balance",
                    .array(
                        diagnostics.balance.map { balance -> JSONOutput in
                            .object([
                                ("arm", .text(balance.arm)),
                                (
                                    "features",
                                    .array(
                                        balance.features.map {
                                            .object([
                                                ("feature", .text($0.name)), ("before", .number($0.before)),
                                                ("after", .number($0.after)),
                                            ])
                                        })
                                ),
                            ])
                        })
                ))
            if let overlap = diagnostics.overlap {
                members.append(
                    (
                        "overlap",
                        .object([
                            ("least", .number(overlap.least)), ("greatest", .number(overlap.greatest)),
                            ("thin", .number(overlap.thin)),
                            ("histogram", .array(overlap.histogram.map { .integer($0) })),
                            (
                                "arms",
                                .array(
                                    zip(data.plan.effects, overlap.arms).map { name, arm -> JSONOutput in
                                        .object([
                                            ("arm", .text(name)), ("least", .number(arm.least)),
                                            ("greatest", .number(arm.greatest)),
                                        ])
                                    })
                            ),
                        ])
                    ))
            }
        }
        if let report = findings.policy {
            members.append(
                (
                    "policy",
                    .object([
                        ("depth", .integer(report.depth)), ("held_out_rows", .integer(report.heldOut)),
                        (
                            "segments",
                            .array(
                                report.segments.map { segment -> JSONOutput in
                                    .object([
                                        ("who", .text(segment.words)), ("arm", segment.arm.map { .text($0) } ?? .null),
                                        ("rows", .integer(segment.rows)), ("share", .number(segment.share)),
                                        (
                                            "effects",
                                            .array(
                                                segment.effects.map {
                                                    .object([
                                                        ("value", .number($0.estimate)),
                                                        ("std_error", .number($0.standardError)),
                                                    ])
                                                })
                                        ),
                                    ])
                                })
                        ), ("values", .array(report.values.map(policy))), ("gain", policy(report.gain)),
                    ])
                ))
        }
        if let comparison = findings.comparison {
            members.append(
                (
                    "comparison",
                    .object([
                        ("advice", .text(comparison.advice)),
                        (
                            "learners",
                            .array(
                                comparison.entries.map {
                                    .object([
                                        ("learner", .text($0.name)), ("qini", trial($0.qini)),
                                        ("autoc", trial($0.autoc)),
                                        ("r_loss", $0.rLoss.map { .number($0) } ?? .null),
                                        ("processor_seconds", .number($0.seconds)),
                                        ("size", $0.choice.map { .text($0.chosen) } ?? .null),
                                    ])
                                })
                        ),
                    ])
                ))
        }
        if !findings.refutations.isEmpty {
            members.append(
                (
                    "refutations",
                    .array(
                        findings.refutations.map {
                            .object([
                                ("name", .text($0.name)), ("average", .number($0.average)),
                                ("std_error", .number($0.standardError)),
                                ("heterogeneity_p", .number($0.heterogeneity)),
                                ("expects", .text($0.expects)), ("holds", .bool($0.holds)),
                            ])
                        })
                ))
        }
        if !result.coefficients.isEmpty {
            members.append(
                (
                    "coefficients",
                    .array(
                        result.coefficients.flatMap { $0 }.map { coefficients -> JSONOutput in
                            .array(
                                coefficients.map {
                                    .object([
                                        ("name", .text($0.name)), ("value", .number($0.estimate)),
                                        ("std_error", .number($0.standardError)), ("p", .number($0.pValue)),
                                        ("base", $0.base.map { .text($0) } ?? .null),
                                        ("feature_std_dev", $0.deviation.map { .number($0) } ?? .null),
                                    ])
                                })
                        })
                ))
        }
        return members
    }

    /// How well people are ranked by effects of models that have not seen them, one an effect.
    static func ranking(
        _ data: TrainingData, _ result: TrainingResult, _ diagnostics: TrainingDiagnostics
    ) -> JSONOutput {
        .array(
            zip(result.outcomes, diagnostics.ranking).flatMap { outcome, rankings -> [JSONOutput] in
                zip(data.plan.effects, rankings).map { name, ranking -> JSONOutput in
                    .object([
                        ("treatment", .text(name)), ("outcome", .text(outcome.name)),
                        ("autoc", trial(ranking.autoc)), ("qini", trial(ranking.qini)),
                    ])
                }
            })
    }

    private static func trial(_ estimate: TrialEstimate) -> JSONOutput {
        .object([("value", .number(estimate.value)), ("std_error", .number(estimate.standardError ?? .nan))])
    }
}
