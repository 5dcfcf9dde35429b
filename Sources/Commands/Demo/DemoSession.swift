import Base
import Foundation
import Kafka
import Pipeline
import Service
import Settings
import Simulation
import Synchronization
import Terminal

/// What a demo is like.
package struct DemoSettings: Sendable {
    package var trial: TrialSettings = {
        var trial = TrialSettings()
        trial.seed = 7
        trial.users = 5_000
        return trial
    }()
    /// Events a second; 0 is as fast as it goes.
    package var rate = 20_000.0
    /// Seconds; nil until it is stopped.
    package var duration: Double?
    package var partitions = 8
    package var workers = 1
    package var model = ""
    package var printsJSON = false
    /// Where the dashboard is; nil for none.
    package var listen: ListenAddress? = nil

    package init() {}
}

/// One run of the demo, everything in this process:
///
/// ```
///  TrialSimulation ─► DemoFeeder ─► events ─► Application ─► uplift-scores ─► DemoScoreFollower ─► table
///                                     └──────── MockCluster ───────┘
/// ```
package final class DemoSession {
    private let settings: DemoSettings
    private let metrics = PipelineMetrics()
    private let stateFolder: String
    private let stream = Terminal.Stream.output

    package init(_ settings: DemoSettings) throws(ImpactError) {
        self.settings = settings
        stateFolder = try Folder.temporary("demo")
    }

    deinit { Folder.remove(stateFolder) }

    /// Runs until the time is up, Ctrl-C, or a failure of one of its parts; what there was at the end.
    @discardableResult
    package func run() throws -> DemoSnapshot {
        // What the parts say of their daily business would tear the table.
        Log.setLevel(.error)
        let cluster = try MockCluster()
        let configuration = try configuration(cluster)
        for topic in configuration.inputTopics + [
            configuration.outputTopic, configuration.deadLetterTopic, configuration.changelogTopic,
        ] { try cluster.create(topic: topic, partitions: settings.partitions) }
        let prepared = try Preparation(configuration, metrics: metrics)
        let application = try Application(
            prepared,
            layout: TopicLayout(
                inputPartitions: settings.partitions, outputPartitions: settings.partitions,
                deadLetterPartitions: settings.partitions),
            isStopped: { StopSignal.isRaised })
        let service = settings.listen.map { listen in Self.service(prepared, listen) } ?? nil
        service?.attach(application)
        defer { service?.stop() }
        greet(service)
        let follower = DemoScoreFollower(
            board: DemoScoreboard(seed: settings.trial.seed, users: settings.trial.users))
        follower.start(
            bootstrap: cluster.bootstrap, topic: configuration.outputTopic, partitions: settings.partitions)
        application.start()
        let metrics = self.metrics
        // Half of what the broker keeps of 260-byte messages.
        let feeder = DemoFeeder(rate: settings.rate, bound: settings.partitions * 10_000) {
            // Scores that nobody has read yet are kept by the same broker.
            let unread = max(0, metrics.scores.value - follower.snapshot.total)
            return metrics.messages.value - unread
        }
        feeder.start(bootstrap: cluster.bootstrap, topic: configuration.inputTopics[0], settings: settings.trial)
        let last = watch(application, feeder, follower)
        feeder.stop()
        drain(application, feeder, follower)
        application.stop()
        try application.wait()
        follower.stop()
        for error in [feeder.error, follower.error] { if let error { throw error } }
        defer { withExtendedLifetime(cluster) {} }
        return summarise(last, feeder, follower)
    }

    private func configuration(_ cluster: MockCluster) throws(ImpactError) -> Configuration {
        try Configuration(
            file: nil, environment: [:],
            overrides: [
                "application.id=demo", "bootstrap.servers=\(cluster.bootstrap)", "model.path=\(settings.model)",
                // The embedded broker forgets its topics with the process, so there is nothing to come back to.
                "state.dir=\(stateFolder)", "state.store=none", "processing.guarantee=at_least_once",
                "workers=\(settings.workers)", "group.instance.id=none",
                // A day of the trial passes in seconds: a long demo runs ahead of the clock.
                "event.time.max.ahead.ms=2000000000000",
            ])
    }

    /// The service at the address asked for; at a free port when another process has it. None is not a reason to stop.
    private static func service(_ prepared: Preparation, _ listen: ListenAddress) -> PipelineService? {
        for address in [listen, ListenAddress(host: listen.host, port: 0)] {
            if let service = try? PipelineService(prepared, nil, address) { return service }
        }
        return nil
    }

    private func greet(_ service: PipelineService?) {
        guard !settings.printsJSON else { return }
        if let service { stream.write("Dashboard: \(service.url)\n") }
        stream.write(
            """
            Embedded broker (librdkafka's mock cluster): at-least-once. On a real Kafka it is exactly-once.
            \(HumanNumber.grouped(settings.trial.users)) people in a randomised ad trial, seed \(settings.trial.seed); \
            each ad view and click is scored. The consumer group takes 3 s to form.


            """)
    }

    /// Shows how it goes until it is time to stop; the last state shown.
    private func watch(
        _ application: Application, _ feeder: DemoFeeder, _ follower: DemoScoreFollower
    ) -> DemoSnapshot {
        let view = DemoView(style: Style(isOn: Terminal.hasColour(stream) && !settings.printsJSON))
        let screen = LiveScreen(stream)
        defer { screen.finish() }
        let interval = settings.printsJSON || !stream.isTerminal ? 1.0 : 0.5
        let start = ContinuousClock.now
        var reading = DemoReading(metrics, follower)
        while true {
            let stopped = StopSignal.wait(milliseconds: Int(interval * 1000))
            let now = ContinuousClock.now
            let next = DemoReading(metrics, follower)
            var snapshot = next.snapshot(since: reading, metrics: metrics, sent: feeder.count)
            snapshot.elapsed = (now - start) / .seconds(1)
            snapshot.duration = settings.duration
            reading = next
            if settings.printsJSON {
                stream.write(snapshot.json.line + "\n")
            } else {
                screen.draw(view.lines(snapshot, width: screen.width), plain: view.plain(snapshot))
            }
            let isOver = settings.duration.map { snapshot.elapsed >= $0 } ?? false
            if stopped || isOver || application.isStopping || feeder.error != nil || follower.error != nil {
                return snapshot
            }
        }
    }

    /// Waits, at most five seconds, until everything sent is consumed and every score was read.
    private func drain(_ application: Application, _ feeder: DemoFeeder, _ follower: DemoScoreFollower) {
        let end = ContinuousClock.now + .seconds(5)
        while ContinuousClock.now < end, !application.isStopping, feeder.error == nil, follower.error == nil {
            let isConsumed = metrics.messages.value >= feeder.count
            if isConsumed, follower.snapshot.total >= metrics.scores.value { return }
            usleep(20_000)
        }
    }

    private func summarise(
        _ last: DemoSnapshot, _ feeder: DemoFeeder, _ follower: DemoScoreFollower
    ) -> DemoSnapshot {
        var snapshot = DemoReading(metrics, follower).snapshot(since: nil, metrics: metrics, sent: feeder.count)
        snapshot.elapsed = last.elapsed
        snapshot.users = max(snapshot.users, last.users)
        if settings.printsJSON {
            stream.write(snapshot.json.line + "\n")
        } else {
            stream.write("\n" + DemoView(style: Style(isOn: false)).summary(snapshot))
        }
        return snapshot
    }
}
