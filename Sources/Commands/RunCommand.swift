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
        var configuration = try ConfigurationOptions.load(command)
        if let model = command.text("model") { try configuration.set("model.path", model) }
        let limit = try command.milliseconds("for")
        let interval = try command.milliseconds("report-every") ?? 60_000
        let application: Application
        do throws(ImpactError) {
            application = try Application(configuration: configuration, isStopped: { StopSignal.isRaised })
        } catch {
            if error.code == "stopped" { return }
            throw error
        }
        let logStore = LogStores.reader(configuration)
        logStore?.start()
        application.start()
        Log.info("pipeline", "running: \(summary(configuration, application))")
        wait(application, logStore, limit: limit, interval: interval)
        application.stop()
        // The reader drains after the workers have committed their last scores.
        defer { finish(logStore, configuration) }
        try application.wait()
        Log.info("pipeline", "stopped: \(counts(application.context.metrics))")
    }

    private static func wait(
        _ application: Application, _ logStore: LogStoreReader?, limit: Int64?, interval: Int64
    ) {
        let start = ContinuousClock.now
        var due = start + .milliseconds(interval)
        while !StopSignal.wait(milliseconds: 200), !application.isStopping, logStore?.failure == nil {
            let now = ContinuousClock.now
            if let limit, now - start >= .milliseconds(limit) { return }
            if now >= due {
                due = now + .milliseconds(interval)
                Log.info("pipeline", counts(application.context.metrics))
            }
        }
    }

    private static func finish(_ logStore: LogStoreReader?, _ configuration: Configuration) {
        guard let logStore else { return }
        let seconds = Double(configuration.shutdownTimeoutMilliseconds) / 3_000
        logStore.stop(within: seconds)
        do {
            let isDone = try logStore.wait(within: seconds + 1)
            Log.info("log-store", LogStores.counts(logStore) + LogStores.rest(logStore, isDone: isDone))
        } catch {
            Log.error("log-store", error.message)
        }
    }

    private static func summary(_ configuration: Configuration, _ application: Application) -> String {
        let model = application.context.model
        return
            "\(configuration.inputTopics.joined(separator: ", ")) → \(configuration.outputTopic), model \(model.name) "
            + "\(model.version), \(configuration.workers) worker\(configuration.workers == 1 ? "" : "s"), "
            + configuration.guarantee.rawValue.replacing("_", with: " ")
    }

    private static func lag(_ workers: WorkerGauges) -> String {
        (workers.lag.map { "\($0)" } ?? "unknown")
            + (workers.waiting > 0 ? " (\(workers.waiting) waiting for the group)" : "")
    }

    static func counts(_ metrics: PipelineMetrics) -> String {
        let scores = metrics.scores.load(ordering: .relaxed)
        let quantiles = metrics.latency.snapshot()
        let latency = LatencyHistogram.quantile(0.99, of: quantiles).map {
            ", latency p99 ≤ \(HumanNumber.latency(milliseconds: $0))"
        }
        let outOfOrder = metrics.outOfOrder.load(ordering: .relaxed)
        let spilled = metrics.evictedUsers.load(ordering: .relaxed)
        let broughtBack = metrics.reloadedUsers.load(ordering: .relaxed)
        return "\(metrics.messages.load(ordering: .relaxed)) messages, \(scores) scores, "
            + "\(metrics.deadLetters.load(ordering: .relaxed)) dead letters, "
            + "\(metrics.duplicates.load(ordering: .relaxed)) duplicates, \(metrics.late.load(ordering: .relaxed)) late, "
            + "\(metrics.workers.users) users, lag \(lag(metrics.workers)), "
            + "\(metrics.commits.load(ordering: .relaxed)) commits, \(metrics.aborts.load(ordering: .relaxed)) aborts"
            + (latency ?? "") + (outOfOrder > 0 ? ", \(outOfOrder) merged late" : "")
            + (spilled + broughtBack > 0 ? ", \(spilled) users spilled, \(broughtBack) brought back" : "")
    }
}
