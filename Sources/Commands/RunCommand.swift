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
            .flag(
                "split-users",
                "Begin with a topic that has got partitions, though users' events are split"),
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
        let prepared = try Preparation(configuration)
        let logStore = LogStoreSupervisor(configuration)
        let service = try PipelineService.start(prepared, logStore?.reader)
        defer { service?.stop() }
        if let service { Log.info("http", "dashboard and API at \(service.url)") }
        let application: Application
        do throws(ImpactError) {
            application = try Application(
                prepared, acceptsSplitUsers: command.flag("split-users"),
                isStopped: { StopSignal.isRaised || deadline.map { ContinuousClock.now >= $0 } ?? false })
        } catch {
            if error.code == "stopped", StopSignal.isRaised { return }
            throw error
        }
        service?.attach(application)
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
        service?.stop()
        let ended = Result { try application.wait() }
        // The reader drains after the workers have committed their last scores.
        if trouble == nil { trouble = finish(logStore) }
        Log.info("pipeline", "stopped: \(application.context.metrics.table.line)")
        try ended.get()
        if let unreached = logStore?.unreached { Log.warning("log-store", unreached.message) }
        if let trouble { throw trouble }
    }

    private static func wait(
        _ application: Application, _ logStore: LogStoreSupervisor?, deadline: ContinuousClock.Instant?, interval: Int64
    ) throws(ImpactError) {
        var due = ContinuousClock.now + .milliseconds(interval)
        var remarks = InputRemarks(application)
        func say() {
            for remark in remarks.take(application.context) { Log.warning("pipeline", remark) }
        }
        while !StopSignal.wait(milliseconds: 200), !application.isStopping {
            let now = ContinuousClock.now
            if let deadline, now >= deadline { break }
            try logStore?.check()
            say()
            if now >= due {
                due = now + .milliseconds(interval)
                Log.info("pipeline", application.context.metrics.table.line)
            }
        }
        say()
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
}
