import Consumer
import Diagnostics
import Features
import Foundation
import Kafka

/// Fills the state of newly assigned partitions from the changelog, a step at a time, while the worker goes on polling.
///
/// ```
///   add(shards) ──► reading ──(position ≥ the end captured in add)──► done, one partition at a time
///                     │ remove(partition)
///                     ▼
///                  forgotten
/// ```
/// The end is captured after the group's committed offsets were read, which waits for the previous owner's open
/// transaction: whatever that owner committed lies before the end. Control records and compaction leave holes, so
/// "restored" is a position, never a count.
final class StateRestorer: AssignmentHandler {
    private let consumer: EventConsumer
    private let admin: Admin
    private let topic: String
    private let component: String
    private var targets: [Int32: (shard: Shard, end: Int64)] = [:]
    private var reached: [Int32: Int64] = [:]
    private var finished: [Shard] = []
    private var records = 0
    private var started = ContinuousClock.now
    private var lastReport = ContinuousClock.now
    private static let batch = 8_192

    init(properties: KafkaProperties, topic: String, component: String) throws(ImpactError) {
        self.topic = topic
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
    }

    var isIdle: Bool { targets.isEmpty }

    func close() {
        consumer.close()
        admin.close()
    }

    /// Begins to restore these shards. Those with an empty changelog are finished at the next step.
    func add(_ shards: [Shard]) throws {
        if targets.isEmpty {
            records = 0
            started = .now
        }
        for shard in shards {
            let number = shard.partition.partition
            let marks = try end(of: TopicPartition(topic, number))
            if marks.high <= marks.low {
                finished.append(shard)
            } else {
                targets[number] = (shard, marks.high)
            }
        }
        try assign()
    }

    /// The changelog's offsets. A leader that moves or is not there yet is waited for, half a minute at most.
    private func end(of partition: TopicPartition) throws -> Watermarks {
        for _ in 0..<150 {
            do { return try admin.watermarks(of: partition) } catch {
                Log.debug(component, "\(error.message); asking again")
                Thread.sleep(forTimeInterval: 0.2)
            }
        }
        return try admin.watermarks(of: partition)
    }

    /// Forgets partitions that went away.
    func remove(_ numbers: [Int32]) throws {
        for number in numbers { targets[number] = nil }
        finished.removeAll { numbers.contains($0.partition.partition) }
        try assign()
    }

    /// Every change of the set starts its partitions at their beginnings or where they stand.
    private func assign() throws {
        var places: [TopicPartition: StartOffset] = [:]
        let positions = consumer.positions(targets.keys.map { TopicPartition(topic, $0) })
        for number in targets.keys {
            let partition = TopicPartition(topic, number)
            places[partition] = positions[partition].map { .offset($0) } ?? .beginning
        }
        reached = reached.filter { targets[$0.key] != nil }
        try consumer.assign(places)
    }

    /// Reads on for a moment.
    /// - Returns: shards whose state is complete.
    func step(timeoutMilliseconds: Int) throws -> [Shard] {
        if !targets.isEmpty { try read(timeoutMilliseconds) }
        var done = finished
        finished = []
        for (number, target) in targets where (reached[number] ?? -1) >= target.end {
            done.append(target.shard)
            targets[number] = nil
        }
        if !done.isEmpty { report(done) }
        if !done.isEmpty { try assign() }
        return done
    }

    private func read(_ timeoutMilliseconds: Int) throws {
        let batch = try consumer.poll(max: Self.batch, timeoutMilliseconds: timeoutMilliseconds)
        for i in 0..<batch.count {
            let message = batch[i]
            guard let target = targets[message.partition] else { continue }
            // The partition's end may have been told already, inside the same poll.
            reached[message.partition] = max(reached[message.partition] ?? 0, message.offset + 1)
            guard let user = message.keyBuffer else { continue }
            do {
                try target.shard.state.restore(user: user, record: message.payloadBuffer)
            } catch {
                throw ImpactError(
                    error.kind, code: error.code,
                    "\(topic) [\(message.partition)] offset \(message.offset): \(error.message)\nThe state of this "
                        + "application was written with another feature specification or is damaged: choose a new "
                        + "application.id, or delete the changelog topic and start from the beginning")
            }
        }
        records += batch.count
        if !batch.isEmpty { KillPoint.afterRestoreBatch.reached() }
        if ContinuousClock.now - lastReport > .seconds(5) {
            lastReport = .now
            let seconds = max(0.001, (ContinuousClock.now - started) / .seconds(1))
            let left = targets.reduce(0) { $0 + max(0, $1.value.end - (reached[$1.key] ?? 0)) }
            let rate = Double(records) / seconds
            Log.info(
                component,
                "restoring \(targets.count) partitions: \(records) records, \(Int(rate)) a second, "
                    + "\(Int(Double(left) / max(1, rate))) s left")
        }
    }

    private func report(_ done: [Shard]) {
        let users = done.reduce(0) { $0 + $1.state.userCount }
        let seconds = (ContinuousClock.now - started) / .seconds(1)
        let numbers = done.map { "\($0.partition.partition)" }.sorted().joined(separator: " ")
        Log.info(
            component,
            "state restored for partitions \(numbers): \(users) users in \(String(format: "%.2f", seconds)) s")
    }

    // The consumer has no group: only its ends are of interest.
    func assigned(_ partitions: [TopicPartition]) {}
    func revoked(_ partitions: [TopicPartition]) {}
    func lost(_ partitions: [TopicPartition]) {}
    func reachedEnd(of partition: TopicPartition, at offset: Int64) {
        reached[partition.partition] = max(reached[partition.partition] ?? 0, offset)
    }
}
