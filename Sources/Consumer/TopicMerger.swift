import CRdkafka
import Foundation
import Kafka

/// Merges co-partitioned topics: of each partition number, records come by their own time, then by topic, then by offset.
///
/// ```
///  events [3] ──► lane ─┐ the smallest (time, topic) of the heads, once every lane has one
///  orders [3] ──► lane ─┴──────────────────────────────────────────────► batch
///                   │ empty lane: waited for a bounded time after the other's head came
/// ```
/// The order depends on the records alone unless a topic is slower than the wait; a record that comes after a later one
/// was handed on is counted in ``lateRecords``. Memory is bounded: a lane that is ahead is paused. Belongs to the
/// consumer's thread; not needed for one topic.
package final class TopicMerger {
    /// Records handed on after a record of a later place, since their topic was slower than the wait.
    package private(set) var lateRecords = 0

    private let consumer: EventConsumer
    /// How long a head waits for a lane that has nothing more to read, and for one that has.
    private let waitMilliseconds: Int64
    private let behindMilliseconds: Int64
    private var groups: [Int32: Group] = [:]
    private var turn: [Int32] = []
    private let laneRecords: Int
    private static let laneBytes = 8 << 20

    /// Partitions of one number.
    private struct Group {
        var lanes: [MergeLane?]
        /// The place of the record handed on last.
        var place: (time: Int64, topic: Int) = (.min, 0)
    }

    /// - Parameters:
    ///   - wait: how long a record waits for another topic whose end was reached, in milliseconds. What arrives there
    ///     within it is merged in order.
    ///   - behind: the same for a topic that is known to hold more, such as one whose leader moves.
    ///   - laneRecords: records read ahead of a partition before it is paused.
    package init(_ consumer: EventConsumer, wait: Int, behind: Int = 30_000, laneRecords: Int = 8_192) {
        precondition(consumer.options.reportsPartitionEnd, "merging needs to know where a topic ends")
        self.consumer = consumer
        waitMilliseconds = Int64(wait)
        behindMilliseconds = Int64(max(wait, behind))
        self.laneRecords = laneRecords
    }

    deinit { removeAll() }

    /// Records waiting for their turn.
    package var waiting: Int { groups.values.reduce(0) { $0 + $1.lanes.reduce(0) { $0 + ($1?.count ?? 0) } } }

    /// Whether nothing of a partition waits for its turn.
    package func isDrained(_ partition: TopicPartition) -> Bool {
        guard let topic = consumer.topics.firstIndex(of: partition.topic),
            let lane = groups[partition.partition]?.lanes[topic]
        else { return true }
        return lane.count == 0
    }

    /// Takes up partitions; tell it before their first record is polled.
    package func add(_ partitions: [TopicPartition]) {
        for partition in partitions {
            guard let topic = consumer.topics.firstIndex(of: partition.topic) else { continue }
            var group = groups[partition.partition] ?? Group(lanes: consumer.topics.map { _ in nil })
            group.lanes[topic]?.deallocate()
            group.lanes[topic] = MergeLane()
            groups[partition.partition] = group
        }
        turn = groups.keys.sorted()
    }

    /// Forgets partitions and what was read of them.
    package func remove(_ partitions: [TopicPartition]) {
        for partition in partitions {
            guard let topic = consumer.topics.firstIndex(of: partition.topic) else { continue }
            groups[partition.partition]?.lanes[topic]?.deallocate()
            groups[partition.partition]?.lanes[topic] = nil
            if groups[partition.partition]?.lanes.allSatisfy({ $0 == nil }) ?? false {
                groups[partition.partition] = nil
            }
        }
        turn = groups.keys.sorted()
    }

    /// Forgets all that was read and not handed on: before the consumer goes back to other offsets.
    package func rewind() throws(KafkaError) {
        for (number, group) in groups {
            for topic in group.lanes.indices where group.lanes[topic] != nil {
                groups[number]?.lanes[topic]?.removeAll()
                try resume(number, topic)
            }
            groups[number]?.place = (.min, 0)
        }
    }

    /// Forgets all partitions and gives back what was read of them; before the consumer is closed.
    package func removeAll() {
        for number in groups.keys {
            for topic in consumer.topics.indices { groups[number]?.lanes[topic]?.deallocate() }
        }
        groups = [:]
    }

    /// For ``AssignmentHandler/reachedEnd(of:at:)``.
    package func reachedEnd(of partition: TopicPartition, at offset: Int64) {
        guard let topic = consumer.topics.firstIndex(of: partition.topic) else { return }
        groups[partition.partition]?.lanes[topic]?.endOffset = offset
    }

    /// The next records in merged order; see ``EventConsumer/poll(max:timeoutMilliseconds:)``.
    package func poll(max: Int, timeoutMilliseconds: Int) throws(KafkaError) -> MessageBatch {
        let isReady = nextDue(Self.now()) == 0
        let due = isReady ? 0 : min(Int64(timeoutMilliseconds), nextDue(Self.now()) ?? .max)
        try take(try consumer.poll(max: max, timeoutMilliseconds: Int(due)))
        let storage = consumer.lendStorage(for: max)
        var count = 0
        do throws(KafkaError) { try fill(storage, &count, max: max, now: Self.now()) } catch {
            _ = MessageBatch(storage, count: count)
            throw error
        }
        return MessageBatch(storage, count: count)
    }

    /// Moves the records of a batch into their lanes; a lane that is far ahead is paused.
    private func take(_ batch: consuming MessageBatch) throws(KafkaError) {
        let now = Self.now()
        var full: [TopicPartition] = []
        batch.disown { message, topic in
            let number = message.pointee.partition
            guard topic >= 0, groups[number]?.lanes[topic] != nil else {
                rd_kafka_message_destroy(message)
                return
            }
            var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
            let time = rd_kafka_message_timestamp(message, &type)
            groups[number]?.lanes[topic]?.append(MergeLane.Entry(message: message, time: time, arrival: now))
            guard let lane = groups[number]?.lanes[topic], !lane.isPaused else { return }
            if lane.count >= laneRecords || lane.bytes >= Self.laneBytes {
                groups[number]?.lanes[topic]?.isPaused = true
                full.append(TopicPartition(consumer.topics[topic], number))
            }
        }
        if !full.isEmpty { try consumer.pause(full) }
    }

    private func fill(_ storage: BatchStorage, _ count: inout Int, max: Int, now: Int64) throws(KafkaError) {
        for number in turn {
            guard var group = groups.removeValue(forKey: number) else { continue }
            while count < max, let topic = next(group, now) {
                guard let entry = group.lanes[topic]?.removeFirst() else { break }
                if (entry.time, topic) < group.place { lateRecords += 1 } else { group.place = (entry.time, topic) }
                storage.messages[count] = entry.message
                count += 1
            }
            groups[number] = group
            for topic in group.lanes.indices {
                guard let lane = group.lanes[topic], lane.isPaused else { continue }
                if lane.count <= laneRecords / 2, lane.bytes <= Self.laneBytes / 2 { try resume(number, topic) }
            }
            if count == max { break }
        }
        // Whoever filled the batch is last the next time.
        if turn.count > 1 { turn.append(turn.removeFirst()) }
    }

    private func resume(_ number: Int32, _ topic: Int) throws(KafkaError) {
        guard groups[number]?.lanes[topic]?.isPaused ?? false else { return }
        groups[number]?.lanes[topic]?.isPaused = false
        try consumer.resume([TopicPartition(consumer.topics[topic], number)])
    }

    /// The topic whose head is handed on now, if any may be.
    private func next(_ group: Group, _ now: Int64) -> Int? {
        guard let topic = smallest(group) else { return nil }
        return (due(group, topic) ?? 0) <= now ? topic : nil
    }

    private func smallest(_ group: Group) -> Int? {
        var best: (topic: Int, time: Int64)?
        for topic in group.lanes.indices {
            guard let head = group.lanes[topic]?.first else { continue }
            if best.map({ head.time < $0.time }) ?? true { best = (topic, head.time) }
        }
        return best?.topic
    }

    /// When this head need not wait any more for the lanes that are empty; nil when none is.
    private func due(_ group: Group, _ topic: Int) -> Int64? {
        guard let head = group.lanes[topic]?.first else { return nil }
        var due: Int64?
        for lane in group.lanes {
            guard let lane, lane.count == 0 else { continue }
            let patience = lane.isAtEnd ? waitMilliseconds : behindMilliseconds
            due = Swift.max(due ?? .min, head.arrival + patience)
        }
        return due
    }

    /// Milliseconds until a head may go; nil when there is no head.
    private func nextDue(_ now: Int64) -> Int64? {
        var least: Int64?
        for group in groups.values {
            guard let topic = smallest(group) else { continue }
            least = min(least ?? .max, max(0, (due(group, topic) ?? now) - now))
        }
        return least
    }

    private static func now() -> Int64 { Int64(DispatchTime.now().uptimeNanoseconds / 1_000_000) }
}
