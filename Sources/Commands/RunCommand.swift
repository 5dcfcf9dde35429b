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
            store from the output topic. Serves the dashboard and the API at http.listen. Says once a minute what it did; a \
            broker that is away is waited for.
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
        let logStore = LogStoreRun.reader(configuration)
        let service = try PipelineService.start(configuration, application, logStore)
        logStore?.start()
        application.start()
        Log.info("pipeline", "running: \(summary(configuration, application))")
        if let service { Log.info("http", "dashboard and API at \(service.url)") }
        wait(application, logStore, limit: limit, interval: interval)
        application.stop()
        service?.stop()
        // The reader drains after the workers have committed their last scores.
        defer { finish(logStore, configuration) }
        try application.wait()
        Log.info("pipeline", "stopped: \(application.context.metrics.table.line)")
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
                Log.info("pipeline", application.context.metrics.table.line)
            }
        }
    }

    private static func finish(_ logStore: LogStoreReader?, _ configuration: Configuration) {
        guard let logStore else { return }
        let seconds = Double(configuration.shutdownTimeoutMilliseconds) / 3_000
        logStore.stop(within: seconds)
        do {
            let isDone = try logStore.wait(within: seconds + 1)
            Log.info("log-store", LogStoreRun.counts(logStore) + LogStoreRun.rest(logStore, isDone: isDone))
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
}
