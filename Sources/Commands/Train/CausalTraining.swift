import Base
import Rows
import Scoring
import Statistics
import Terminal
import Training

/// `impactiq train` of a causal forest or another learner of effects.
enum CausalTraining {
    static let forest = "causal-forest"

    static func run(_ command: ParsedCommand, kind: String) throws {
        let options = try CausalOptions(command, kind: kind)
        try OutputPlaces.check(
            command, ["out", "report", "save-nuisances"], inputs: command.arguments + command.texts("features"))
        let clock = ContinuousClock.now
        let plan = try TrainingPlan.make(options.request)
        if plan.arms == nil {
            for option in ["cost", "budget", "policy-depth"] where command.isGiven(option) {
                throw command.invalid(
                    option, "it is about which arm to give, and the treatment '\(plan.treatment)' is a number")
            }
        }
        let costs = plan.arms == nil ? [] : try options.costs(plan.effects)
        let reading = ProgressLine("read", unit: "rows")
        var phases = PhaseClock()
        let data = try TrainingData(
            plan, path: options.request.rows, threads: options.threads,
            progress: { rows, share throws(ImpactError) in
                reading.update(rows, share: share)
                try CausalOptions.checkStop()
            })
        let readTime = phases.lap("read")
        if !options.printsJSON { Terminal.Stream.error.write(TrainText.before(data, options) + "\n") }
        let suspects = try refuseSuspects(data, options)
        let trainer = CausalTrainer(data, try options.settings(for: data.featureNames, effects: plan.effects.count))
        var line: (phase: String, line: ProgressLine)?
        func progress(_ progress: TrainingProgress) throws(ImpactError) {
            try CausalOptions.checkStop()
            if line?.phase != progress.phase {
                line = (progress.phase, ProgressLine(progress.phase, total: progress.total, unit: "trees"))
            }
            if progress.done > 0 { line?.line.update(progress.done) }
        }
        var findings = TrainFindings()
        findings.suspects = suspects
        func provenance(_ result: TrainingResult) throws(ImpactError) -> String {
            if options.settings.diagnoses {
                findings.diagnostics = TrainingDiagnostics(data, result.nuisances, result.outcomes)
            }
            return try TrainProvenance.json(data, options, result, findings.diagnostics).line
        }
        var result: TrainingResult
        if let learner = EffectLearner(rawValue: kind) {
            result = try trainer.run(learner, to: options.output, progress: progress, provenance: provenance)
        } else {
            result = try trainer.run(to: options.output, progress: progress, provenance: provenance)
        }
        result.seconds.insert(readTime, at: 0)
        if options.settings.diagnoses {
            if plan.arms != nil, let outcome = result.outcomes.first {
                findings.policy = PolicyReport(
                    data, trainer.matrix, outcome, depth: options.policyDepth, costs: costs,
                    budget: options.budget, seed: options.settings.grower.seed, threads: Parallel.processors)
            }
            if options.compares {
                findings.comparison = try trainer.compare(result) { _ throws(ImpactError) in
                    try CausalOptions.checkStop()
                }
            }
            if options.refutes { findings.refutations = try trainer.refute(result) }
        }
        // Written a moment ago by this process.
        let model = try Model.open(path: options.output, verify: .trusted)
        if model.treeCount > 0 {
            findings.importance = Array(zip(data.featureNames, model.importance))
            findings.splits = Array(zip(data.featureNames, model.splitImportance))
        }
        for summary in model.summaries where kind == forest && summary.leaves == summary.trees {
            findings.notes.append(
                "no tree of \(summary.outcome) has a split, so everybody has the same effect but for the offset: --leaf is too "
                    + "large for these rows")
        }
        if let weight = plan.weight {
            let known = data.effectiveRows { _ in true }
            if known < 0.1 * Double(data.count) {
                findings.notes.append(
                    "the weights of '\(weight)' leave what \(Int(known)) rows of equal weight would tell")
            }
        }
        if let signs = trainer.settings.grower.monotone, options.settings.diagnoses {
            findings.monotone = MonotoneCheck.all(data, model, signs)
        }
        findings.hasIntervals = model.hasStandardErrors
        if let path = options.saveNuisances { try NuisanceFile.write(path, rows: options.request.rows, data, result) }
        let wall = (ContinuousClock.now - clock) / .seconds(1)
        if let path = command.text("report") {
            try EvaluateCommand.write(TrainPage(data, options, result, findings).html, to: path)
        }
        Terminal.Stream.output.write(
            options.printsJSON
                ? TrainText.json(data, options, result, findings, wall: wall).line + "\n"
                : TrainText.after(data, options, result, findings, wall: wall))
    }

    /// Features that look as if they came after the treatment end the training, unless they are wanted.
    private static func refuseSuspects(
        _ data: TrainingData, _ options: CausalOptions
    ) throws(ImpactError) -> [TrainingDiagnostics.Suspect] {
        guard !options.request.areResiduals, options.settings.diagnoses else { return [] }
        let suspects = TrainingDiagnostics.suspects(data)
        guard !suspects.isEmpty, !options.forces else { return suspects }
        throw ImpactError(
            .badInput, code: "train_suspects",
            "\(options.request.rows): these features look as if they came after the treatment, which would spoil every "
                + "effect:\n" + suspects.map { "  \($0.feature) \($0.why)" }.joined(separator: "\n")
                + "\nLeave them out with --ignore COLUMN, or keep them with --force")
    }
}

/// What is said of a training beyond the model.
struct TrainFindings {
    var notes: [String] = []
    var suspects: [TrainingDiagnostics.Suspect] = []
    var diagnostics: TrainingDiagnostics?
    var policy: PolicyReport?
    var comparison: LearnerComparison?
    var refutations: [Refutation] = []
    var monotone: [MonotoneCheck] = []
    /// Whether the model has intervals, without which no decision is certain.
    var hasIntervals = true
    /// Names with importance, and with that of the splits alone, in the order of the features.
    var importance: [(String, Double)] = []
    var splits: [(String, Double)] = []
}
