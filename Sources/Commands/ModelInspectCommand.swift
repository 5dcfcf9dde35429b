import Base
import Foundation
import JSON
import Scoring
import Terminal

/// `impactiq model inspect`.
enum ModelInspectCommand: Command {
    static let specification = CommandSpecification(
        "inspect", "Show what a model is: sizes, features with importance, provenance, checksum",
        options: [
            .flag("json", "Print one JSON object"),
            .value("check", "ROWS.csv", "Time the kernels on these rows and verify that all give the same bits"),
        ],
        arguments: [.init("MODEL", "The model file")],
        examples: [
            .init("impactiq model inspect examples/demo/demo.model", "for a person"),
            .init("impactiq model inspect spring.model --json", "for a machine"),
        ])

    static func run(_ command: ParsedCommand) throws {
        let model = try Model.open(path: command.arguments[0])
        let json = command.flag("json")
        Terminal.Stream.output.write(json ? self.json(model).line + "\n" : text(model))
        if let rows = command.text("check") { try check(model, rows) }
    }

    /// Times every kernel on the user's own rows; a result that is not the plain walk's fails the command.
    private static func check(_ model: Model, _ path: String) throws {
        let check = try RowCheck.run(model: model, csv: path)
        if let wrong = check.disagreement {
            throw ImpactError(
                .failed, code: "kernel_disagrees",
                "\(path):\(wrong.line): kernel \(wrong.kernel.rawValue) gives \(wrong.found.effect), the plain walk "
                    + "\(wrong.expected.effect): do not use this model on this machine")
        }
        var table = Table(.text("kernel"), .number("1 row, µs"), .number("of 1,024, µs"), .number("with errors, µs"))
        for timing in check.timings {
            table.add(
                timing.kernel.rawValue, HumanNumber.decimals(timing.singleRow, 2),
                HumanNumber.decimals(timing.batch, 2),
                HumanNumber.decimals(timing.batchWithErrors, 2))
        }
        Terminal.Stream.output.write(
            "\n" + table.text()
                + "\(check.rows) rows of \(path), \(check.refusedRows) refused; every kernel gives the bits of a plain walk, "
                + "which takes \(HumanNumber.decimals(check.plainRow, 1)) µs per row\n")
    }

    fileprivate static func text(_ model: Model) -> String {
        var lines = [
            "model       \(model.name) \(model.version)",
            "file        \(model.path), \(HumanNumber.bytes(model.byteCount))",
            "sha256      \(model.sha256)",
            model.isResponse
                ? "predicts    \(model.predictsProbabilities ? "the probability of " : "")"
                    + model.outcomes.joined(separator: ", ")
                : "effect      of \(model.treatments.joined(separator: ", ")) on \(model.outcomes.joined(separator: ", "))",
            "kind        \(model.kind)",
            "missing     \(missing(model))",
            "intervals   "
                + (model.hasStandardErrors
                    ? "yes"
                    : model.isResponse ? "no: a probability, not an effect" : "no: fitted without little bags"),
            "events      \(model.specificationJSON.isEmpty ? "no feature specification: rows only" : "feature specification inside")",
            "kernel      \(Kernel.best.rawValue) (of \(Kernel.available.map(\.rawValue).joined(separator: ", ")))",
        ]
        lines += ProvenanceText.lines(model) + [""]
        var forests = Table(
            .text("outcome"), .text("kind"), .number("trees"), .number("nodes"), .number("leaves"), .number("tiles"),
            .number("deepest"), .number("leaf depth"), .number("bytes per row"))
        for forest in model.summaries {
            forests.add(
                forest.outcome, forest.kind, HumanNumber.grouped(forest.trees), HumanNumber.grouped(forest.nodes),
                HumanNumber.grouped(forest.leaves), HumanNumber.grouped(forest.tiles), "\(forest.deepest)",
                HumanNumber.decimals(forest.meanLeafDepth, 1), HumanNumber.bytes(forest.bytesPerRow))
        }
        if model.treeCount > 0 { lines += forests.lines() + [""] }
        lines += linearParts(model) + (model.treeCount > 0 ? importances(model).lines() : [])
        if let importance = linearImportance(model) {
            var table = Table(.text("feature"), .number("importance"))
            for index in importance.indices.sorted(by: { importance[$0] > importance[$1] }) {
                table.add(model.featureNames[index], HumanNumber.decimals(importance[index], 4))
            }
            lines += table.lines()
        }
        // Names and provenance are the file's.
        return lines.map { $0.printable() }.joined(separator: "\n") + "\n"
    }

    private static func missing(_ model: Model) -> String {
        let inputs = model.composition?.preprocessing?.inputs ?? []
        if !inputs.isEmpty, inputs.allSatisfy({ $0.fill != nil || $0.oneHot }) {
            return "filled in as in training; an unknown text has a column of its own"
        }
        if model.treeCount == 0, model.composition != nil { return "counted as the mean of the training rows" }
        return model.missingValues == .route ? "routed by each split" : "refused"
    }

    /// By column, what one standard deviation of the training rows adds to the log odds; empty when the training did not say.
    private static func standardised(_ model: Model, outcome: String) -> [String: Double] {
        guard let metrics = model.metrics, let all = try? JSONValue(parsing: Array(metrics.utf8), name: "metrics"),
            let own = all["outcomes"]?.array?.first(where: { $0["name"]?.string == outcome })
        else { return [:] }
        let found = (own["coefficients"]?.array ?? []).compactMap { entry -> (String, Double)? in
            guard let column = entry["column"]?.string, let value = entry["standardised"]?.number else { return nil }
            return (column, value)
        }
        return Dictionary(found, uniquingKeysWith: { first, _ in first })
    }

    /// For a model of linear parts, each feature's share of what a standard deviation of its columns moves, over the
    /// outcomes; nil when it is not known.
    private static func linearImportance(_ model: Model) -> [Double]? {
        guard model.treeCount == 0, let preprocessing = model.composition?.preprocessing else { return nil }
        let names = preprocessing.outputNames(model.featureNames)
        var sums = [Double](repeating: 0, count: model.featureCount)
        for outcome in model.outcomes {
            let standardised = standardised(model, outcome: outcome)
            for (column, input) in preprocessing.inputOfOutput.enumerated() {
                sums[input] += abs(standardised[names[column]] ?? 0)
            }
        }
        let total = sums.reduce(0, +)
        return total > 0 ? sums.map { $0 / total } : nil
    }

    /// The coefficients of linear parts, the largest first.
    private static func linearParts(_ model: Model) -> [String] {
        guard let composition = model.composition else { return [] }
        let names = composition.preprocessing?.outputNames(model.featureNames) ?? model.featureNames
        return composition.parts.flatMap { part -> [String] in
            guard case .linear(let linear) = part else { return [] }
            let standardised = standardised(model, outcome: linear.name)
            func name(_ term: Composition.Linear.Term) -> String {
                term.features.map { names[$0] }.joined(separator: " × ")
            }
            func size(_ term: Composition.Linear.Term) -> Double { abs(standardised[name(term)] ?? term.coefficient) }
            var columns: [Table.Column] = [
                .text("\(linear.name), linear"), .number("coefficient"), .number("std error"),
            ]
            if !standardised.isEmpty { columns.append(.number("a std deviation adds")) }
            var table = Table(columns: columns)
            table.add(
                ["(at the means)", HumanNumber.decimals(linear.intercept, 4), ""]
                    + (standardised.isEmpty ? [] : [""]))
            for term in linear.terms.sorted(by: { size($0) > size($1) }).prefix(40) {
                // Per unit of the column, whatever the part divides it by.
                let scale = term.features.reduce(1) { $0 * (linear.scales?[$1] ?? 1) }
                func number(_ value: Double) -> String { String(format: "%.4g", value * scale) }
                var cells = [name(term), number(term.coefficient), term.standardError.map(number) ?? "–"]
                if !standardised.isEmpty {
                    cells.append(standardised[name(term)].map { HumanNumber.decimals($0, 4) } ?? "–")
                }
                table.add(cells)
            }
            let words =
                linear.link == .logistic
                ? ["log odds of \(linear.name): the first line, plus each coefficient × (column − its training mean)"]
                : []
            return words + table.lines() + [""]
        }
    }

    /// Features by importance, the largest first.
    private static func importances(_ model: Model) -> Table {
        let heterogeneity = model.heterogeneityImportance
        let split = model.splitImportance
        let order = model.importance
        var columns: [Table.Column] = [.text("feature"), .number("split importance")]
        if heterogeneity != nil { columns.append(.number("share of the heterogeneity")) }
        var table = Table(columns: columns)
        for index in model.featureNames.indices.sorted(by: { order[$0] > order[$1] }) {
            var cells = [model.featureNames[index], HumanNumber.decimals(split[index], 4)]
            if let heterogeneity { cells.append(HumanNumber.decimals(heterogeneity[index], 4)) }
            table.add(cells)
        }
        return table
    }

    private static func output(_ value: JSONValue) -> JSONOutput {
        switch value {
        case .null: .null
        case .bool(let flag): .bool(flag)
        case .number(let number): .number(number)
        case .string(let text): .text(text)
        case .array(let items): .array(items.map(output))
        case .object(let members): .object(members.map { (name: $0.name, value: output($0.value)) })
        }
    }

    fileprivate static func json(_ model: Model) -> JSONOutput {
        let split = model.splitImportance
        let linear = linearImportance(model)
        let features = model.featureNames.indices.map { i -> JSONOutput in
            var members: [(name: String, value: JSONOutput)] = [
                (name: "name", value: .text(model.featureNames[i])),
                (name: "split_importance", value: .number(split[i])),
            ]
            if let range = model.ranges?[i] {
                members.append(
                    (
                        name: "range",
                        value: [
                            "kind": .text(range.kind.rawValue), "min": .number(range.min), "max": .number(range.max),
                            "mean": .number(range.mean), "missing": .number(range.missing),
                            "quantiles": .array(range.quantiles.map { .number($0) }),
                        ]
                    ))
            }
            if let linear { members.append((name: "importance", value: .number(linear[i]))) }
            if let gain = model.heterogeneityImportance {
                members.append((name: "heterogeneity_importance", value: .number(gain[i])))
            }
            return .object(members)
        }
        let forests = model.summaries.map { forest -> JSONOutput in
            [
                "outcome": .text(forest.outcome), "kind": .text(forest.kind), "trees": .integer(forest.trees),
                "nodes": .integer(forest.nodes), "leaves": .integer(forest.leaves), "tiles": .integer(forest.tiles),
                "deepest": .integer(forest.deepest), "mean_leaf_depth": .number(forest.meanLeafDepth),
                "bytes_per_row": .integer(forest.bytesPerRow),
            ]
        }
        return [
            "name": .text(model.name), "version": .text(model.version), "kind": .text(model.kind),
            "file": .text(model.path), "metrics": model.metrics.map { .text($0) } ?? .null,
            "bytes": .integer(model.byteCount), "sha256": .text(model.sha256),
            "treatments": .array(model.treatments.map { .text($0) }),
            "outcomes": .array(model.outcomes.map { .text($0) }),
            "missing_values": .text(model.missingValues == .route ? "route" : "refuse"),
            "intervals": .bool(model.hasStandardErrors), "scores_events": .bool(!model.specificationJSON.isEmpty),
            "kernel": .text(Kernel.best.rawValue), "forests": .array(forests), "features": .array(features),
            "provenance": .text(model.provenance),
            "training": (try? JSONValue(parsing: Array(model.provenance.utf8), name: "provenance")).map(output)
                ?? .null,
        ]
    }
}

/// What `model inspect` says, for the fuzzer.
package enum ModelDescriptions {
    package static func of(_ model: Model) -> (text: String, json: String) {
        (ModelInspectCommand.text(model), ModelInspectCommand.json(model).line)
    }
}
