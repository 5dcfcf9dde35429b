import Base
import Foundation
import Scoring
import Statistics
import Terminal
import Training

/// What `impactiq train` says.
enum TrainText {
    /// Four digits, whatever the size: effects are small numbers.
    static func number(_ value: Double) -> String { value.isFinite ? String(format: "%.4g", value) : "–" }

    /// Before it starts: what is trained on what, and the memory it takes.
    static func before(_ data: TrainingData, _ options: CausalOptions) -> String {
        let plan = data.plan
        var lines = [
            "\(options.request.rows): \(HumanNumber.grouped(data.count)) of \(HumanNumber.grouped(data.rowsRead)) rows, "
                + "\(plan.features.count) features",
            "effect of \(plan.effects.joined(separator: ", ")) on \(plan.outcomes.joined(separator: ", "))"
                + (plan.arms.map { ", compared with \($0[0])" } ?? ""),
        ]
        for (column, rows) in data.dropped {
            lines.append("left out: \(HumanNumber.grouped(rows)) \(rows == 1 ? "row" : "rows") by '\(column)'")
        }
        if !plan.ignored.isEmpty {
            let rest = plan.ignored.count - 24
            lines.append(
                "not features: " + plan.ignored.prefix(24).map { "\($0.column) (\($0.why))" }.joined(separator: ", ")
                    + (rest > 0 ? " and \(rest) others" : ""))
        }
        lines += plan.notes.map { "note: \($0)" }
        let bytes = TrainingMemory.bytes(data, options.settings)
        lines.append("memory: about \(HumanNumber.bytes(bytes)) at its peak")
        return lines.joined(separator: "\n")
    }

    static func after(
        _ data: TrainingData, _ options: CausalOptions, _ result: TrainingResult, _ findings: TrainFindings,
        wall: Double
    ) -> String {
        var lines: [String] = []
        for report in result.nuisances.reports {
            lines.append(
                "nuisance  \(report.name.printable()): \(report.chosen) (error on rows left out: "
                    + report.errors.map { "\($0.model) \(TrainText.number($0.error))" }.joined(separator: ", ") + ")")
        }
        if result.nuisances.clipped > 0 {
            lines.append(
                "overlap   \(HumanNumber.grouped(result.nuisances.clipped)) rows had an estimated chance of an arm below "
                    + "\(NuisanceFitter.leastPropensity); it was put there")
        }
        for outcome in result.outcomes {
            for choice in outcome.choices where !choice.losses.isEmpty {
                lines.append(
                    "choice    \(outcome.name): \(choice.what) \(choice.chosen) (out-of-bag R-loss: "
                        + choice.losses.map { "\($0.name) \(TrainText.number($0.loss))" }.joined(separator: ", ") + ")"
                )
            }
        }
        lines.append("")
        var table = Table(
            .text("effect"), .text("outcome"), .number("average"), .number("std. error"), .number("95 % interval"),
            .number("calibration"), .number("heterogeneity"), .number("p"))
        for outcome in result.outcomes {
            for (effect, name) in data.plan.effects.enumerated() {
                let (average, calibration) = (outcome.averages[effect], outcome.calibrations[effect])
                let (low, high) = (
                    average.estimate - 1.959964 * average.standardError,
                    average.estimate + 1.959964 * average.standardError
                )
                table.add(
                    name, outcome.name, TrainText.number(average.estimate), TrainText.number(average.standardError),
                    "\(TrainText.number(low)) … \(TrainText.number(high))",
                    "\(HumanNumber.decimals(calibration.mean, 2)) ± \(HumanNumber.decimals(1.959964 * calibration.meanError, 2))",
                    "\(HumanNumber.decimals(calibration.heterogeneity, 2)) ± \(HumanNumber.decimals(1.959964 * calibration.heterogeneityError, 2))",
                    p(calibration.pValue))
            }
        }
        lines.append(table.text())
        lines += sections(data, result, findings)
        for warning in warnings(data, result, findings) { lines.append("warning: \(warning)") }
        lines.append(verdict(data, result))
        lines.append(
            "\(options.output): \(HumanNumber.grouped(result.trees)) trees, "
                + "\(HumanNumber.decimals(wall, 2)) s (processor: "
                + result.seconds.map { "\($0.phase) \(HumanNumber.decimals($0.processor, 2))" }.joined(separator: ", ")
                + ")")
        lines.append("sha256 \(result.sha256)")
        return lines.joined(separator: "\n") + "\n"
    }

    static func json(
        _ data: TrainingData, _ options: CausalOptions, _ result: TrainingResult, _ findings: TrainFindings,
        wall: Double
    ) -> JSONOutput {
        var members: [(name: String, value: JSONOutput)] = [
            ("model", .text(options.output)), ("sha256", .text(result.sha256)), ("rows", .integer(data.count)),
            ("features", .array(data.featureNames.map { .text($0) })),
            ("treatments", .array(data.plan.effects.map { .text($0) })), ("trees", .integer(result.trees)),
            ("seconds", .number(wall)),
            ("processor_seconds", .object(result.seconds.map { ($0.phase, .number($0.processor)) })),
            ("wall_seconds", .object(result.seconds.map { ($0.phase, .number($0.wall)) })),
            ("kind", .text(options.kind)),
            ("nuisances", .array(result.nuisances.reports.map(nuisance))),
            ("outcomes", .array(result.outcomes.map { outcome(data, $0) })),
        ]
        members += findingsJSON(data, result, findings)
        return .object(members)
    }

    static func nuisance(_ report: NuisanceReport) -> JSONOutput {
        .object([
            ("name", .text(report.name)), ("model", .text(report.chosen)),
            ("errors", .object(report.errors.map { ($0.model, .number($0.error)) })),
        ])
    }

    static func outcome(_ data: TrainingData, _ outcome: TrainedOutcome) -> JSONOutput {
        .object([
            ("outcome", .text(outcome.name)), ("leaf", .integer(outcome.leaf)),
            ("offset", .text(outcome.offset.rawValue)), ("r_loss", .number(outcome.rLoss)),
            ("constant_r_loss", .number(outcome.constantLoss)),
            (
                "effects",
                .array(
                    data.plan.effects.enumerated().map { effect, name in
                        let (average, test) = (outcome.averages[effect], outcome.calibrations[effect])
                        return .object([
                            ("treatment", .text(name)), ("average", .number(average.estimate)),
                            ("std_error", .number(average.standardError)), ("calibration", .number(test.mean)),
                            ("calibration_std_error", .number(test.meanError)),
                            ("heterogeneity", .number(test.heterogeneity)),
                            ("heterogeneity_std_error", .number(test.heterogeneityError)),
                            ("heterogeneity_p", .number(test.pValue)),
                        ])
                    })
            ),
        ])
    }
}

/// What goes into the model about its making.
enum TrainProvenance {
    static func json(
        _ data: TrainingData, _ options: CausalOptions, _ result: TrainingResult, _ diagnostics: TrainingDiagnostics?
    ) throws(ImpactError) -> JSONOutput {
        let digest = try FileHash.sha256(options.request.rows)
        let (plan, grower) = (data.plan, options.settings.grower)
        return .object([
            ("trained_by", .text("impactiq \(CommandLineTool.version)")), ("kind", .text(options.kind)),
            ("data", .text(URL(filePath: options.request.rows).lastPathComponent)),
            ("data_sha256", digest.map { .text($0) } ?? .null), ("rows", .integer(data.count)),
            ("treatment", .text(plan.treatment)), ("control", plan.arms.map { .text($0[0]) } ?? .null),
            ("seed", .integer(Int(bitPattern: UInt(grower.seed)))),
            (
                "settings",
                .object([
                    ("trees", .integer(grower.trees)), ("bag", .integer(grower.bag)),
                    ("leaf", .integer(result.outcomes.first?.leaf ?? grower.estimateLeaf)),
                    ("subsample", .number(grower.subsample)), ("honesty", .number(grower.honesty)),
                    ("balance", .number(grower.balance)), ("min_variance", .number(grower.leastVariance)),
                    ("mtry", grower.featuresTried.map { .integer($0) } ?? .null),
                    ("depth", .integer(grower.maxDepth)), ("nuisance", .text(options.settings.nuisance.rawValue)),
                ])
            ),
            ("nuisances", .array(result.nuisances.reports.map(TrainText.nuisance))),
            ("held_out", .array(result.outcomes.map { TrainText.outcome(data, $0) })),
            ("ranking", diagnostics.map { TrainText.ranking(data, result, $0) } ?? .null),
        ])
    }
}
