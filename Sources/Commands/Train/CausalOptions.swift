import Base
import Features
import Foundation
import Terminal
import Training

/// The options of `impactiq train` for effects.
struct CausalOptions {
    var request: TrainingRequest
    var settings = TrainingSettings()
    var output: String
    var printsJSON: Bool
    var saveNuisances: String?

    /// `causal-forest` or a learner's name.
    var kind: String
    var compares: Bool
    var refutes: Bool
    var forces: Bool
    var policyDepth: Int
    var budget: Double?
    private var costTexts: [String]

    var threads: Int { settings.grower.threads > 0 ? settings.grower.threads : Parallel.processors }

    static var names: Set<String> { Set(all.map(\.name)) }

    static let all: [CommandSpecification.Option] = [
        .value(
            "kind", "KIND",
            "causal-forest, s-learner, t-learner, x-learner, r-learner, dr-learner, linear-dml; response: the outcome itself",
            default: "causal-forest"),
        .value("out", "MODEL", "The model file to write", required: true),
        .value("treatment", "COLUMN", "The treatment's column; arm or treatment when not given"),
        .value("control", "ARM", "The arm that others are compared with"),
        .value("arm", "ARM", "An arm to compare with the control; all when not given", repeated: true),
        .flag("continuous", "The treatment is a number, its effect per unit"),
        .value("outcome", "COLUMN", "The outcome's column; repeat for several", repeated: true),
        .value(
            "propensity", "WHAT",
            "A column with the probability of the row's own arm, a number (or numbers of the arms, control first), or estimate"
        ),
        .flag(
            "propensity-of-treatment", "The propensity column is the probability of treatment, not of the row's own arm"
        ),
        .value("features", "SPEC.json", "The feature specification; it goes into the model"),
        .value("feature", "COLUMN", "A feature's column; all that are nothing else when not given", repeated: true),
        .value("ignore", "COLUMN", "A column that is not a feature", repeated: true),
        .value(
            "category", "COLUMN", "A column whose values are texts, also where they look like numbers", repeated: true),
        .value("ordered", "COLUMN", "A column of texts that becomes their rank by frequency", repeated: true),
        .value("weight", "COLUMN", "Sample weights"),
        .value("cluster", "COLUMN", "Rows of one cluster are sampled, and judged, together"),
        .value("treatment-name", "NAME", "A name in the model for each arm besides the control", repeated: true),
        .value("outcome-name", "NAME", "A name in the model for each outcome", repeated: true),
        .value("name", "NAME", "The model's name; the output file's when not given"),
        .value("version", "V", "The model's version", default: "1"),
        .value("trees", "N", "Trees", default: "500"),
        .value("leaf", "N", "Least rows of a leaf, of those that split and of those that estimate", default: "10"),
        .value("bag", "N", "Trees that share a half-sample; 2 or more give intervals", default: "2"),
        .value("subsample", "SHARE", "The share of a half-sample that a tree sees", default: "1"),
        .value("honesty", "SHARE", "The share of a tree's rows that decides splits", default: "0.6"),
        .value("balance", "SHARE", "Least share of a node's rows in each child", default: "0.05"),
        .value("mtry", "N", "Features that a node looks at; all when not given"),
        .value("depth", "N", "Greatest depth of a tree"),
        .value(
            "min-variance", "SHARE", "Least variance of the treatment in a leaf, of the whole sample's", default: "0"),
        .value(
            "monotone", "NAME:SIGN", "Only splits after which the effect rises (+) or falls (-) with a feature",
            repeated: true),
        .value("nuisance", "MODEL", "linear, boosted, forest, or best of them on rows left out", default: "best"),
        .value("offset", "SHAPE", "Smooth part of the effect: auto, none, linear, quadratic", default: "auto"),
        .flag("residuals", "Treatment and outcome are residuals already: no nuisances"),
        .flag("tune", "Choose the leaf from 8, 24, 80 by the out-of-bag loss: for ranking"),
        .flag("no-diagnostics", "Only grow: no averages, tests and held-out metrics"),
        .value("report", "FILE.html", "Write the report as one page"),
        .flag("compare", "Train all learners on three folds and say which ranks best"),
        .flag("refute", "Ask spoilt questions: a placebo treatment, a random column"),
        .flag("force", "Keep features that look as if they came after the treatment"),
        .value("policy-depth", "N", "Depth of the policy tree, 1 to 3", default: "2"),
        .value("cost", "[ARM=]COST", "What treating costs, in units of the outcome", repeated: true),
        .value("budget", "SHARE", "Greatest share to treat; values the rule of the greatest effects"),
        .value("save-nuisances", "FILE.csv", "Write each row's number, nuisances, effects held out and scores"),
        .value("seed", "N", "The seed; 42 for --kind response", default: "1"),
        .value("threads", "N", "Threads; one a core when not given; never changes a bit"),
        .flag("json", "Print one JSON object"),
    ]

    /// Options of the forest, and of what is asked of it.
    static let forestAlone: Set<String> = [
        "trees", "leaf", "bag", "subsample", "honesty", "balance", "mtry", "depth", "min-variance", "monotone",
        "offset",
        "compare", "refute",
    ]

    init(_ command: ParsedCommand, kind: String) throws {
        self.kind = kind
        compares = command.flag("compare")
        refutes = command.flag("refute")
        forces = command.flag("force")
        policyDepth = try command.count("policy-depth") ?? 2
        guard (1...3).contains(policyDepth) else { throw command.invalid("policy-depth", "must be from 1 to 3") }
        budget = try command.number("budget")
        if let budget, !(budget > 0 && budget <= 1) { throw command.invalid("budget", "must be above 0 and at most 1") }
        costTexts = command.texts("cost")
        output = command.text("out") ?? ""
        printsJSON = command.flag("json")
        settings.diagnoses = !command.flag("no-diagnostics")
        saveNuisances = command.text("save-nuisances")
        request = TrainingRequest(rows: command.arguments[0])
        request.treatment = command.text("treatment")
        request.control = command.text("control")
        request.arms = command.texts("arm")
        request.isContinuous = command.flag("continuous")
        request.outcomes = command.texts("outcome")
        request.propensity = command.text("propensity")
        request.propensityIsOfTreatment = command.flag("propensity-of-treatment")
        request.areResiduals = command.flag("residuals")
        request.effectNames = command.texts("treatment-name")
        request.outcomeNames = command.texts("outcome-name")
        request.weight = command.text("weight")
        request.cluster = command.text("cluster")
        request.ignored = command.texts("ignore")
        request.ids = command.texts("id")
        request.categories = command.texts("category")
        request.features = command.texts("feature")
        request.ordered = command.texts("ordered")
        if let path = command.text("features") {
            request.specification = try FeatureSpecification(json: try OpenFile.contents(of: path), name: path)
        }
        settings.name = command.text("name") ?? URL(filePath: output).deletingPathExtension().lastPathComponent
        settings.version = command.text("version") ?? "1"
        func within(_ name: String, _ range: ClosedRange<Double>) throws(ImpactError) -> Double {
            let value = try command.number(name) ?? range.lowerBound
            guard range.contains(value) else {
                throw command.invalid(name, "must be from \(range.lowerBound) to \(range.upperBound)")
            }
            return value
        }
        func count(_ name: String, _ range: ClosedRange<Int>) throws(ImpactError) -> Int? {
            guard let value = try command.count(name) else { return nil }
            guard range.contains(value) else {
                throw command.invalid(name, "must be from \(range.lowerBound) to \(range.upperBound)")
            }
            return value
        }
        var grower = GrowerSettings()
        grower.bag = try count("bag", 1...16) ?? 2
        grower.trees = try count("trees", 2...1_000_000) ?? 500
        guard grower.trees % grower.bag == 0 else { throw command.invalid("trees", "must be a multiple of --bag") }
        let leaf = try count("leaf", 1...1_000_000) ?? 10
        (grower.splitLeaf, grower.estimateLeaf) = (leaf, leaf)
        grower.subsample = try within("subsample", 0.01...1)
        grower.honesty = try within("honesty", 0.05...0.95)
        grower.balance = try within("balance", 0...0.5)
        grower.leastVariance = try within("min-variance", 0...1)
        grower.featuresTried = try count("mtry", 1...100_000)
        grower.maxDepth = try count("depth", 1...10_000) ?? 10_000
        grower.seed = try command.seed("seed") ?? 1
        grower.threads = try count("threads", 1...1_024) ?? 0
        settings.grower = grower
        guard let nuisance = NuisanceModel(rawValue: command.text("nuisance") ?? "best") else {
            throw command.invalid("nuisance", "choose linear, boosted, forest or best")
        }
        settings.nuisance = nuisance
        let offset = command.text("offset") ?? "auto"
        if offset != "auto" {
            guard let shape = OffsetShape(rawValue: offset) else {
                throw command.invalid("offset", "choose auto, none, linear or quadratic")
            }
            settings.offset = shape
        }
        if command.flag("tune") {
            guard !command.isGiven("leaf") else { throw command.invalid("leaf", "--tune chooses the leaf") }
            settings.leafGrid = TrainingSettings.rankingGrid
        }
        monotone = command.texts("monotone")
        for rule in monotone where !(rule.hasSuffix(":+") || rule.hasSuffix(":-")) {
            throw command.invalid("monotone", "expected NAME:+ or NAME:-, not '\(rule)'")
        }
        for (index, rule) in monotone.enumerated()
        where monotone[..<index].contains(where: { $0.dropLast(2) == rule.dropLast(2) }) {
            throw command.invalid("monotone", "'\(rule.dropLast(2))' is given twice")
        }
        try refuse(
            command, unless: !request.isContinuous, ["control", "arm", "propensity", "propensity-of-treatment"],
            "--continuous has no arms")
        try refuse(
            command, unless: !request.areResiduals,
            ["control", "arm", "propensity", "propensity-of-treatment", "nuisance"], "--residuals need no nuisances")
        try refuse(
            command, unless: settings.diagnoses, ["refute", "compare", "budget", "cost", "policy-depth"],
            "--no-diagnostics asks nothing")
    }

    /// Options that another one leaves without a meaning.
    private func refuse(
        _ command: ParsedCommand, unless holds: Bool, _ names: [String], _ why: String
    ) throws(ImpactError) {
        guard !holds, let name = names.first(where: { command.isGiven($0) }) else { return }
        throw command.invalid(name, "\(why); leave one of the two out")
    }

    private var monotone: [String]

    /// The settings with what needs the features' names.
    func settings(for features: [String], effects: Int) throws(ImpactError) -> TrainingSettings {
        if let tried = settings.grower.featuresTried, tried > features.count {
            throw ImpactError(
                .usage, code: "invalid_option_value", "--mtry \(tried): there are \(features.count) features")
        }
        guard !monotone.isEmpty else { return settings }
        guard effects == 1 else {
            throw ImpactError(
                .usage, code: "invalid_option_value",
                "--monotone: a direction needs one effect, and these rows have \(effects) arms besides the control; choose one "
                    + "with --arm")
        }
        var signs = [Int8](repeating: 0, count: features.count)
        for rule in monotone {
            let name = String(rule.dropLast(2))
            guard let index = features.firstIndex(of: name) else {
                throw ImpactError(
                    .usage, code: "invalid_option_value",
                    "--monotone '\(rule)': there is no feature '\(name)'; the features are "
                        + features.prefix(24).joined(separator: ", "))
            }
            signs[index] = rule.hasSuffix("+") ? 1 : -1
        }
        var settings = settings
        settings.grower.monotone = signs
        return settings
    }

    /// The cost of each arm besides the control.
    func costs(_ effects: [String]) throws(ImpactError) -> [Double] {
        var costs = [Double](repeating: 0, count: effects.count)
        for text in costTexts {
            // The name of an arm may hold the sign.
            let parts =
                text.lastIndex(of: "=").map { [String(text[..<$0]), String(text[text.index(after: $0)...])] } ?? [text]
            guard let cost = Double(parts[parts.count - 1]), cost.isFinite else {
                throw ImpactError(.usage, code: "invalid_option_value", "--cost '\(text)': expected COST or ARM=COST")
            }
            if parts.count == 1 {
                costs = costs.map { _ in cost }
            } else if let index = effects.firstIndex(of: parts[0]) {
                costs[index] = cost
            } else {
                throw ImpactError(
                    .usage, code: "invalid_option_value",
                    "--cost '\(text)': there is no arm '\(parts[0])'; the arms are \(effects.joined(separator: ", "))")
            }
        }
        return costs
    }

    /// Ctrl-C ends the training; the old model stays.
    static func checkStop() throws(ImpactError) {
        guard StopSignal.isRaised else { return }
        throw ImpactError(.failed, code: "stopped", "stopped; no model was written")
    }
}
