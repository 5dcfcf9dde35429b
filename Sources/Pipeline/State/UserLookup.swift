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
    /// What the user refuses, by name.
    package var refuses: [String]
    /// Bytes of the stored record.
    package var recordBytes: Int
    package var features: [(name: String, value: Float)]
    /// Where it was found, in words.
    package var source: String

    /// - Parameters:
    ///   - partition: where to look. When nil, in the key's own partition by murmur2; then, when the user is not there or
    ///     `all` is true, in all others.
    /// - Returns: the user in each partition that knows them.
    package static func find(
        _ user: String, configuration: Configuration, partition: Int32? = nil, all: Bool = false
    ) throws -> [UserLookup] {
        let model = try configuration.openModel()
        let plan = try Processor.plan(of: model, scoreEvents: configuration.scoreEvents)
        let places = try places(of: user, configuration: configuration, plan: plan, partition: partition, all: all)
        return try places.compactMap { place in
            try describe(place.record, Array(user.utf8), plan, place.partition, place.source)
        }
    }

    /// A partition that knows a user, with the user's record and where it was found.
    package struct Place {
        package var partition: Int32
        package var record: [UInt8]
        package var source: String
    }

    /// The partitions that know a user; see ``find(_:configuration:partition:all:)``.
    ///
    /// - Parameter plan: the features, without which local copies are not used.
    package static func places(
        of user: String, configuration: Configuration, plan: FeaturePlan? = nil, partition: Int32? = nil,
        all: Bool = true
    ) throws -> [Place] {
        let topic = configuration.changelogTopic
        let reader = try ChangelogReader(
            properties: configuration.kafkaProperties(client: "consumer"), topic: topic, prefetchBytes: 16 << 20)
        defer { reader.close() }
        let count = try reader.partitions()
        let key = Array(user.utf8)
        let own = KeyPartition.murmur2(key, of: count)
        var rounds: [[Int32]] = [[partition ?? own]]
        if partition == nil { rounds.append((0..<Int32(count)).filter { $0 != own }) }
        let copies = try LocalCopies(stateDirectory: configuration.stateDirectory, topic: topic)
        defer { copies.close() }
        var found: [Int32: Place] = [:]
        for places in rounds where all || found.isEmpty {
            try look(for: key, in: places, of: count, reader, copies, plan, &found)
        }
        return found.values.sorted { $0.partition < $1.partition }
    }

    private static func look(
        for key: [UInt8], in places: [Int32], of count: Int, _ reader: ChangelogReader, _ copies: LocalCopies,
        _ plan: FeaturePlan?, _ found: inout [Int32: Place]
    ) throws {
        let topic = reader.topic
        var from: [Int32: Int64?] = [:]
        for partition in places {
            guard partition >= 0, partition < count else {
                throw ImpactError(
                    .usage, code: "no_such_partition",
                    "\(topic) has partitions 0 to \(count - 1), not \(partition)")
            }
            from[partition] = .some(nil)
            guard let plan, let copy = copies.best(partition), try isGood(copy, reader, plan) else { continue }
            from[partition] = copy.checkpoint.offset
            if let record = try copy.store.record(partition, user: key) {
                found[partition] = Place(
                    partition: partition, record: record,
                    source: "\(copy.store.path), up to offset \(copy.checkpoint.offset)")
            }
        }
        try reader.read(from: from) { partition, offset, id, record in
            guard id.elementsEqual(key) else { return }
            found[partition] = record.map {
                Place(partition: partition, record: Array($0), source: "\(topic) [\(partition)] offset \(offset)")
            }
        }
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
                refuses: state.refuses(slot).names,
                recordBytes: record.count, features: Array(zip(names, row)).map { (name: $0.0, value: $0.1) },
                source: source)
        }
    }
}
