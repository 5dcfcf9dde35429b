import Base
import Features
import Foundation
import Propensity
import Report
import Rows
import Scoring
import Statistics
import Terminal

/// `impactiq train --kind response`: a model of an outcome itself, such as the likelihood to buy.
enum ResponseTraining {
    /// The options that belong to response models; `train` has the others (`--out`, `--outcome`, `--seed` …).
    static let options: [CommandSpecification.Option] = [
        .value("id", "COLUMN", "The column that names a row, which is not a feature", repeated: true),
        .value("learner", "NAME", "logistic, forest or boosted; all are compared when not given", repeated: true),
        .value(
            "select", "METRIC", "What the best learner has most of: f1, accuracy, roc_auc, log_loss …", default: "f1"),
        .value("folds", "K", "Folds of the cross-validation", default: "5"),
        .value("validation", "SHARE", "Share of the rows that choose threshold and trees", default: "0.15"),
        .value("test", "SHARE", "Share of the rows that only judge", default: "0.15"),
        .value("impute", "HOW", "median, mean, none or a number; what each learner needs when not given"),
        .value("scale", "HOW", "standard, minmax or none; what each learner needs when not given"),
        .flag("balanced", "Both classes weigh the same"),
        .value("positive-weight", "W", "Weight of rows with the outcome", default: "1"),
        .value("l2", "PENALTY", "L2 penalty of the logistic regression (1 / C)", default: "1"),
        .value("ad-threshold", "[OUTCOME=]P", "Probability above which an ad is shown", repeated: true),
        .value("replicates", "N", "Bootstrap replicates of the intervals", default: "200"),
        .value("save-split", "FILE.csv", "Write which row went where: row, part"),
    ]

    /// The options of the causal learners that mean the same here.
    static let shared: Set = [
        "kind", "out", "outcome", "outcome-name", "features", "feature", "ignore", "category", "weight", "cluster",
        "name", "version", "trees", "leaf", "depth", "report", "seed", "threads", "json",
    ]

    static func run(_ command: ParsedCommand) throws {
        guard let output = command.text("out") else { throw command.invalid("out", "name the model file to write") }
        let path = command.arguments[0]
        try OutputPlaces.check(
            command, ["out", "report", "save-split"], inputs: [path] + command.texts("features"))
        let table = try Self.table(command, path)
        var request = ResponseRequest(columns: table.columns, outcomes: table.outcomes)
        (request.weights, request.clusters, request.notes) = (table.weights, table.clusters, table.notes)
        try configure(&request, command)
        let quiet = command.flag("json")
        let result = try ResponseTrainer.train(request) { phase in
            if !quiet { Log.info("train", phase) }
        }
        let stem = URL(filePath: output).deletingPathExtension().lastPathComponent
        let name = command.text("name") ?? stem
        let version = command.text("version") ?? "1"
        let dataHash = try FileHash.sha256(path)
        // Nothing of this run alone, such as its time: equal rows, options and seeds give equal files.
        let provenance: JSONOutput = [
            "made_by": .text("impactiq train"), "kind": "response", "learner": .text(result.learner.rawValue),
            "data": .text(URL(filePath: path).lastPathComponent), "data_sha256": dataHash.map { .text($0) } ?? .null,
            "rows": .integer(table.columns.first?.values.count ?? 0),
            "seed": .integer(Int(truncatingIfNeeded: request.seed)), "impactiq": .text(CommandLineTool.version),
        ]
        let sha256 = try result.write(
            to: output, name: name, version: version, specification: table.specification, provenance: provenance.line)
        if let split = command.text("save-split") { try save(result.split, table.rows, to: split) }
        if let page = command.text("report") {
            let facts: [(name: String, value: String?)] = [
                ("Data", path), ("SHA-256 of the data", dataHash), ("Model", "\(name) \(version)"),
                ("SHA-256 of the model", sha256),
                ("Columns left out", table.ignored.isEmpty ? nil : table.ignored.joined(separator: ", ")),
                ("Intervals", "\(request.replicates) Poisson bootstrap replicates, seed \(request.seed)"),
                ("Command", EvaluateCommand.commandLine), ("Made", Date().formatted(.iso8601)),
            ]
            try EvaluateCommand.write(result.html(title: "Response model \(name)", facts: facts), to: page)
        }
        if quiet {
            guard case .object(let members) = result.json else { return }
            let all =
                [(name: "model", value: JSONOutput.text(output)), (name: "sha256", value: .text(sha256))] + members
            Terminal.Stream.output.write(JSONOutput.object(all).line + "\n")
            return
        }
        Terminal.Stream.output.write(
            result.text
                + "\n\(output): \(name) \(version), \(HumanNumber.decimals(result.seconds, 2)) s\nsha256 \(sha256)\n")
    }

    /// What a file's columns are to a response model.
    private struct Table {
        var columns: [ResponseColumn] = []
        var outcomes: [(name: String, target: [Float])] = []
        var ignored: [String] = []
        var specification: [UInt8] = []
        var weights: [Double]?
        /// Rows of one number stay in one part of the split.
        var clusters: [Int]?
        /// For each row its number in the file.
        var rows: [Int] = []
        /// What was done that nobody asked for.
        var notes: [String] = []
    }

    private static func table(_ command: ParsedCommand, _ path: String) throws -> Table {
        let profiles = try ColumnProfile.read(path: path)
        let outcomes = command.texts("outcome")
        guard !outcomes.isEmpty else { throw command.invalid("outcome", "name the column to predict, of 0 and 1") }
        var taken = Set(outcomes)
        for option in ["id", "ignore", "weight", "cluster"] {
            for name in command.texts(option) { taken.insert(try profiles.require(name, option, path: path).name) }
        }
        let categories = Set(command.texts("category"))
        for name in outcomes { try profiles.require(name, "outcome", path: path).checkIsOneKind(path: path) }
        for name in categories { _ = try profiles.require(name, "category", path: path) }
        for name in command.texts("feature") { _ = try profiles.require(name, "feature", path: path) }
        var wanted = command.texts("feature")
        if let wrong = wanted.first(where: taken.contains) {
            throw command.invalid("feature", "'\(wrong)' is named as something else, too")
        }
        var table = Table()
        var specification: FeatureSpecification?
        if let file = command.text("features") {
            let read = try FeatureSpecification(json: try OpenFile.contents(of: file), name: file)
            wanted = read.names
            table.specification = read.canonicalJSON
            specification = read
        }
        var used: [ColumnProfile] = []
        for profile in profiles where !taken.contains(profile.name) {
            guard wanted.isEmpty || wanted.contains(profile.name) else {
                table.ignored.append(profile.name)
                continue
            }
            if !categories.contains(profile.name) { try profile.checkIsOneKind(path: path) }
            used.append(profile)
        }
        // Arithmetic that the file does not hold follows from the columns that it does.
        let derived =
            specification.map(FeatureArithmetic.names)?.filter { name in !used.contains { $0.name == name } } ?? []
        if !wanted.isEmpty {
            used = try wanted.filter { !derived.contains($0) }.map { name in
                guard let profile = used.first(where: { $0.name == name }) else {
                    throw ImpactError(
                        .badInput, code: "csv_column", "\(path) has no usable column '\(name)' for the feature")
                }
                return profile
            }
        }
        try read(profiles, used, categories, named: !wanted.isEmpty, &table, command, path)
        if !table.ignored.isEmpty {
            table.notes.append("Columns left out: \(table.ignored.joined(separator: ", ")).")
        }
        guard !table.columns.isEmpty else {
            throw ImpactError(.badInput, code: "no_features", "\(path) has no column that could be a feature")
        }
        if let specification, !derived.isEmpty { try derive(specification, &table, path) }
        return table
    }

    /// Reads the columns. Rows that lack an outcome are left out, and counted outcome by outcome.
    private static func read(
        _ profiles: [ColumnProfile], _ used: [ColumnProfile], _ categories: Set<String>, named: Bool,
        _ table: inout Table, _ command: ParsedCommand, _ path: String
    ) throws {
        let outcomes = command.texts("outcome")
        let names = command.texts("outcome-name")
        guard names.isEmpty || names.count == outcomes.count else {
            throw command.invalid("outcome-name", "there are \(outcomes.count) outcomes, but \(names.count) names")
        }
        func isCategory(_ profile: ColumnProfile) -> Bool { categories.contains(profile.name) || !profile.isNumeric }
        var fields = outcomes.map { RowField($0, role: "outcome", option: "--outcome") }
        fields += used.map { RowField($0.name, isCategory($0) ? .level(only: nil) : .number) }
        if let weight = command.text("weight") {
            fields.append(RowField("weight", column: weight, missing: .refuse, role: "weight", option: "--weight"))
        }
        // A customer with several rows would be learnt by heart on one side of the split and met again on the other.
        let cluster = command.text("cluster") ?? command.texts("id").first
        if let cluster {
            fields.append(RowField("cluster", column: cluster, .level(only: nil), role: "cluster", option: "--cluster"))
        }
        let read = try RowTable.read(path: path, fields: fields)
        let targets = outcomes.indices.map { read.columns[$0].buffer }
        table.rows = (0..<read.count).filter { row in targets.allSatisfy { !$0[row].isNaN } }
        if table.rows.count < read.count {
            let counts = zip(outcomes, targets).map { name, target in (name, target.count { $0.isNaN }) }.filter {
                $1 > 0
            }
            table.notes.append(
                "\(read.count - table.rows.count) of \(read.count) rows are left out, because an outcome is missing: "
                    + counts.map { "'\($0)' in \($1)" }.joined(separator: ", ") + ".")
        }
        func values(_ place: Int) -> [Float] { table.rows.map { read.columns[place][$0] } }
        for (index, name) in outcomes.enumerated() {
            let target = values(index)
            if let wrong = target.first(where: { $0 != 0 && $0 != 1 }) {
                throw ImpactError(
                    .badInput, code: "outcome_not_binary",
                    "\(path): the outcome '\(name)' holds \(wrong); a response model predicts an outcome of 0 and 1")
            }
            table.outcomes.append((names.isEmpty ? name : names[index], target))
        }
        for (index, profile) in used.enumerated() {
            let place = outcomes.count + index
            let levels = isCategory(profile) ? read.levels[place] : nil
            // A text of which every row has its own tells rows apart and nothing else.
            if let levels, levels.count > ColumnProfile.mostLevels, levels.count * 2 > read.count, !named {
                table.ignored.append("\(profile.name) (\(levels.count) texts in \(read.count) rows)")
                continue
            }
            table.columns.append(ResponseColumn(name: profile.name, values: values(place), levels: levels))
        }
        if command.isGiven("weight") {
            let weights = values(outcomes.count + used.count)
            guard weights.allSatisfy({ $0 >= 0 }), weights.contains(where: { $0 > 0 }) else {
                throw ImpactError(.badInput, code: "train_weight", "\(path): weights must not be negative, nor all 0")
            }
            table.weights = weights.map { Double($0) }
        }
        if let cluster {
            // A row without a name is a customer of its own.
            let ids = values(fields.count - 1).enumerated().map { $1.isNaN ? read.count + $0 : Int($1) }
            let customers = Set(ids).count
            if customers < ids.count {
                table.clusters = ids
                table.notes.append(
                    "The \(ids.count) rows are of \(customers) values of '\(cluster)': rows of one stay in one part of the split."
                )
            }
        }
    }

    /// Puts the columns into the specification's order and computes its arithmetic, row by row as the stream does.
    private static func derive(_ specification: FeatureSpecification, _ table: inout Table, _ path: String) throws {
        if let category = table.columns.first(where: { $0.levels != nil }) {
            throw ImpactError(
                .badInput, code: "csv_value",
                "\(path): the column '\(category.name)' holds texts, but a feature of the specification is a number")
        }
        let rows = table.columns.first?.values.count ?? 0
        var columns = specification.names.map { name in
            table.columns.first { $0.name == name }
                ?? ResponseColumn(name: name, values: .init(repeating: .nan, count: rows))
        }
        let isGiven = specification.names.map { name in table.columns.contains { $0.name == name } }
        let arithmetic = FeatureArithmetic(specification)
        var row = [Float](repeating: .nan, count: columns.count)
        for index in 0..<rows {
            for place in columns.indices { row[place] = columns[place].values[index] }
            row.withUnsafeMutableBufferPointer {
                if let start = $0.baseAddress { arithmetic.apply(start) { isGiven[$0] } }
            }
            for place in columns.indices { columns[place].values[index] = row[place] }
        }
        table.columns = columns
    }

    private static func configure(_ request: inout ResponseRequest, _ command: ParsedCommand) throws {
        func share(_ name: String) throws -> Double {
            let value = try command.number(name) ?? 0.15
            guard value > 0, value < 0.5 else { throw command.invalid(name, "must be above 0 and below 0.5") }
            return value
        }
        let learners = command.texts("learner")
        if !learners.isEmpty {
            request.learners = try learners.map { name in
                guard let learner = ResponseLearner(rawValue: name) else {
                    throw command.invalid("learner", "choose logistic, forest or boosted")
                }
                return learner
            }
        }
        request.metric = command.text("select") ?? "f1"
        request.folds = try command.count("folds") ?? 5
        guard (2...50).contains(request.folds) else { throw command.invalid("folds", "must be from 2 to 50") }
        request.validationShare = try share("validation")
        request.testShare = try share("test")
        request.seed = command.isGiven("seed") ? try command.seed("seed") ?? 42 : 42
        request.replicates = try command.count("replicates") ?? 200
        request.settings.seed = request.seed
        request.settings.l2 = try command.number("l2") ?? 1
        guard request.settings.l2 >= 0 else { throw command.invalid("l2", "must not be negative") }
        request.settings.balanced = command.flag("balanced")
        request.settings.positiveWeight = try command.number("positive-weight") ?? 1
        guard request.settings.positiveWeight > 0 else { throw command.invalid("positive-weight", "must be above 0") }
        func most(_ name: String, _ range: ClosedRange<Int>) throws -> Int? {
            guard command.isGiven(name), let value = try command.count(name) else { return nil }
            guard range.contains(value) else {
                throw command.invalid(name, "must be from \(range.lowerBound) to \(range.upperBound)")
            }
            guard request.learners != [.logistic] else {
                throw command.invalid(name, "it is for trees, and --learner logistic has none")
            }
            return value
        }
        request.settings.trees = try most("trees", 1...100_000) ?? request.settings.trees
        request.settings.leaf = try most("leaf", 1...1_000_000)
        request.settings.depth = try most("depth", 1...10_000) ?? 0
        if command.isGiven("l2"), !request.learners.contains(.logistic) {
            throw command.invalid("l2", "it is for the logistic regression, which --learner leaves out")
        }
        request.settings.threads = try command.count("threads") ?? Parallel.processors
        if command.isGiven("impute") || command.isGiven("scale") {
            var options = PreprocessingOptions()
            switch command.text("impute") ?? "median" {
            case "median": options.fill = .median
            case "mean": options.fill = .mean
            case "none": options.fill = .keep
            case let text:
                guard let value = Double(text), value.isFinite else {
                    throw command.invalid("impute", "choose median, mean, none or a number")
                }
                options.fill = .constant(value)
            }
            guard let scale = PreprocessingOptions.Scale(rawValue: command.text("scale") ?? "standard") else {
                throw command.invalid("scale", "choose standard, minmax or none")
            }
            options.scale = scale
            if options.fill == .keep, request.learners.contains(.logistic) {
                throw command.invalid("impute", "the logistic regression needs a value for what is missing")
            }
            request.preprocessing = options
        }
        for text in command.texts("ad-threshold") {
            let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
            guard let value = Double(parts.last ?? ""), (0...1).contains(value) else {
                throw command.invalid("ad-threshold", "must be a probability, or OUTCOME=PROBABILITY")
            }
            if parts.count == 1 {
                request.adThresholds = request.adThresholds.map { _ in value }
            } else if let index = request.outcomes.firstIndex(where: { $0.name == parts[0] }) {
                request.adThresholds[index] = value
            } else {
                throw command.invalid("ad-threshold", "there is no outcome '\(parts[0])'")
            }
        }
    }

    /// Rows are numbered as the file has them, from 0.
    private static func save(_ split: RowSplit, _ rows: [Int], to path: String) throws {
        var parts: [(row: Int, part: String)] = split.train.map { ($0, "train") }
        parts += split.validation.map { ($0, "validation") } + split.test.map { ($0, "test") }
        parts.sort { $0.row < $1.row }
        let text = "row,part\n" + parts.map { "\(rows[$0.row]),\($0.part)\n" }.joined()
        try OutputFile.write(Array(text.utf8), to: path)
    }
}
