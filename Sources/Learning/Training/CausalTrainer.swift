import Base
import Features
import Foundation
import Rows
import Scoring
import Statistics
import Trees

/// Trains causal forests, one an outcome, into a model file.
package final class CausalTrainer {
    package let data: TrainingData
    package let settings: TrainingSettings
    package var matrix: BinnedMatrix { data.matrix }
    private let threads: Int
    /// Processor and wall-clock seconds of each phase.
    package private(set) var seconds: [PhaseTime] = []

    package init(_ data: TrainingData, _ settings: TrainingSettings) {
        self.data = data
        self.settings = settings
        threads = settings.grower.threads > 0 ? settings.grower.threads : Parallel.processors
    }

    /// Trains and writes the model.
    ///
    /// - Parameter provenance: of the finished training, a JSON object as text.
    /// - Throws: what growing and writing throw; what `progress` throws ends the training and leaves an old model in place.
    package func run(
        to path: String, progress: (TrainingProgress) throws(ImpactError) -> Void,
        provenance: (TrainingResult) throws(ImpactError) -> String
    ) throws(ImpactError) -> TrainingResult {
        var clock = PhaseClock()
        func lap(_ phase: String) { seconds.append(clock.lap(phase)) }
        let nuisances = try self.nuisances(progress)
        lap("nuisances")
        var outcomes: [TrainedOutcome] = []
        var tasks: [EffectTask] = []
        for index in data.plan.outcomes.indices {
            let residuals = Residuals(data, nuisances, outcome: index)
            let task = EffectTask(data, matrix, residuals, settings, threads: threads)
            try task.choose { what throws(ImpactError) in
                try progress(TrainingProgress(phase: "choose \(what)", done: 0, total: 1))
            }
            lap("choices")
            tasks.append(task)
        }
        // The forests go through a spool on disk while they grow; what is said of them comes after.
        var spooled = try ForestSpools(
            tasks.map { $0.makeGrower() }, metadata: metadata(tasks), path: path, progress: progress)
        lap("forest")
        for task in tasks where settings.diagnoses {
            try progress(TrainingProgress(phase: "rows held out", done: 0, total: 1))
            outcomes.append(
                TrainedOutcome(
                    task.residuals, try task.heldOutEffects(), choices: task.choices, leaf: task.grower.estimateLeaf,
                    offset: task.offset?.shape ?? .none))
        }
        spooled.setImportances(zip(tasks, outcomes).map { ($0, $1.effects) })
        lap("held out")
        var result = TrainingResult(
            nuisances: nuisances, outcomes: outcomes, trees: spooled.trees, sha256: "", seconds: seconds)
        result.sha256 = try spooled.finish(provenance: provenance(result))
        return result
    }

    /// Trains one of the other learners and writes it; what is known of it comes from three folds.
    package func run(
        _ learner: EffectLearner, to path: String, progress: (TrainingProgress) throws(ImpactError) -> Void,
        provenance: (TrainingResult) throws(ImpactError) -> String
    ) throws(ImpactError) -> TrainingResult {
        var clock = PhaseClock()
        let nuisances = try self.nuisances(progress)
        seconds.append(clock.lap("nuisances"))
        try progress(TrainingProgress(phase: learner.rawValue, done: 0, total: 1))
        let all = (0..<UInt32(data.count)).map { $0 }
        var (outcomes, fits): ([TrainedOutcome], [FittedLearner]) = ([], [])
        for index in data.plan.outcomes.indices {
            var fitter = LearnerFitter(
                data, matrix, nuisances, outcome: index, seed: settings.grower.seed, threads: threads)
            var tuned: (choice: ModelChoice, held: HeldOutEffects)?
            if !settings.leafGrid.isEmpty {
                tuned = try fitter.tune(learner) { what throws(ImpactError) in
                    try progress(TrainingProgress(phase: what, done: 0, total: 1))
                }
            }
            fits.append(try fitter.fit(learner, rows: all))
            guard settings.diagnoses else { continue }
            var held = tuned?.held
            if held == nil { held = try fitter.heldOutEffects(learner) }
            guard let held else { continue }
            outcomes.append(TrainedOutcome(fitter.residuals, held, choices: tuned.map { [$0.choice] } ?? []))
        }
        seconds.append(clock.lap(learner.rawValue))
        var result = TrainingResult(
            nuisances: nuisances, outcomes: outcomes, trees: fits.reduce(0) { $0 + $1.treeCount }, sha256: "",
            seconds: seconds)
        result.coefficients = fits.map(\.coefficients)
        var metadata = self.metadata([])
        metadata.composition = Composition.joined(fits.map(\.composition), effects: data.effects)
        metadata.provenance = try provenance(result)
        var builder = try ModelBuilder(metadata: metadata, path: path)
        for ensemble in fits.flatMap(\.ensembles) {
            var source = AdditiveTrees(ensemble)
            try builder.addForest(.additive(features: data.features.count), trees: &source)
        }
        result.sha256 = try builder.finish()
        return result
    }

    private func nuisances(
        _ progress: (TrainingProgress) throws(ImpactError) -> Void
    ) throws(ImpactError) -> Nuisances {
        let fitter = NuisanceFitter(
            data, matrix, seed: settings.grower.seed, threads: threads, model: settings.nuisance)
        return try fitter.fit { () throws(ImpactError) in
            try progress(TrainingProgress(phase: "nuisances", done: 0, total: 1))
        }
    }

    /// All learners on the same rows; after `run(to:progress:provenance:)`, whose forest is one of them.
    package func compare(
        _ result: TrainingResult, progress: (String) throws(ImpactError) -> Void
    ) throws(ImpactError) -> LearnerComparison {
        let fitter = LearnerFitter(
            data, matrix, result.nuisances, outcome: 0, seed: settings.grower.seed, threads: threads)
        let forest = result.seconds.filter { ["choices", "forest"].contains($0.phase) }.reduce(0) { $0 + $1.processor }
        return try LearnerComparison(
            fitter, result.outcomes[0], forestSeconds: forest, tunes: !settings.leafGrid.isEmpty, progress: progress)
    }

    /// Spoilt questions, of the first outcome.
    package func refute(_ result: TrainingResult) throws(ImpactError) -> [Refutation] {
        try Refutation.all(
            data, matrix, result.nuisances, result.outcomes[0], Residuals(data, result.nuisances, outcome: 0),
            settings.grower, nuisance: settings.nuisance, outcome: 0, threads: threads)
    }

    private func metadata(_ tasks: [EffectTask]) -> ModelMetadata {
        let offsets = tasks.map { $0.offset?.offset }
        return ModelMetadata(
            name: settings.name, version: settings.version, treatments: data.plan.effects,
            outcomes: data.plan.outcomeNames.isEmpty ? data.plan.outcomes : data.plan.outcomeNames,
            featureNames: data.featureNames, specification: data.plan.specification?.canonicalJSON ?? [],
            ranges: data.ranges, levels: data.levels.contains { $0 != nil } ? data.levels : nil,
            offsets: offsets.contains { $0 != nil } ? offsets : nil)
    }
}

/// Forests on their way into a model file.
private struct ForestSpools {
    private var builder: ModelBuilder
    let trees: Int

    init(
        _ growers: [ForestGrower], metadata: ModelMetadata, path: String,
        progress: (TrainingProgress) throws(ImpactError) -> Void
    ) throws(ImpactError) {
        builder = try ModelBuilder(metadata: metadata, path: path)
        let total = growers.reduce(0) { $0 + $1.trees }
        trees = total
        var done = 0
        for grower in growers {
            let q = grower.problem.treatments
            let info = ForestInfo(
                kind: .econml, parameters: q, treatments: q, groupSize: grower.settings.bag,
                featureCount: grower.problem.rows.features,
                missing: (0..<grower.problem.rows.features).contains { grower.problem.rows.hasMissing($0) }
                    ? .route : .refuse)
            var source = GrowerSource(grower: grower)
            var failure: ImpactError?
            try builder.addForest(info, trees: &source) { count in
                guard failure == nil else { return }
                do throws(ImpactError) {
                    try progress(TrainingProgress(phase: "forest", done: done + count, total: total))
                } catch { failure = error }
            }
            if let failure { throw failure }
            done += grower.trees
        }
    }

    /// The mean over the outcomes, when one of them has an offset: splits alone would leave out what it explains.
    mutating func setImportances(_ outcomes: [(task: EffectTask, effects: [[Float]])]) {
        let splits = builder.splitImportances
        let found = zip(outcomes, splits).map { ($0.task.importance($0.effects, splits: $1), $1) }
        guard found.contains(where: { $0.0 != nil }), let size = splits.first?.count else { return }
        builder.setImportances(
            (0..<size).map { feature in
                found.reduce(0) { $0 + ($1.0 ?? $1.1)[feature] } / Double(found.count)
            })
    }

    func finish(provenance: String) throws(ImpactError) -> String {
        var builder = builder
        builder.setProvenance(provenance)
        return try builder.finish()
    }
}

/// What was trained for one outcome, and what is known of it without the truth.
package struct TrainedOutcome: Sendable {
    package var name: String
    package var choices: [ModelChoice]
    package var leaf: Int
    package var offset: OffsetShape
    /// The mean squared error of Ỹ by the effects of rows held out, and by the average effect alone.
    package var rLoss: Double
    package var constantLoss: Double
    /// By effect, by row, of a model that has not seen the row's fold.
    package var effects: [[Float]]
    package var folds: Folds
    package var scores: EffectScores
    package var averages: [(estimate: Double, standardError: Double, rows: Int)]
    package var calibrations: [Calibration]

    init(
        _ residuals: Residuals, _ held: HeldOutEffects, choices: [ModelChoice] = [], leaf: Int = 0,
        offset: OffsetShape = .none
    ) {
        name = residuals.data.plan.outcomes[residuals.outcomeIndex]
        self.choices = choices
        self.leaf = leaf
        self.offset = offset
        (effects, folds) = (held.effects, held.folds)
        let effects = held.effects
        scores = EffectScores(residuals, effects: effects)
        let scores = scores
        averages = held.effects.indices.map { scores.average($0) }
        rLoss = residuals.meanLoss(effects)
        constantLoss = residuals.meanLoss(of: averages.map { Float($0.estimate) })
        calibrations = Calibration.all(residuals, effects: effects, folds: folds)
    }

    /// How much a row counts in rankings and tests.
    func judgedWeight(_ data: TrainingData, _ row: Int) -> Double {
        HeldOutEffects.isJudged(fold: folds.fold[row]) ? Double(data.weight(row)) : 0
    }
}

/// What a training did.
package struct TrainingResult: Sendable {
    package var nuisances: Nuisances
    package var outcomes: [TrainedOutcome]
    package var trees: Int
    /// Of the model file.
    package var sha256: String
    package var seconds: [PhaseTime]
    /// Of a linear learner, by outcome and effect.
    package var coefficients: [[[LinearCoefficient]]] = []
}
