import Base
import Engine
import Events
import Features
import Foundation
import Kafka
import Scoring
import Settings
import StateStore

/// One user's state as of now: from the local copy and the changelog's tail, or from the changelog alone.
package struct UserLookup {
    package var partition: Int32
    /// Latest event time, milliseconds since 1970.
    package var clock: Int64
    package var events: Int
    /// Bytes of the stored record.
    package var recordBytes: Int
    package var features: [(name: String, value: Float)]
    /// Where it was found, in words.
    package var source: String

    /// - Parameter partitions: where to look; the key's own partition when nil.
    /// - Returns: nil for a user who is not known.
    package static func find(
        _ user: String, configuration: Configuration, partitions: [Int32]? = nil
    ) throws -> UserLookup? {
        let model = try Model.open(path: try configuration.required("model.path"))
        let plan = try Processor.plan(of: model, scoreEvents: configuration.scoreEvents)
        let topic = configuration.changelogTopic
        let reader = try ChangelogReader(
            properties: configuration.kafkaProperties(client: "consumer"), topic: topic, prefetchBytes: 16 << 20)
        defer { reader.close() }
        let count = try reader.partitions()
        let key = Array(user.utf8)
        let places = partitions ?? [KeyPartition.murmur2(key, of: count)]
        let copies = try LocalCopies(stateDirectory: configuration.stateDirectory, topic: topic)
        defer { copies.close() }
        var found: (partition: Int32, record: [UInt8], source: String)?
        var from: [Int32: Int64?] = [:]
        for partition in places {
            guard partition >= 0, partition < count else {
                throw ImpactError(
                    .usage, code: "no_such_partition",
                    "\(topic) has partitions 0 to \(count - 1), not \(partition)")
            }
            from[partition] = .some(nil)
            guard let copy = copies.best(partition), try isGood(copy, reader, plan) else { continue }
            from[partition] = copy.checkpoint.offset
            if let record = try copy.store.record(partition, user: key) {
                found = (partition, record, "\(copy.store.path), up to offset \(copy.checkpoint.offset)")
            }
        }
        try reader.read(from: from) { partition, offset, id, record in
            guard id.elementsEqual(key) else { return }
            if let record {
                found = (partition, Array(record), "\(topic) [\(partition)] offset \(offset)")
            } else if found?.partition == partition {
                found = nil
            }
        }
        guard let found else { return nil }
        return try describe(found.record, key, plan, found.partition, found.source)
    }

    private static func isGood(
        _ copy: LocalCopies.Copy, _ reader: ChangelogReader, _ plan: FeaturePlan
    ) throws(ImpactError) -> Bool {
        let decision = RestorePlan.decide(
            copy.checkpoint, topic: copy.checkpoint.topic, fingerprint: plan.fingerprint,
            marks: try reader.watermarks(copy.partition), firstAfter: nil, now: LocalState.now(),
            tombstoneMilliseconds: 86_400_000)
        if case .local = decision { return true }
        return false
    }

    private static func describe(
        _ record: [UInt8], _ key: [UInt8], _ plan: FeaturePlan, _ partition: Int32, _ source: String
    ) throws(ImpactError) -> UserLookup? {
        let state = PartitionState(plan: plan)
        let result: Result<Void, ImpactError> = key.withUnsafeBytes { user in
            record.withUnsafeBytes { record in
                do throws(ImpactError) { return .success(try state.restore(user: user, record: record)) } catch {
                    return .failure(error)
                }
            }
        }
        try result.get()
        return key.withUnsafeBytes { user in
            guard let slot = state.slot(ofUser: user), let row = state.features(ofUser: user) else { return nil }
            let names = plan.specification.features.map(\.name)
            return UserLookup(
                partition: partition, clock: state.clock(slot), events: Int(state.eventCount(slot)),
                recordBytes: record.count, features: Array(zip(names, row)).map { (name: $0.0, value: $0.1) },
                source: source)
        }
    }
}
