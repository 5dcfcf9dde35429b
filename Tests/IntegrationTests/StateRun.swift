import Base
import Events
import Foundation
import Kafka
import Pipeline
import Settings
import Simulation
import StateStore
import TestSupport
import Testing

/// A simulated trial through the pipeline in pieces, for tests of what becomes of state between the pieces.
struct StateRun {
    let harness: PipelineHarness

    static let model = SharedMaterial.repository.appending(path: "examples/demo/demo.model").path

    init(_ broker: TestBroker, partitions: Int = 3, settings: [String] = []) throws {
        harness = try PipelineHarness(
            broker, model: Self.model, partitions: partitions,
            // A busy machine may take seconds to bring the local copy up to date at a stop.
            settings: [
                "state.checkpoint.interval.ms=300", "event.time.max.ahead.ms=2000000000000",
                "shutdown.timeout.ms=120000",
            ] + settings)
    }

    /// Messages of a seeded trial; the same for equal arguments.
    static func trial(_ count: Int, users: Int, seed: UInt64) throws -> [(key: [UInt8]?, value: [UInt8]?)] {
        var settings = TrialSettings()
        settings.seed = seed
        settings.users = users
        settings.duplicates = 0.02
        settings.outOfOrder = 0.05
        var simulation = try TrialSimulation(settings)
        let buffer = ByteBuffer(capacity: 1 << 16)
        return (0..<count).map { _ in
            buffer.removeAll()
            let event = simulation.next(into: buffer)
            return (Array(buffer.bytes(event.key)), Array(buffer.bytes(event.value)))
        }
    }

    static func event(_ user: String, _ type: String, time: Int64, _ more: String = "") -> (
        key: [UInt8]?, value: [UInt8]?
    ) {
        (Array(user.utf8), Array("{\"user_id\":\"\(user)\",\"type\":\"\(type)\",\"time\":\(time)\(more)}".utf8))
    }

    /// The published scores as texts, by partition and in order, without the topic's own name.
    func scores() throws -> [[String]] {
        let input = harness.configuration.inputTopics[0]
        var texts = [[String]](repeating: [], count: harness.partitions)
        for record in try harness.scores {
            texts[Int(record.partition)].append(
                record.value == nil ? "tombstone" : record.text.replacing(input, with: "events"))
        }
        return texts
    }

    /// The state that the changelog holds.
    func changelog() throws -> [[UInt8]: [UInt8]] {
        try harness.read(harness.configuration.changelogTopic).reduce(into: [:]) { state, record in
            if let key = record.key { state[key] = record.value }
        }
    }

    var storePath: String { StateFolder.path(harness.configuration) + "/rocksdb-0" }

    /// The users of all partitions in the local copy, with their records.
    func localCopy() throws -> [[UInt8]: [UInt8]] {
        let copies = try LocalCopies(
            stateDirectory: harness.folder.path, topic: harness.configuration.changelogTopic)
        defer { copies.close() }
        var users: [[UInt8]: [UInt8]] = [:]
        for copy in copies.copies {
            let cursor = try copy.store.records(of: copy.partition)
            while try cursor.read(100, { user, record throws(ImpactError) in users[Array(user)] = Array(record) }) {}
        }
        return users
    }

    /// Whether the local copy is the changelog's state, by the product's own check.
    func verify() throws -> [StateVerification] {
        let topic = harness.configuration.changelogTopic
        let copies = try LocalCopies(stateDirectory: harness.folder.path, topic: topic)
        defer { copies.close() }
        let reader = try ChangelogReader(properties: ["bootstrap.servers": harness.broker.bootstrap], topic: topic)
        defer { reader.close() }
        return try copies.copies.map { try StateVerification($0, reader) }
    }
}
