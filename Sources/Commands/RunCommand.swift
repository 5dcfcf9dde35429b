import Base
import Foundation
import Pipeline
import Scoring
import Settings
import Sinks
import Synchronization
import Terminal

/// `impactiq run`: the pipeline, until SIGTERM.
enum RunCommand: Command {
    static let specification = CommandSpecification(
        "run", "Run the pipeline until SIGTERM or Ctrl-C; commits before it leaves",
        discussion: """
            Consumes the input topics, scores each event of score.events, and publishes scores, dead letters, the changelog \
            of the state and the consumed offsets in one Kafka transaction. With log.store set, it also fills the log \
            store from the output topic. Says once a minute what it did; a broker that is away is waited for.
            """,
        options: ConfigurationOptions.options + [
            .value("model", "FILE", "The model file; the same as --set model.path=FILE"),
            .value("for", "DURATION", "Stop by itself after this time, as 30s or 5m"),
            .value("report-every", "DURATION", "How often to log the counts", default: "60s"),
        ],
        examples: [
            .init("impactiq run --config impactiq.properties", "until SIGTERM"),
            .init("impactiq run --model spring.model --set workers=2 --set log.store=sqlite:scores.db", "two workers"),
        ])

    static func run(_ command: ParsedCommand) throws {
        // From the command's start, whatever it waits for.
        let begun = ContinuousClock.now
        var configuration = try ConfigurationOptions.load(command)
        if let model = command.text("model") { try configuration.set("model.path", model) }
        let limit = try command.milliseconds("for")
        let deadline = limit.map { begun + .milliseconds($0) }
        let interval = try command.milliseconds("report-every") ?? 60_000
        let application: Application
        do throws(ImpactError) {
            application = try Application(
                configuration: configuration,
                isStopped: { StopSignal.isRaised || deadline.map { ContinuousClock.now >= $0 } ?? false })
        } catch {
            if error.code == "stopped", StopSignal.isRaised { return }
            throw error
        }
        let logStore = LogStoreSupervisor(configuration)
        logStore?.start()
        application.start()
        Log.info("pipeline", "running: \(summary(configuration, application))")
        var trouble: ImpactError?
        do throws(ImpactError) {
            try wait(application, logStore, deadline: deadline, interval: interval)
        } catch {
            Log.error("pipeline", "the log store is required (log.store.required) and has failed: stopping")
            trouble = error
        }
        application.stop()
        let ended = Result { try application.wait() }
        if case .success = ended { Log.info("pipeline", "stopped: \(counts(application.context.metrics))") }
        // The reader drains after the workers have committed their last scores.
        if trouble == nil { trouble = finish(logStore) }
        try ended.get()
        if let trouble { throw trouble }
    }

    private static func wait(
        _ application: Application, _ logStore: LogStoreSupervisor?, deadline: ContinuousClock.Instant?, interval: Int64
    ) throws(ImpactError) {
        var due = ContinuousClock.now + .milliseconds(interval)
        var remarks = InputRemarks(application)
        while !StopSignal.wait(milliseconds: 200), !application.isStopping {
            let now = ContinuousClock.now
            if let deadline, now >= deadline { return }
            try logStore?.check()
            for remark in remarks.take(application.context.metrics.input) { Log.warning("pipeline", remark) }
            if now >= due {
                due = now + .milliseconds(interval)
                Log.info("pipeline", counts(application.context.metrics))
            }
        }
        for remark in remarks.take(application.context.metrics.input) { Log.warning("pipeline", remark) }
    }

    private static func finish(_ logStore: LogStoreSupervisor?) -> ImpactError? {
        do throws(ImpactError) {
            try logStore?.finish()
            return nil
        } catch {
            Log.error("log-store", error.message)
            return error
        }
    }

    private static func summary(_ configuration: Configuration, _ application: Application) -> String {
        let model = application.context.model
        return
            "\(configuration.inputTopics.joined(separator: ", ")) → \(configuration.outputTopic), model \(model.name) "
            + "\(model.version), \(configuration.workers) worker\(configuration.workers == 1 ? "" : "s"), "
            + configuration.guarantee.rawValue.replacing("_", with: " ")
    }

    static func counts(_ metrics: PipelineMetrics) -> String {
        let scores = metrics.scores.load(ordering: .relaxed)
        let quantiles = metrics.latency.snapshot()
        let latency = LatencyHistogram.quantile(0.99, of: quantiles).map {
            ", latency p99 ≤ \(HumanNumber.latency(milliseconds: $0))"
        }
        let outOfOrder = metrics.outOfOrder.load(ordering: .relaxed)
        let unusable = metrics.input.unusable.values.reduce(0, +)
        let spilled = metrics.evictedUsers.load(ordering: .relaxed)
        let broughtBack = metrics.reloadedUsers.load(ordering: .relaxed)
        return "\(metrics.messages.load(ordering: .relaxed)) messages, \(scores) scores, "
            + "\(metrics.deadLetters.load(ordering: .relaxed)) dead letters, "
            + "\(metrics.duplicates.load(ordering: .relaxed)) duplicates, \(metrics.late.load(ordering: .relaxed)) late, "
            + "\(metrics.workers.users) users, lag \(metrics.workers.lag), "
            + "\(metrics.commits.load(ordering: .relaxed)) commits, \(metrics.aborts.load(ordering: .relaxed)) aborts"
            + (latency ?? "") + (unusable > 0 ? ", \(unusable) unusable values" : "") + (outOfOrder > 0 ? ", \(outOfOrder) merged late" : "")
            + (spilled + broughtBack > 0 ? ", \(spilled) users spilled, \(broughtBack) brought back" : "")
    }
}
