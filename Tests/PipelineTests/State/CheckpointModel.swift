import Base
import Engine
import Events
import Features
import Foundation
import Kafka
import Pipeline
import Sinks
import StateStore
import Synchronization
import TestSupport
import Testing

/// A partition with its changelog in memory, and a local store on disk: commits, aborts, removals and passes as they
/// come, and restoring from the store and the changelog's tail at any moment.
final class CheckpointModel {
    struct Change {
        var user: [UInt8]
        var record: [UInt8]?
    }

    let folder = FileManager.default.temporaryDirectory.appending(path: "checkpoint-\(UUID().uuidString)")
    let plan: FeaturePlan
    let batch: EventBatch
    var shard: Shard
    let local: LocalState
    /// The committed changelog: offset i is entry i.
    var changelog: [Change] = []
    var generator: SeededGenerator
    private var time: Int64 = 1_795_255_200_000
    let users: Int

    init(_ generator: SeededGenerator, users: Int = 40) throws {
        self.generator = generator
        self.users = users
        let specification = try FeatureSpecification(
            json: Array(
                """
                {"features":[
                  {"name":"clicks","aggregate":"count","events":["click"],"window":"7d"},
                  {"name":"spend","aggregate":"sum","events":["purchase"],"field":"value","window":"30d"},
                  {"name":"last","aggregate":"last","field":"value"},
                  {"name":"campaigns","aggregate":"distinct","field":"campaign_id","window":"30d"}]}
                """.utf8))
        plan = try FeaturePlan(specification)
        batch = EventBatch(schema: plan.schema, capacity: 64)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let store = try StateStore(path: folder.appending(path: "rocksdb-0").path)
        let end = EndOffset()
        local = LocalState(store: store, changelog: "log") { _ in
            .init(stable: end.value.load(ordering: .acquiring), start: 0, time: LocalState.now())
        }
        self.endOffset = end
        shard = Shard(3, topics: ["events"], plan: plan)
        adopt(shard)
    }

    private let endOffset: EndOffset

    private final class EndOffset: Sendable { let value = Atomic<Int64>(0) }

    deinit {
        local.close()
        try? FileManager.default.removeItem(at: folder)
    }

    /// Gives a shard its right to the store.
    func adopt(_ shard: Shard) {
        shard.checkpoint = ShardCheckpoint(
            local, local.acquire(3), intervalMilliseconds: 1, component: "test")
    }

    func uniform(_ n: Int) -> Int { Int.random(in: 0..<n, using: &generator) }

    /// Fills the batch with some events.
    func fill() throws {
        batch.removeAll()
        for _ in 0...uniform(40) {
            time += Int64(uniform(4_000_000))
            let user = "user-\(uniform(users))"
            let type = ["click", "purchase", "ad_view"][uniform(3)]
            let text =
                "{\"user_id\":\"\(user)\",\"id\":\"\(uniform(5_000))\",\"type\":\"\(type)\",\"time\":\(time),"
                + "\"value\":\(uniform(100)),\"campaign_id\":\"c\(uniform(5))\"}"
            try Array(text.utf8).withUnsafeBytes { message in
                try Array(user.utf8).withUnsafeBytes {
                    try batch.append(message, key: $0, source: SourcePosition(timestamp: time))
                }
            }
        }
    }

    /// Applies some events, and now and then removes a user.
    func work() throws {
        try fill()
        shard.state.apply(batch) { _, _ in }
        for _ in 0..<uniform(3) {
            Array("user-\(uniform(users))".utf8).withUnsafeBytes { shard.content.erase(user: $0) }
        }
    }

    /// Ends the transaction.
    func finish(commits: Bool) {
        _ = shard.collectChangelog()
        var changes: [Change] = []
        shard.content.takeOutputs { records, bytes in
            for record in records {
                let key = Array(bytes[record.keyStart..<record.keyStart + Int(record.keyCount)])
                let value =
                    record.valueCount < 0
                    ? nil : Array(bytes[record.valueStart..<record.valueStart + Int(record.valueCount)])
                changes.append(Change(user: key, record: value))
            }
        }
        guard commits else { return shard.rollback() }
        changelog += changes
        endOffset.value.store(Int64(changelog.count), ordering: .releasing)
        shard.accept()
    }

    /// A piece of a pass.
    func advance(isProven: Bool = true) {
        let until = ContinuousClock.now + .microseconds(uniform(2) * 200)
        shard.checkpoint?.advance(shard.state, until: until, isProven: isProven)
    }

    /// Goes on until the store has everything.
    func settle() {
        for _ in 0..<100_000 {
            guard let checkpoint = shard.checkpoint, checkpoint.isBehind || checkpoint.phase == .asking else { return }
            advance()
            Thread.sleep(forTimeInterval: 0.000_1)
        }
        Issue.record("the pass does not end")
    }

    static func image(_ state: PartitionState) -> [[UInt8]: [UInt8]] {
        var image: [[UInt8]: [UInt8]] = [:]
        state.forEachUser { user, slot in image[Array(user)] = state.encoded(slot) }
        return image
    }

    /// What the changelog says.
    var truth: [[UInt8]: [UInt8]] {
        changelog.reduce(into: [:]) { $0[$1.user] = $1.record }
    }

    /// Whether a state is what the changelog says.
    func isTruth(_ state: PartitionState) -> Bool { Self.image(state) == truth }

    /// Copies the store as it is at one moment: files that come or go during the copy, as merging makes them do, would make it
    /// one of two moments.
    private func copyStore(to copy: String) throws {
        func names() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: local.store.path).sorted()
        }
        for _ in 0..<1_000 {
            let before = try names()
            let isCopied = (try? FileManager.default.copyItem(atPath: local.store.path, toPath: copy)) != nil
            if isCopied, try names() == before { return }
            try? FileManager.default.removeItem(atPath: copy)
        }
        throw ImpactError(.failed, code: "test", "the store's files never stood still")
    }

    /// The store as a kill would leave it, with the tail replayed; nil without a checkpoint.
    ///
    /// - Parameter adopts: whether the restored partition takes the store over.
    func restored(_ name: String, adopts: Bool = false) throws -> (Shard, Checkpoint)? {
        let shard = Shard(3, topics: ["events"], plan: plan)
        if adopts {
            guard try local.store.checkpoint(of: 3) != nil else { return nil }
            // Before the look at the store: what the one before it has queued is not written any more.
            adopt(shard)
        }
        let copy = folder.appending(path: name).path
        try copyStore(to: copy)
        try? FileManager.default.removeItem(atPath: copy + "/LOCK")
        defer { try? FileManager.default.removeItem(atPath: copy) }
        let store = try StateStore(path: copy)
        defer { store.close() }
        guard let checkpoint = try store.checkpoint(of: 3) else { return nil }
        let state = shard.state
        let cursor = try store.records(of: 3)
        while try cursor.read(16, { user, record throws(ImpactError) in try state.restore(user: user, record: record) })
        {}
        for change in changelog[Int(checkpoint.offset)...] {
            try change.user.withUnsafeBytes { user in
                guard let record = change.record else { return try shard.restore(user: user, record: nil) }
                try record.withUnsafeBytes { try shard.restore(user: user, record: $0) }
            }
        }
        return (shard, checkpoint)
    }
}
