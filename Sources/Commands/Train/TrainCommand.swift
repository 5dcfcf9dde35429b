import Base
import Features
import Foundation
import Rows
import Scoring
import Statistics
import Terminal
import Training

/// `impactiq train`: a causal forest from rows.
enum TrainCommand: Command {
    static let specification = CommandSpecification(
        "train", "Train a model on labelled rows, into a model file that every other command takes",
        discussion: """
            Reads a CSV (plain, gzip or zstd; columns in any order). Rows of `impactiq rows` need no option but --out. \
            Nuisances are fitted by models that have not seen a row, the forest is honest, intervals come from little \
            bags. The same seed gives the same bits for any number of threads. --kind response trains a model of the \
            outcome itself, such as the likelihood to buy (docs/propensity.md).
            """,
        options: TrainOptions.all + ResponseTraining.options, arguments: [.init("ROWS.csv", "The labelled rows")],
        examples: [
            .init("impactiq train rows.csv --out spring.model", "rows as `impactiq rows` writes them"),
            .init(
                "impactiq train hillstrom.csv --treatment segment --control 'No E-Mail' --arm 'Womens E-Mail' "
                    + "--outcome visit --ignore conversion --ignore spend --out email.model",
                "any CSV; texts become features of 0 and 1"),
            .init(
                "impactiq train sessions.csv --kind response --outcome purchase --id customer_id --seed 42 "
                    + "--out purchase.model --report purchase.html", "who will buy"),
        ])

    static func run(_ command: ParsedCommand) throws {
        switch command.text("kind") ?? "causal-forest" {
        case Composition.response: return try ResponseTraining.run(command)
        case "causal-forest": break
        default: throw command.invalid("kind", "choose causal-forest or response")
        }
        let options = try TrainOptions(command)
        let clock = ContinuousClock.now
        let plan = try TrainingPlan.make(options.request)
        let reading = ProgressLine("read", unit: "rows")
        var phases = PhaseClock()
        let data = try TrainingData(plan, path: options.request.rows, progress: { rows, share throws(ImpactError) in
            reading.update(rows, share: share)
            try TrainOptions.checkStop()
        })
        let readTime = phases.lap("read")
        if !options.printsJSON { Terminal.Stream.error.write(TrainText.before(data, options) + "\n") }
        let trainer = CausalTrainer(data, try options.settings(for: data.featureNames))
        var line: (phase: String, line: ProgressLine)?
        var result = try trainer.run(to: options.output) { progress throws(ImpactError) in
            try TrainOptions.checkStop()
            if line?.phase != progress.phase {
                line = (progress.phase, ProgressLine(progress.phase, total: progress.total, unit: "trees"))
            }
            if progress.done > 0 { line?.line.update(progress.done) }
        } provenance: { result throws(ImpactError) in
            try TrainProvenance.json(data, options, result).line
        }
        result.seconds.insert(readTime, at: 0)
        let wall = (ContinuousClock.now - clock) / .seconds(1)
        if let path = options.saveNuisances { try NuisanceFile.write(path, data, result) }
        let stream = Terminal.Stream.output
        stream.write(
            options.printsJSON
                ? TrainText.json(data, options, result, wall: wall).line + "\n"
                : TrainText.after(data, options, result, wall: wall))
    }
}
