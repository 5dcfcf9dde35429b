import Base
import Consumer
import Foundation
import Kafka
import Settings
import StateStore
import Synchronization

/// Keeps warm copies of partitions that other processes own, by following their changelog, so that taking one over
/// replays only a tail. One thread per process.
///
/// ```
///  group's members ─► rule ─► partitions to follow ─► changelog ─► local store, offset in the same batch
///                               ▲       │ a worker of this process takes the partition
///                               └───────┘
/// ```
/// Unlike a worker's passes it writes every record, together with the offset behind it.
final class StandbyFollower: AssignmentHandler {
    private struct Copy {
        let ticket: CheckpointTicket
        let generation: Int
        let start: Int64
        var next: Int64
        /// No record behind `next` is older.
        var time: Int64
        var isAtEnd = false
    }

    private let context: WorkerContext
    private let local: LocalState
    private let topic: String
    private let fingerprint: UInt64
    private let consumer: EventConsumer
    private let admin: Admin
    private var copies: [Int32: Copy] = [:]
    private var lookDue = ContinuousClock.now
    private static let component = "standby"
    private static let lookEvery = Duration.seconds(3)

    init?(_ context: WorkerContext, fingerprint: UInt64) throws(ImpactError) {
        guard context.configuration.standbyReplicas > 0, let local = context.local else { return nil }
        self.context = context
        self.local = local
        self.fingerprint = fingerprint
        topic = context.configuration.changelogTopic
        var options = ConsumerOptions()
        options.reportsPartitionEnd = true
        options.prefetchBytes = 16 << 20
        options.clientID = Self.component
        let properties = context.properties(client: "consumer")
        consumer = try EventConsumer(
            properties: properties, topics: [topic], options: options, component: Self.component)
        admin = try Admin(properties: properties, component: Self.component)
        consumer.handler = self
    }

    /// Follows until the context asks to stop. What fails is tried again: nothing depends on a warm copy.
    func run() {
        while !context.isStopRequested {
            do {
                if ContinuousClock.now >= lookDue || copies.values.contains(where: { $0.ticket.isEnded }) { try look() }
                try follow()
            } catch {
                Log.warning(Self.component, "\(error); trying again")
                drop(Set(copies.keys))
                Thread.sleep(forTimeInterval: 1)
            }
        }
        drop(Set(copies.keys))
        consumer.close()
        admin.close()
    }

    /// Which partitions to follow now.
    private func look() throws {
        lookDue = .now + Self.lookEvery
        let members = try admin.members(ofGroup: context.configuration.applicationID)
        let wanted = StandbyRule.partitions(
            of: members, application: context.configuration.applicationID, me: context.identity.name,
            replicas: context.configuration.standbyReplicas)
        let ended = Set(copies.filter { $0.value.ticket.isEnded || !wanted.contains($0.key) }.keys)
        drop(ended)
        var isChanged = !ended.isEmpty
        for partition in wanted.sorted() where copies[partition] == nil {
            guard let ticket = local.acquireIfFree(partition) else { continue }
            copies[partition] = try copy(partition, ticket)
            isChanged = true
        }
        guard isChanged else { return }
        var places: [TopicPartition: StartOffset] = [:]
        for (partition, copy) in copies { places[TopicPartition(topic, partition)] = .offset(copy.next) }
        try consumer.assign(places)
        let list = copies.keys.sorted().map { "\($0)" }.joined(separator: " ")
        Log.info(Self.component, "keeping warm copies of \(copies.isEmpty ? "no partitions" : "partitions \(list)")")
    }

    private func drop(_ partitions: Set<Int32>) {
        for partition in partitions {
            if let copy = copies.removeValue(forKey: partition) { local.release(copy.ticket) }
        }
    }

    private func copy(_ partition: Int32, _ ticket: CheckpointTicket) throws -> Copy {
        let marks = try admin.watermarks(of: TopicPartition(topic, partition))
        let checkpoint = try local.store.checkpoint(of: partition)
        let generation = local.store.generation
        let plan = RestorePlan.decide(
            checkpoint, topic: topic, fingerprint: fingerprint, marks: marks, firstAfter: nil, now: LocalState.now(),
            tombstoneMilliseconds: local.tombstoneMilliseconds)
        if case .local(let offset) = plan, let checkpoint {
            return Copy(
                ticket: ticket, generation: generation, start: marks.low, next: offset, time: checkpoint.time)
        }
        try local.store.erase(partition)
        // All of the log is read from its beginning: whatever tombstones are left concern nobody who is stored.
        return Copy(
            ticket: ticket, generation: generation, start: marks.low, next: marks.low, time: LocalState.now())
    }

    private func follow() throws {
        guard !copies.isEmpty else { return Thread.sleep(forTimeInterval: 0.1) }
        let now = LocalState.now()
        let messages = try consumer.poll(max: 4_096, timeoutMilliseconds: 200)
        var batches: [Int32: StoreBatch] = [:]
        for i in 0..<messages.count {
            let message = messages[i]
            guard var copy = copies[message.partition], let user = message.keyBuffer else { continue }
            let batch = batches[message.partition] ?? local.batch()
            batches[message.partition] = batch
            batch.put(message.partition, user: user, record: message.payloadBuffer)
            copy.next = max(copy.next, message.offset + 1)
            copies[message.partition] = copy
        }
        for (partition, var copy) in copies where batches[partition] != nil || copy.isAtEnd {
            // At the end, nothing behind is older than the poll; before it, the old time stands.
            if copy.isAtEnd {
                if batches[partition] == nil, now - copy.time < 60_000 { continue }
                copy.time = now
                copy.isAtEnd = false
            }
            copies[partition] = copy
            let batch = batches[partition] ?? local.batch()
            batch.put(
                partition,
                Checkpoint(
                    topic: topic, offset: copy.next, start: copy.start, time: copy.time, fingerprint: fingerprint))
            local.submit(batch, copy.ticket, generation: copy.generation)
        }
        for copy in copies.values {
            if let failure = copy.ticket.takeFailure() { throw failure }
        }
    }

    func assigned(_ partitions: [TopicPartition]) {}
    func revoked(_ partitions: [TopicPartition]) {}
    func lost(_ partitions: [TopicPartition]) {}
    func reachedEnd(of partition: TopicPartition, at offset: Int64) {
        guard var copy = copies[partition.partition] else { return }
        copy.next = max(copy.next, offset)
        copy.isAtEnd = true
        copies[partition.partition] = copy
    }
}
