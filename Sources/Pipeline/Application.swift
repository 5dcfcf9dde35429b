import Base
import Engine
import Features
import Foundation
import Kafka
import Scoring
import Settings
import Synchronization

/// The running pipeline of one process: checks the topics, starts the workers, and stops them together.
///
/// ```
/// start ─► wait for the broker ─► check topics ─► workers run ─► stop() ─► workers commit and leave ─► wait() returns
///                                                   │ one fails: all stop, wait() throws its error
///                                                   │ one is fenced: it joins anew
/// ```
package final class Application: Sendable {
    package let context: WorkerContext
    /// The model's features, compiled.
    package let plan: FeaturePlan
    private let threads = DispatchGroup()
    private let failure = Mutex<(any Error)?>(nil)
    /// Whether the broker is the embedded one, which answers few questions.
    private let isEmbedded: Bool

    /// Opens the model and waits for the broker.
    ///
    /// - Parameters:
    ///   - layout: how the topics are, when that is known: the embedded broker answers no question about settings.
    ///   - isStopped: asked while the broker is waited for.
    /// - Throws: `badConfiguration`, `badInput` for the model, `missing_topic`, `topic_misfit`; `stopped` when it was.
    package convenience init(
        configuration: Configuration, metrics: PipelineMetrics = PipelineMetrics(), layout: TopicLayout? = nil,
        acceptsSplitUsers: Bool = false, isStopped: () -> Bool
    ) throws(ImpactError) {
        try self.init(
            configuration: configuration, metrics: metrics, layout: layout, writesChangelog: true,
            acceptsSplitUsers: acceptsSplitUsers, isStopped: isStopped)
    }

    /// - Parameter writesChangelog: false leaves the state without a copy, which only a benchmark may want: it tells what
    ///   the changelog costs.
    package convenience init(
        configuration: Configuration, metrics: PipelineMetrics = PipelineMetrics(), layout: TopicLayout? = nil,
        writesChangelog: Bool, acceptsSplitUsers: Bool = false, isStopped: () -> Bool
    ) throws(ImpactError) {
        try self.init(
            try Preparation(configuration, metrics: metrics), layout: layout, writesChangelog: writesChangelog,
            acceptsSplitUsers: acceptsSplitUsers, isStopped: isStopped)
    }

    /// Waits for the broker. What was prepared can be looked at meanwhile.
    ///
    /// - Throws: `missing_topic`, `topic_misfit`; `stopped` when it was.
    package init(
        _ prepared: Preparation, layout: TopicLayout? = nil, writesChangelog: Bool = true,
        acceptsSplitUsers: Bool = false, isStopped: () -> Bool
    ) throws(ImpactError) {
        let configuration = prepared.configuration
        isEmbedded = layout != nil
        plan = prepared.plan
        let known: TopicLayout
        var disbelieved = DisbelievedRecords()
        if let layout {
            known = layout
        } else {
            (known, disbelieved) = try Self.layout(prepared, acceptsSplitUsers, isStopped)
        }
        // Only now: what is refused must leave the folder as it was.
        let folder = try StateFolder.prepare(configuration)
        let identity = try ProcessIdentity(stateDirectory: folder)
        context = WorkerContext(
            prepared, identity: identity, layout: known, local: try LocalState(configuration, identity, known),
            disbelieved: disbelieved, writesChangelog: writesChangelog)
    }

    /// Waits for the broker, however long it is away: asks in short turns, so that a stop is heard.
    private static func layout(
        _ prepared: Preparation, _ acceptsSplitUsers: Bool, _ isStopped: () -> Bool
    ) throws(ImpactError) -> (TopicLayout, DisbelievedRecords) {
        let (configuration, plan) = (prepared.configuration, prepared.plan)
        let patient = try Admin(properties: configuration.kafkaProperties(client: "consumer"))
        defer { patient.close() }
        let admin = try Admin(
            properties: configuration.kafkaProperties(client: "consumer"), timeoutMilliseconds: 1_000)
        defer { admin.close() }
        admin.handle.context.mute()
        var told = ContinuousClock.now - .seconds(60)
        let asked = ContinuousClock.now
        while true {
            do throws(ImpactError) {
                // One short question first, which a broker that is away does not answer.
                _ = try admin.topics()
                prepared.live.isBrokerAway = false
                return try withoutActuallyEscaping(isStopped) { isStopped throws(ImpactError) in
                    let layout = try TopicLayout.check(configuration, admin: patient)
                    for remark in layout.remarks(configuration) { Log.warning("pipeline", remark) }
                    let disbelieved = try StartCheck.run(
                        configuration, plan, layout: layout, admin: patient, isStopped: isStopped)
                    try GrownInput.check(configuration, layout, patient, isAccepted: acceptsSplitUsers, isStopped)
                    return (layout, disbelieved)
                }
            } catch {
                if error.code != "kafka_unreachable" { throw error }
                prepared.live.isBrokerAway = true
                // The first time-out may only be a slow first connection.
                if ContinuousClock.now - told > .seconds(10), ContinuousClock.now - asked > .milliseconds(1_500) {
                    told = .now
                    Log.warning("pipeline", "\(error.message) Trying again")
                }
                if isStopped() { throw ImpactError(.failed, code: "stopped", "stopped before the broker was there") }
            }
        }
    }

    /// Starts the workers.
    package func start() {
        startStandby()
        startWatch()
        for number in 0..<context.configuration.workers {
            threads.enter()
            let thread = Thread { [self] in
                Self.nameThread("worker-\(number)")
                work(number)
                threads.leave()
            }
            // The default half megabyte is little for librdkafka's callbacks below a deep stack.
            thread.stackSize = 4 << 20
            thread.start()
        }
    }

    private func startStandby() {
        let follower: StandbyFollower?
        do throws(ImpactError) {
            let configuration = context.configuration
            let plan = try Processor.plan(of: context.model, scoreEvents: configuration.scoreEvents)
            follower = try StandbyFollower(context, fingerprint: plan.fingerprint)
        } catch {
            return Log.warning("standby", "\(error.message): no warm copies are kept")
        }
        guard let follower else { return }
        threads.enter()
        let thread = Thread { [threads, follower = Handover(follower)] in
            follower.value.run()
            threads.leave()
        }
        thread.name = "standby"
        thread.start()
    }

    /// Looks after the topics until the workers stop; see ``TopicWatch``.
    private func startWatch() {
        guard !isEmbedded else { return }
        let file = context.identity.path
        threads.enter()
        let thread = Thread { [self] in
            defer { threads.leave() }
            do throws(ImpactError) {
                let watch = try TopicWatch(
                    context.configuration, context.layout, context.inputWatch, stateFile: file)
                defer { watch.close() }
                var due = ContinuousClock.now + .seconds(TopicWatch.interval)
                while !context.isStopRequested {
                    Thread.sleep(forTimeInterval: 0.1)
                    guard ContinuousClock.now >= due else { continue }
                    try watch.look()
                    due = .now + .seconds(TopicWatch.interval)
                }
            } catch {
                fail(error, of: "topic-watch")
            }
        }
        thread.name = "topic-watch"
        thread.start()
    }

    private func fail(_ error: any Error, of component: String) {
        Log.error(component, "\(error)")
        failure.withLock { $0 = $0 ?? error }
        stop()
    }

    /// A value that one thread makes and another one uses from then on.
    private struct Handover<Value>: @unchecked Sendable {
        let value: Value
        init(_ value: Value) { self.value = value }
    }

    /// For the system's tools (`top -H`, `perf`), which do not see the name that Foundation keeps on Linux.
    private static func nameThread(_ name: String) {
        Thread.current.name = name
        // Swift imports no call for it; where there is no such file, nothing is named.
        let file = open("/proc/thread-self/comm", O_WRONLY)
        guard file >= 0 else { return }
        _ = name.withCString { write(file, $0, name.utf8.count) }
        close(file)
    }

    private func work(_ number: Int) {
        var rejoin = RejoinPolicy()
        do {
            while true {
                let begun = ContinuousClock.now
                let ending = try Worker(number: number, context: context).run()
                if ending == .stopped || context.isStopRequested { return }
                guard ending == .fenced else { continue }
                guard let wait = rejoin.wait(afterLifeOf: .now - begun) else { throw nameTaken(number) }
                let end = ContinuousClock.now + wait
                while ContinuousClock.now < end, !context.isStopRequested { Thread.sleep(forTimeInterval: 0.05) }
            }
        } catch {
            fail(error, of: "worker-\(number)")
        }
    }

    private func nameTaken(_ number: Int) -> ImpactError {
        let name = context.instanceName.map { "group.instance.id \($0)-\(number)" } ?? "this worker's transactional id"
        return ImpactError(
            .failed, code: "name_taken",
            "\(name) was taken from this process \(RejoinPolicy.limit) times in a row: two processes run under one name. "
                + "Give each a group.instance.id and a state.dir of its own, not a copy of another's")
    }

    /// Asks the workers to commit and leave.
    package func stop() { context.requestStop() }

    /// Whether a worker has failed or a stop was asked for.
    package var isStopping: Bool { context.isStopRequested }

    /// Waits until all workers have left.
    ///
    /// - Throws: the first worker's failure; `shutdown_timeout` when they do not leave in time after a stop.
    package func wait() throws {
        while threads.wait(timeout: .now() + .milliseconds(100)) == .timedOut {
            guard context.isStopRequested else { continue }
            let limit = context.configuration.shutdownTimeoutMilliseconds
            if threads.wait(timeout: .now() + .milliseconds(limit)) == .timedOut {
                throw ImpactError(
                    .failed, code: "shutdown_timeout",
                    "the workers did not leave within \(limit) ms; what was not committed is read again at the next start"
                )
            }
        }
        context.local?.close()
        if let error = failure.withLock({ $0 }) { throw error }
    }
}
