import Statistics
import Terminal

/// The parts of ``EvaluationReport/sections(_:)`` for machines.
extension EvaluationReport {
    func json(_ estimate: TrialEstimate, first: [(name: String, value: JSONOutput)] = []) -> JSONOutput {
        .object(
            first + [
                ("value", .number(estimate.value)), ("std_error", Self.number(estimate.standardError)),
                ("interval", Self.json(interval(estimate))),
            ])
    }

    static func json(_ test: SampleRatioTest?, _ names: [String]) -> JSONOutput {
        guard let test else { return .null }
        return .object([
            ("arms", .array(names.map { .text($0) })), ("observed", .array(test.observed.map { .number($0) })),
            ("expected", .array(test.expected.map { .number($0) })), ("chi_squared", .number(test.chiSquared)),
            ("degrees_of_freedom", .integer(test.degreesOfFreedom)), ("p", .number(test.pValue)),
            ("mismatch", .bool(test.isMismatch)),
        ])
    }

    static func json(_ experiment: Experiment) -> JSONOutput {
        json(
            experiment.effect,
            first: [
                ("experiment", .text(experiment.name)),
                ("sample_ratio", json(experiment.sampleRatio, ["treated", "control"])),
            ])
    }

    static func json(_ balance: CovariateBalance) -> JSONOutput {
        .object([
            ("covariates", .array(balance.covariates.map(json))),
            (
                "all",
                balance.omnibus.map {
                    .object([
                        ("chi_squared", .number($0.chiSquared)), ("degrees_of_freedom", .integer($0.degreesOfFreedom)),
                        ("p", .number($0.pValue)),
                    ])
                } ?? .null
            ),
        ])
    }

    private static func json(_ covariate: CovariateBalance.Covariate) -> JSONOutput {
        .object([
            ("name", .text(covariate.name)), ("mean_treatment", number(covariate.treatedMean)),
            ("mean_control", number(covariate.controlMean)),
            ("standardized_difference", number(covariate.standardizedDifference)),
            ("variance_ratio", number(covariate.varianceRatio)),
            ("missing_treatment", .number(covariate.treatedMissing)),
            ("missing_control", .number(covariate.controlMissing)), ("p", number(covariate.pValue)),
        ])
    }

    func json(_ curve: CostCurve) -> JSONOutput {
        .object([
            ("area", Self.number(curve.area)), ("best_share", .number(curve.best.share)),
            (
                "points",
                .array(
                    curve.points.map {
                        .object([
                            ("share", .number($0.share)), ("cost", json($0.cost)), ("gain", json($0.gain)),
                            ("net", json($0.net)),
                        ])
                    })
            ),
        ])
    }

    func json(_ comparison: ScoreComparison) -> JSONOutput {
        let all = comparison.areas + comparison.rates + comparison.values
        return .object([
            ("champion", .text(comparison.champion)), ("challenger", .text(comparison.challenger)),
            ("verdict", .text(comparison.verdict)), ("differences", .array(all.map(Self.json))),
        ])
    }

    private static func json(_ difference: ScoreComparison.Difference) -> JSONOutput {
        .object([
            ("name", .text(difference.name)), ("champion", .number(difference.champion)),
            ("challenger", .number(difference.challenger)), ("difference", .number(difference.difference)),
            ("std_error", number(difference.standardError)), ("interval", json(difference.interval)),
            ("p", number(difference.pValue)),
        ])
    }

    func json(_ arms: ArmsEvaluation) -> JSONOutput {
        .object([
            ("control", .text(arms.control)),
            ("sample_ratio", Self.json(arms.sampleRatio, [arms.control] + arms.arms.map(\.label))),
            ("outcome_value", .number(arms.outcomeValue)), ("best_arm", .text(arms.bestArm)),
            ("each", .array(arms.arms.map(json))), ("choices", .array(arms.choices.map(Self.json))),
            ("budget_curve", json(arms.budget)),
        ])
    }

    private func json(_ arm: ArmsEvaluation.Arm) -> JSONOutput {
        .object([
            ("arm", .text(arm.label)), ("rows", .integer(arm.rows)), ("mean", Self.json(arm.mean)),
            ("effect", Self.json(arm.effect)), ("cost", .number(arm.cost)), ("net", Self.json(arm.net)),
            ("qini_coefficient", arm.qini.map { Self.json($0) } ?? .null), ("autoc", json(arm.rate.autoc)),
            ("qini", json(arm.rate.qini)), ("qini_curve", arm.curve.map { Self.json($0) } ?? .null),
            ("budget_curve", json(arm.budget)),
        ])
    }

    private static func json(_ choice: ArmsEvaluation.Choice) -> JSONOutput {
        .object([
            ("name", .text(choice.name)), ("shares", .array(choice.shares.map { .number($0) })),
            ("value", json(choice.value)), ("gain_over_nobody", json(choice.gainOverNobody)),
            ("gain_over_best_arm", json(choice.gainOverBestArm)), ("net", json(choice.net)),
        ])
    }

    private func json(_ curve: BudgetCurve) -> JSONOutput {
        .object([
            ("area", json(curve.area)),
            (
                "points",
                .array(
                    curve.points.map {
                        json(
                            $0.gain,
                            first: [
                                ("budget", .number($0.budget)), ("shares", .array($0.shares.map { .number($0) })),
                            ])
                    })
            ),
        ])
    }
}
