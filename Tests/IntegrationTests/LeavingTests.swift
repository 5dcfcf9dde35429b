import Base
import Consumer
import Foundation
import Kafka
import Pipeline
import Settings
import Sinks
import Synchronization
import TestSupport
import Testing

/// How a worker leaves its group, and what it says of its lag meanwhile.
@Suite("Leaving the group, and lag", .serialized)
struct LeavingTests {
    /// Longer than any wait below: what comes sooner did not come from a session that ended.
    private static let session = ["kafka.consumer.session.timeout.ms=45000"]

    private func wait(
        _ what: String, seconds: Double = 30, sourceLocation: SourceLocation = #_sourceLocation,
        until isTrue: () throws -> Bool
    ) rethrows {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while try !isTrue() {
            guard ContinuousClock.now < deadline else {
                Issue.record("waited \(seconds) s in vain for \(what)", sourceLocation: sourceLocation)
                return
            }
            Thread.sleep(forTimeInterval: 0.02)
        }
    }

    private func start(_ configuration: Configuration) throws -> Application {
        let application = try Application(configuration: configuration, isStopped: { false })
        application.start()
        return application
    }

    private func messages(_ application: Application) -> Int {
        application.context.metrics.messages.value
    }

    private func second(_ run: StateRun) throws -> Configuration {
        var configuration = run.harness.configuration
        try configuration.set("state.dir", run.harness.folder.path + "-second")
        return configuration
    }

    @Test("A clean stop leaves the group at once, a static member too; without that its place is kept")
    func cleanStop() throws {
        guard let broker = TestBroker.start() else { return }
        for leaves in [true, false] {
            let run = try StateRun(broker, settings: Self.session + ["workers=2", "group.leave.on.stop=\(leaves)"])
            let group = run.harness.configuration.applicationID
            try run.harness.produce(try StateRun.trial(500, users: 50, seed: 3))
            let application = try start(run.harness.configuration)
            wait("the events") { messages(application) >= 500 }
            let admin = try Admin(properties: ["bootstrap.servers": broker.bootstrap])
            defer { admin.close() }
            #expect(try admin.members(ofGroup: group).compactMap(\.instanceID).count == 2)
            application.stop()
            try application.wait()
            let left = try admin.members(ofGroup: group)
            #expect(left.count == (leaves ? 0 : 2))
            // What `reset` needs.
            if leaves { try admin.delete(group: group) }
        }
    }

    @Test("Whenever it stops, in the middle of joining too, nobody is left in the group")
    func stopWhileJoining() throws {
        guard let broker = TestBroker.start() else { return }
        var random = SeededGenerator.announced()
        let admin = try Admin(properties: ["bootstrap.servers": broker.bootstrap])
        defer { admin.close() }
        for _ in 0..<12 {
            let run = try StateRun(broker, settings: Self.session + ["workers=2"])
            let group = run.harness.configuration.applicationID
            let application = try start(run.harness.configuration)
            // Joining takes some 10 to 300 ms from here, the moments between two members' joins are in it.
            let patience = Double.random(in: 0...0.3, using: &random)
            if Bool.random(using: &random) {
                // The first of them: the other one joins now.
                wait("a member") { (try? admin.members(ofGroup: group).isEmpty) == false }
            } else {
                Thread.sleep(forTimeInterval: patience)
            }
            application.stop()
            try application.wait()
            let left = (try? admin.members(ofGroup: group)) ?? []
            #expect(left.isEmpty, "\(patience) s: \(left)")
        }
    }

    @Test("The partitions of a process that stops go to the other one at once; their scores are those of one process")
    func handOver() throws {
        guard let broker = TestBroker.start() else { return }
        let events = try StateRun.trial(3_000, users: 200, seed: 5)
        let whole = try StateRun(broker)
        try whole.harness.produce(events)
        try whole.harness.run(until: 3_000)

        let run = try StateRun(broker, settings: Self.session)
        try run.harness.produce(Array(events[..<1_500]))
        let first = try start(run.harness.configuration)
        let other = try start(try second(run))
        defer { try? FileManager.default.removeItem(atPath: run.harness.folder.path + "-second") }
        wait("the first half") { messages(first) + messages(other) >= 1_500 }
        let admin = try Admin(properties: ["bootstrap.servers": broker.bootstrap])
        defer { admin.close() }
        try wait("both in the group") {
            try admin.members(ofGroup: run.harness.configuration.applicationID).count { !$0.assignment.isEmpty } == 2
        }
        first.stop()
        try first.wait()
        let stopped = ContinuousClock.now
        try run.harness.produce(Array(events[1_500...]))
        wait("the second half") { messages(first) + messages(other) >= 3_000 }
        let time = (ContinuousClock.now - stopped) / .seconds(1)
        print("the other process has everything \(String(format: "%.1f", time)) s after the stop")
        #expect(time < 30)
        other.stop()
        try other.wait()
        #expect(try run.scores() == whole.scores())
    }

    @Test("Lag: unknown before there are partitions, 0 at the end, after a restart, behind an open transaction")
    func lag() throws {
        guard let broker = TestBroker.start() else { return }
        let run = try StateRun(broker, partitions: 1, settings: Self.session)
        let configuration = run.harness.configuration
        let topic = configuration.inputTopics[0]
        let producer = try OutputProducer(
            properties: ["bootstrap.servers": broker.bootstrap],
            options: ProducerOptions(transactionalID: TestBroker.unique("lag")))
        defer { producer.close() }
        #expect(producer.start() == .ready)
        let output = try producer.topic(topic)
        var time: Int64 = 1_795_255_200_000
        func write(_ count: Int) throws {
            for i in 0..<count {
                time += 1_000
                let event = StateRun.event("u\(i % 50)", "click", time: time)
                try (event.key ?? []).withUnsafeBytes { key in
                    try (event.value ?? []).withUnsafeBytes { value in
                        try producer.produce(output, partition: 0, key: key, value: value, timestamp: time)
                    }
                }
            }
        }
        producer.begin()
        try write(200)
        #expect(producer.commit() == .committed)

        var application = try Application(configuration: configuration, isStopped: { false })
        #expect(application.context.metrics.lag.total == nil)
        application.start()
        wait("the events") { messages(application) >= 200 }
        wait("no lag") { application.context.metrics.lag.total == 0 }
        // An open transaction: nothing of it can be read.
        producer.begin()
        try write(100)
        try producer.flush()
        Thread.sleep(forTimeInterval: 2.5)
        #expect(application.context.metrics.lag.total == 0)
        #expect(messages(application) == 200)
        #expect(producer.commit() == .committed)
        wait("the transaction's events") { messages(application) >= 300 }
        // The log ends with a marker; the group's committed offset ends there as well.
        let admin = try Admin(properties: ["bootstrap.servers": broker.bootstrap])
        defer { admin.close() }
        let partition = TopicPartition(topic, 0)
        try wait("the committed offset at the log's end") {
            try admin.committedOffsets(ofGroup: configuration.applicationID)[partition]
                == admin.watermarks(of: partition).high
        }
        #expect(try admin.watermarks(of: partition).high == 302)
        application.stop()
        try application.wait()
        #expect(application.context.metrics.lag.total == 0)
        #expect(application.context.metrics.users.total == 50)
        #expect(application.context.metrics.aborts.value == 0)

        // Nothing to read: never anything but unknown and 0.
        application = try start(configuration)
        var seen: Set<Double?> = []
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline, !seen.contains(0) {
            seen.insert(application.context.metrics.lag.total)
            Thread.sleep(forTimeInterval: 0.01)
        }
        #expect(seen == [nil, 0])
        application.stop()
        try application.wait()
    }
}
