import Base
import Consumer
import Engine
import Features
import Foundation
import Kafka
import StateStore
import Synchronization

/// Fills the state of newly assigned partitions, a step at a time, while the worker goes on polling: from the local
/// store as far as it goes, then from the changelog.
///
/// ```
///   add(shards) ─► loading ──end of the store──► reading ──(position ≥ the end captured in add)──► done, one by one
///      │              │ damaged                    ▲ ▲
///      │              └── empty state, from the ───┘ │
///      │ nothing stored    changelog's beginning     │          remove(partition): forgotten
///      └─────────────────────────────────────────────┘
/// ```
/// The end is captured after the group's committed offsets were read, which waits for the previous owner's open
/// transaction: whatever that owner committed lies before the end. Control records and compaction leave holes, so
/// "restored" is a position, never a count.
package final class StateRestorer: AssignmentHandler {
    private struct Target {
        let shard: Shard
        /// The changelog's end, captured in `add`.
        let end: Int64
        /// The first offset of the changelog to read, and the next one.
        var first: Int64
        var next: Int64
        /// The local store's records, while they are being loaded.
        var cursor: StoreCursor?
    }

    private let consumer: EventConsumer
    private let admin: Admin
    private let topic: String
    private let component: String
    private let metrics: PipelineMetrics
    /// How many users' records of a partition may be unreadable.
    private let mostUnreadable: Int
    /// Records that cannot be believed.
    private let disbelieved: DisbelievedRecords
    private var targets: [Int32: Target] = [:]
    private var finished: [Shard] = []
    private var loaded = 0
    private var replayed = 0
    private var started = ContinuousClock.now
    private var lastReport = ContinuousClock.now
    private static let batch = 8_192

    package init(
        properties: KafkaProperties, topic: String, metrics: PipelineMetrics, mostUnreadable: Int = 0,
        disbelieved: DisbelievedRecords = DisbelievedRecords(), component: String
    ) throws(ImpactError) {
        self.topic = topic
        self.disbelieved = disbelieved
        self.mostUnreadable = mostUnreadable
        self.metrics = metrics
        self.component = component
        var options = ConsumerOptions()
        options.reportsPartitionEnd = true
        options.fetchWaitMilliseconds = 10
        options.prefetchBytes = 32 << 20
        options.clientID = "\(component)-restore"
        consumer = try EventConsumer(
            properties: properties, topics: [topic], options: options, component: "\(component)-restore")
        admin = try Admin(properties: properties, component: "\(component)-restore")
        consumer.handler = self
        // The worker's own client says what happens to the connection. These two are served only while they have work,
        // and would tell of an outage when it is long over.
        consumer.handle.context.mute()
        admin.handle.context.mute()
    }

    /// Whether no more users should be loaded than the tail of the changelog changes: the others stay in the store.
    var isMemoryFull: () -> Bool = { false }

    /// Whether the process is asked to stop, so that no broker is waited for.
    var isStopped: () -> Bool = { false }

    var isIdle: Bool { targets.isEmpty && finished.isEmpty }

    package func close() {
        consumer.close()
        admin.close()
    }

    /// Begins to restore these shards. Those with an empty changelog are finished at the next step.
    package func add(_ shards: [Shard]) throws {
        if targets.isEmpty {
            loaded = 0
            replayed = 0
            started = .now
            lastReport = .now
        }
        for shard in shards {
            let number = shard.partition.partition
            let marks = try end(of: TopicPartition(topic, number))
            shard.changelogOffset = marks.high
            let target = target(shard, marks)
            if target.cursor == nil, target.next >= target.end {
                finished.append(shard)
            } else {
                targets[number] = target
            }
        }
        try assign()
    }

    /// The changelog's offsets. Brokers that are away and a leader that moves are waited for, as everywhere.
    private func end(of partition: TopicPartition) throws -> Watermarks {
        var told = ContinuousClock.now
        var others = 0
        while true {
            do { return try admin.watermarks(of: partition) } catch {
                // A topic may be unknown to a broker that has just started; half a minute is enough for such things.
                others += Admin.isOfBrokers(error) ? 0 : 1
                if others > 150 || isStopped() { throw error }
                if ContinuousClock.now - told > .seconds(10) {
                    told = .now
                    Log.warning(component, "\(error.message); asking again")
                }
                Thread.sleep(forTimeInterval: 0.2)
            }
        }
    }

    /// Forgets partitions that went away.
    func remove(_ numbers: [Int32]) throws {
        for number in numbers { targets[number] = nil }
        finished.removeAll { numbers.contains($0.partition.partition) }
        try assign()
    }

    // MARK: The local store

    private func target(_ shard: Shard, _ marks: Watermarks) -> Target {
        var target = Target(shard: shard, end: marks.high, first: marks.low, next: marks.low)
        guard let local = shard.checkpoint?.local else { return target }
        let number = shard.partition.partition
        let generation = local.store.generation
        do throws(ImpactError) {
            switch try plan(number, marks, local, shard.state.plan.fingerprint) {
            case .local(let offset):
                (target.first, target.next) = (offset, offset)
                target.cursor = try local.store.records(of: number)
            case .changelog:
                // What a pass left that did not come to its end.
                try local.store.erase(number)
            case .rebuild(let reason):
                Log.warning(
                    component, "the local copy of partition \(number) is of no use (\(reason)): restoring from \(topic)"
                )
                try local.store.erase(number)
            }
        } catch {
            distrust(error, local, generation)
        }
        return target
    }

    private func plan(
        _ number: Int32, _ marks: Watermarks, _ local: LocalState, _ fingerprint: UInt64
    ) throws(ImpactError) -> RestorePlan {
        guard let checkpoint = try local.store.checkpoint(of: number) else { return .changelog }
        let partition = TopicPartition(topic, number)
        if let offset = disbelieved[number].keys.filter({ $0 < checkpoint.offset }).min() {
            return .rebuild("the record at offset \(offset) of the changelog cannot be believed")
        }
        let time = checkpoint.time + RestorePlan.clockSlack
        let firstAfter = (try? admin.offsets(atOrAfter: time, of: [partition]))?[partition]
        return RestorePlan.decide(
            checkpoint, topic: topic, fingerprint: fingerprint, marks: marks, firstAfter: firstAfter,
            now: LocalState.now(), tombstoneMilliseconds: local.tombstoneMilliseconds)
    }

    /// Loads a piece of the store of each partition that is at it.
    private func load() throws {
        var isAnyLoaded = false
        for (number, var target) in targets {
            guard let cursor = target.cursor, let local = target.shard.checkpoint?.local else { continue }
            let generation = local.store.generation
            let state = target.shard.state
            let before = cursor.count
            var hasMore = false
            do throws(ImpactError) {
                hasMore = try cursor.read(Self.batch) { user, record throws(ImpactError) in
                    try state.restore(user: user, record: record)
                }
            } catch {
                if error.code.hasPrefix("state_record_") {
                    // One record, perhaps the changelog's own: the store's other partitions are good.
                    Log.warning(
                        component,
                        "the local copy of partition \(number) is of no use (\(error.message)): restoring from \(topic)"
                    )
                } else {
                    distrust(error, local, generation)
                }
                try? local.store.erase(number)
                target.shard.content.resetState()
                target.next = try end(of: TopicPartition(topic, number)).low
            }
            loaded += cursor.count - before
            metrics.restoredUsers.add(cursor.count - before)
            if hasMore {
                guard isMemoryFull() else { continue }
                target.shard.checkpoint?.noteSpill()
            }
            target.cursor = nil
            targets[number] = target
            isAnyLoaded = true
        }
        if isAnyLoaded { try assign() }
    }

    /// The local copy failed: says so, and replaces a damaged store.
    private func distrust(_ error: ImpactError, _ local: LocalState, _ generation: Int) {
        guard StateStore.isDamage(error) else {
            return Log.warning(component, "\(error.message): restoring from \(topic)")
        }
        do throws(ImpactError) {
            try local.store.replace(generation: generation, reason: error.message)
        } catch { Log.warning(component, error.message) }
    }

    // MARK: The changelog

    /// Every change of the set starts its partitions where they stand.
    private func assign() throws {
        var places: [TopicPartition: StartOffset] = [:]
        for (number, target) in targets where target.cursor == nil {
            places[TopicPartition(topic, number)] = .offset(target.next)
        }
        try consumer.assign(places)
    }

    /// Restores on for a moment.
    /// - Returns: shards whose state is complete.
    package func step(timeoutMilliseconds: Int) throws -> [Shard] {
        if !targets.isEmpty {
            try load()
            let isReading = targets.values.contains { $0.cursor == nil && $0.next < $0.end }
            if isReading { try read(timeoutMilliseconds) }
            report()
        }
        var done = finished
        finished = []
        for (number, target) in targets where target.cursor == nil && target.next >= target.end {
            done.append(target.shard)
            targets[number] = nil
        }
        if !done.isEmpty {
            for shard in done { try finish(shard) }
            report(done)
            try assign()
        }
        return done
    }

    private func finish(_ shard: Shard) throws(ImpactError) {
        let place = TopicPartition(topic, shard.partition.partition)
        let unreadable = shard.unreadable
        if unreadable.count > mostUnreadable {
            throw UnreadableRecords.refusal(place, unreadable, limit: mostUnreadable)
        }
        shard.isRestored = true
        if unreadable.isEmpty { return }
        let records = unreadable.records
        for record in records.prefix(5) {
            Log.error(component, "\(place) offset \(record.offset): \(record.reason); it is set aside as a dead letter")
        }
        Log.error(
            component,
            "\(place): the last records of \(records.count) users cannot be read or believed; these users begin anew, and the "
                + "records go to the dead letter with the code \(UnreadableRecords.code)")
    }

    private func read(_ timeoutMilliseconds: Int) throws {
        let batch = try consumer.poll(max: Self.batch, timeoutMilliseconds: timeoutMilliseconds)
        var number: Int32 = -1
        var shard: Shard?
        var lies: [Int64: String] = [:]
        var next: Int64 = 0
        for i in 0..<batch.count {
            let message = batch[i]
            if message.partition != number {
                advance(number, to: next)
                number = message.partition
                shard = targets[number].flatMap { $0.cursor == nil ? $0.shard : nil }
                lies = disbelieved[number]
            }
            guard let shard else { continue }
            next = message.offset + 1
            guard let user = message.keyBuffer else { continue }
            do throws(ImpactError) {
                if !lies.isEmpty, let reason = lies[message.offset] {
                    throw ImpactError(.badInput, code: UnreadableRecords.code, reason)
                }
                try shard.restore(user: user, record: message.payloadBuffer)
            } catch {
                guard error.kind == .badInput else { throw error }
                shard.setAside(
                    UnreadableRecords.Record(
                        user: Array(user), value: message.payloadBuffer.map { Array($0) } ?? [], offset: message.offset,
                        timestamp: message.timestamp, headers: message.headers, reason: error.message))
                if shard.unreadable.isTooMuchToHold(limit: mostUnreadable) {
                    throw UnreadableRecords.refusal(
                        TopicPartition(topic, number), shard.unreadable, limit: mostUnreadable)
                }
            }
        }
        advance(number, to: next)
        replayed += batch.count
        metrics.replayedRecords.add(batch.count)
        if !batch.isEmpty { KillPoint.afterRestoreBatch.reached() }
    }

    /// The partition's end may have been told already, inside the same poll: never back.
    private func advance(_ number: Int32, to next: Int64) {
        guard var target = targets[number], target.cursor == nil else { return }
        target.next = max(target.next, next)
        targets[number] = target
    }

    // MARK: Progress

    /// How far each partition is.
    var progress: [Int32: LiveTap.Restore] {
        targets.mapValues { target in
            LiveTap.Restore(
                loaded: target.cursor?.count ?? 0, records: max(0, target.end - target.first),
                left: max(0, target.end - target.next))
        }
    }

    private func report() {
        guard ContinuousClock.now - lastReport > .seconds(5) else { return }
        lastReport = .now
        let seconds = max(0.001, (ContinuousClock.now - started) / .seconds(1))
        let left = targets.values.reduce(0) { $0 + max(0, $1.end - $1.next) }
        let rate = Double(loaded + replayed) / seconds
        let loading = targets.values.count { $0.cursor != nil }
        Log.info(
            component,
            "restoring \(targets.count) partitions"
                + (loading > 0 ? " (\(loading) from the local copy, \(loaded) users so far)" : "")
                + ": \(loaded + replayed) records, \(Int(saturating: rate)) per second, "
                + "\(Int(saturating: Double(left) / max(1, rate))) s left of the changelog")
    }

    private func report(_ done: [Shard]) {
        let users = done.reduce(0) { $0 + $1.state.userCount }
        let seconds = (ContinuousClock.now - started) / .seconds(1)
        let numbers = done.map { "\($0.partition.partition)" }.sorted().joined(separator: " ")
        Log.info(
            component,
            "state restored for partitions \(numbers): \(users) users in \(String(format: "%.2f", seconds)) s "
                + "(so far \(loaded) from the local copy, \(replayed) records of the changelog)")
    }

    // The consumer has no group: only its ends are of interest.
    package func assigned(_ partitions: [TopicPartition]) {}
    package func revoked(_ partitions: [TopicPartition]) {}
    package func lost(_ partitions: [TopicPartition]) {}
    package func reachedEnd(of partition: TopicPartition, at offset: Int64) {
        advance(partition.partition, to: offset)
    }
}
