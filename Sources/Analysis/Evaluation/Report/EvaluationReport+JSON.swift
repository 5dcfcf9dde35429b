import Statistics
import Terminal

/// The report for machines.
extension EvaluationReport {
    /// One JSON object; numbers that are not defined are `null`, with a `remark` beside them.
    package var json: JSONOutput {
        .object(headMembers + rankingMembers + sectionMembers + [("notes", .array(notes.map { .text($0) }))])
    }

    private typealias Members = [(name: String, value: JSONOutput)]

    private var headMembers: Members {
        [
            ("title", .text(provenance.title)),
            ("data", data), ("model", model), ("options", settings),
            ("average_effect", Self.json(averageEffect)),
            ("qini_coefficient", Self.json(qini)),
            ("qini_coefficient_no_negative_effect", Self.json(qiniWithoutHarm)),
            ("auuc", Self.json(upliftAUC)),
            ("weighted_average_uplift", Self.json(weightedAverage.overall)),
            ("weighted_average_uplift_by_group", Self.json(weightedAverage.byGroup)),
        ]
    }

    private var rankingMembers: Members {
        let shares = topShares.map { top in
            Self.json(
                top.effect, first: [("k", .number(top.fraction)), ("strategy", .text(top.strategy.rawValue))])
        }
        func numbered(_ bins: [GroupEffect]) -> JSONOutput {
            .array(bins.enumerated().map { Self.json($1, first: [("bin", .integer($0 + 1))]) })
        }
        let curves = JSONOutput.object([
            ("qini", Self.json(qiniCurve)), ("uplift", Self.json(upliftCurve)),
            ("perfect_qini", perfectQini.map { Self.json($0) } ?? .null),
            ("perfect_uplift", perfectUplift.map { Self.json($0) } ?? .null),
        ])
        return [
            ("uplift_at_k", .array(shares)), ("bins", numbered(bins)), ("bins_by_group", numbered(binsByGroup)),
            ("calibration", calibrationJSON), ("cumulative_gain", .array(gains.map { Self.json($0) })),
            ("best_share", .object([("fraction", .number(best.fraction)), ("gain", .number(best.gain))])),
            ("targeting", .array(targeting.map { Self.json($0) })), ("curves", curves),
        ]
    }

    private var sectionMembers: Members {
        let rates = JSONOutput.object([
            ("autoc", json(rate.autoc)), ("qini", json(rate.qini)),
            ("toc", .array(rate.curve.map { json($0.gain, first: [("share", .number($0.share))]) })),
        ])
        let units = clusters.map { JSONOutput.object([("name", .text($0.name)), ("count", .integer($0.count))]) }
        return [
            ("lacking", Self.text(lacking)), ("clusters", units ?? .null),
            ("sample_ratio", Self.json(sampleRatio, ["treated", "control"])),
            ("experiments", .array(experiments.map { Self.json($0) })),
            ("balance", balance.map { Self.json($0) } ?? .null), ("rate", rates),
            ("cost_curve", costCurve.map { json($0) } ?? .null),
            ("comparison", comparison.map { json($0) } ?? .null), ("arms", arms.map { json($0) } ?? .null),
        ]
    }

    private var data: JSONOutput {
        .object([
            ("source", Self.text(provenance.data)), ("sha256", Self.text(provenance.dataSHA256)),
            ("outcome", Self.text(provenance.outcomeName)), ("treated", Self.text(provenance.treatedLabel)),
            ("control", Self.text(provenance.controlLabel)), ("rows", .integer(rows)),
            ("treated_rows", .integer(treatedRows)), ("control_rows", .integer(rows - treatedRows)),
            ("population", .number(population)), ("binary_outcome", .bool(hasBinaryOutcome)),
            ("weighted", .bool(isWeighted)), ("adjusted_for_propensity", .bool(isAdjustedForPropensity)),
            ("distinct_scores", .integer(distinctScores)),
        ])
    }

    private var model: JSONOutput {
        .object([
            ("name", Self.text(provenance.model)), ("version", Self.text(provenance.modelVersion)),
            ("sha256", Self.text(provenance.modelSHA256)),
        ])
    }

    private var settings: JSONOutput {
        .object([
            ("level", .number(options.level)), ("bins", .integer(options.bins)),
            ("bootstrap_replicates", .integer(options.replicates)), ("seed", .text(String(options.seed))),
            ("weights", .text(options.weightMeaning.rawValue)), ("threshold", .number(options.threshold)),
        ])
    }

    private var calibrationJSON: JSONOutput {
        .object([
            ("slope", Self.number(calibration.slope)), ("slope_interval", Self.json(calibration.slopeInterval)),
            ("intercept", Self.number(calibration.intercept)), ("error", Self.number(calibration.error)),
            ("bins_covered", .integer(calibration.covered)),
            (
                "bins",
                .array(
                    calibration.bins.enumerated().map { index, bin in
                        Self.json(
                            bin.observed,
                            first: [
                                ("bin", .integer(index + 1)), ("predicted", Self.number(bin.predicted)),
                                ("predicted_std_error", Self.number(bin.predictedStandardError)),
                            ])
                    })
            ),
        ])
    }

    static func text(_ value: String?) -> JSONOutput { value.map { .text($0) } ?? .null }
    static func number(_ value: Double?) -> JSONOutput { value.map { .number($0) } ?? .null }
    static func json(_ interval: Interval?) -> JSONOutput {
        interval.map { .array([.number($0.lower), .number($0.upper)]) } ?? .null
    }
    static func json(_ curve: Curve) -> JSONOutput {
        .object([
            ("population", .array(curve.population.map { .number($0) })),
            ("value", .array(curve.value.map { .number($0) })),
        ])
    }

    static func json(_ coefficient: Coefficient) -> JSONOutput {
        .object([
            ("value", number(coefficient.value)), ("std_error", number(coefficient.standardError)),
            ("interval", json(coefficient.interval)), ("above_zero", number(coefficient.aboveZero)),
            ("remark", text(coefficient.remark)),
        ])
    }

    static func json(_ effect: GroupEffect, first: [(name: String, value: JSONOutput)] = []) -> JSONOutput {
        .object(
            first + [
                ("n_treatment", .number(effect.treated.weight)), ("n_control", .number(effect.control.weight)),
                ("rows_treatment", .integer(effect.treated.rows)), ("rows_control", .integer(effect.control.rows)),
                ("mean_treatment", number(effect.treated.mean)), ("mean_control", number(effect.control.mean)),
                ("effect", number(effect.effect)), ("std_error", number(effect.standardError)),
                ("interval", json(effect.interval)), ("remark", text(effect.remark)),
            ])
    }

    private static func json(_ gain: GainPoint) -> JSONOutput {
        .object([
            ("fraction", .number(gain.fraction)), ("population", .number(gain.population)),
            ("gain", .number(gain.gain)), ("gain_interval", json(gain.gainInterval)), ("qini", .number(gain.qini)),
            ("qini_interval", json(gain.qiniInterval)), ("random", .number(gain.random)),
        ])
    }

    static func json(_ estimate: ValueEstimate) -> JSONOutput {
        .object([
            ("value", .number(estimate.value)), ("std_error", number(estimate.standardError)),
            ("interval", json(estimate.interval)),
        ])
    }

    private static func json(_ targeting: TargetingValue) -> JSONOutput {
        .object([
            ("rule", .text(targeting.rule.name)), ("treated_share", .number(targeting.treatedShare)),
            ("doubly_robust", json(targeting.value.doublyRobust)), ("ips", json(targeting.value.ips)),
            ("snips", json(targeting.value.selfNormalized)), ("direct", json(targeting.value.direct)),
            ("gain_over_nobody", json(targeting.gainOverNobody)),
            ("gain_over_everybody", json(targeting.gainOverEverybody)),
            ("effective_sample_size", .number(targeting.value.effectiveSampleSize)),
            ("warnings", .array(targeting.value.warnings.map { .text($0) })),
        ])
    }
}
