import CRdkafka
import Foundation
import Kafka

extension EventConsumer {
    /// Continues each partition at another place. What was fetched before is not delivered any more.
    ///
    /// A partition whose fetch has not begun yet cannot seek, and librdkafka may drop a seek that meets another change of
    /// the same partition: both are asked again, up to the timeout.
    /// - Throws: the partition that did not take the seek. Where it stands then is not known: assign anew.
    package func seek(
        _ offsets: [TopicPartition: StartOffset], timeoutMilliseconds: Int = 30_000
    ) throws(KafkaError) {
        let deadline = DispatchTime.now() + .milliseconds(timeoutMilliseconds)
        let patience = Int32(min(timeoutMilliseconds, 5_000))
        var left = offsets
        while !left.isEmpty {
            // A client that has ended takes no seek ever.
            if let fatal = handle.fatalError { throw fatal }
            let list = TopicPartitionList(capacity: left.count)
            for (partition, offset) in left { list.append(partition, offset: offset.rawOffset) }
            let work = "seeking \(Self.list(left.keys.sorted()))"
            let answer = KafkaError(
                consuming: rd_kafka_seek_partitions(handle.pointer, list.pointer, patience), doing: work)
            let isLate = DispatchTime.now() >= deadline
            if let answer, answer.code != RD_KAFKA_RESP_ERR__TIMED_OUT || isLate { throw answer }
            for element in list.elements {
                switch element.error {
                case RD_KAFKA_RESP_ERR_NO_ERROR:
                    left[element.partition] = nil
                case RD_KAFKA_RESP_ERR__STATE where !isLate, RD_KAFKA_RESP_ERR__IN_PROGRESS where !isLate,
                    RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS where !isLate:
                    break
                default:
                    throw KafkaError(
                        element.error,
                        "seeking \(element.partition): \(String(cString: rd_kafka_err2str(element.error)))")
                }
            }
            if !left.isEmpty { usleep(5_000) }
        }
    }

    /// Puts each owned partition back to what the group has committed, or to the reset policy's place: after an aborted
    /// transaction. `reset` = `error` without a commit is an error here too.
    package func seekToCommitted(timeoutMilliseconds: Int = 10_000) throws(KafkaError) {
        let owned = assignment.owned.sorted()
        if owned.isEmpty { return }
        let committed = try committed(owned, timeoutMilliseconds: timeoutMilliseconds)
        var places: [TopicPartition: StartOffset] = [:]
        for partition in owned {
            if let offset = committed[partition] {
                places[partition] = .offset(offset)
            } else {
                switch options.reset {
                case .earliest: places[partition] = .beginning
                case .latest: places[partition] = .end
                case .error:
                    throw KafkaError(RD_KAFKA_RESP_ERR__NO_OFFSET, "\(partition) has no committed offset")
                }
            }
        }
        try seek(places, timeoutMilliseconds: timeoutMilliseconds)
    }

    /// The next offsets that the group has committed; partitions without a commit are left out. Waits for open
    /// transactions on them to end (KIP-447).
    package func committed(
        _ partitions: [TopicPartition], timeoutMilliseconds: Int = 10_000
    ) throws(KafkaError) -> [TopicPartition: Int64] {
        try committedWithMetadata(partitions, timeoutMilliseconds: timeoutMilliseconds).mapValues(\.offset)
    }

    /// The same with the texts that the offsets bear.
    package func committedWithMetadata(
        _ partitions: [TopicPartition], timeoutMilliseconds: Int = 10_000
    ) throws(KafkaError) -> [TopicPartition: CommittedOffset] {
        if partitions.isEmpty { return [:] }
        let list = TopicPartitionList(partitions)
        try KafkaError.check(
            rd_kafka_committed(handle.pointer, list.pointer, Int32(timeoutMilliseconds)),
            doing: "reading the committed offsets of \(Self.list(partitions))")
        var offsets: [TopicPartition: CommittedOffset] = [:]
        for element in list.elements {
            try KafkaError.check(element.error, doing: "reading the committed offset of \(element.partition)")
            if element.offset >= 0 {
                offsets[element.partition] = CommittedOffset(element.offset, metadata: element.metadata)
            }
        }
        return offsets
    }

    /// The next offset that ``poll(max:timeoutMilliseconds:)`` will deliver, of partitions that have delivered anything.
    /// Control records count: after the last record before a transaction's marker it stands behind the marker.
    package func positions(_ partitions: [TopicPartition]) -> [TopicPartition: Int64] {
        let list = TopicPartitionList(partitions)
        rd_kafka_position(handle.pointer, list.pointer)
        var offsets: [TopicPartition: Int64] = [:]
        for element in list.elements where element.offset >= 0 { offsets[element.partition] = element.offset }
        return offsets
    }

    /// Commits outside a transaction, for at-least-once: each partition's last processed offset + 1. Waits for the answer.
    package func commit(_ offsets: [TopicPartition: Int64], timeoutMilliseconds: Int = 10_000) throws(KafkaError) {
        try commit(offsets.mapValues { CommittedOffset($0) }, timeoutMilliseconds: timeoutMilliseconds)
    }

    /// The same with the texts that the offsets bear.
    package func commit(
        _ offsets: [TopicPartition: CommittedOffset], timeoutMilliseconds: Int = 10_000
    ) throws(KafkaError) {
        if offsets.isEmpty { return }
        let client = handle.pointer
        let work = "committing the offsets of \(Self.list(offsets.keys.sorted()))"
        let list = TopicPartitionList(offsets)
        let queue = rd_kafka_queue_new(client)
        defer { rd_kafka_queue_destroy(queue) }
        try KafkaError.check(rd_kafka_commit_queue(client, list.pointer, queue, nil, nil), doing: work)
        guard let event = rd_kafka_queue_poll(queue, Int32(timeoutMilliseconds)) else {
            throw KafkaError(RD_KAFKA_RESP_ERR__TIMED_OUT, "\(work): no answer", isRetriable: true)
        }
        defer { rd_kafka_event_destroy(event) }
        let code = rd_kafka_event_error(event)
        if code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR__NO_OFFSET {
            throw KafkaError(code, "\(work): \(String(cString: rd_kafka_err2str(code)))")
        }
        for element in TopicPartitionList.elements(of: rd_kafka_event_topic_partition_list(event)) {
            try KafkaError.check(element.error, doing: "committing the offset of \(element.partition)")
        }
    }

    /// What the last fetches told of a partition's offsets, without asking the broker; nil before the first fetch. `high`
    /// is the last stable offset when reading committed records only.
    package func cachedWatermarks(_ partition: TopicPartition) -> Watermarks? {
        var low: Int64 = -1
        var high: Int64 = -1
        rd_kafka_get_watermark_offsets(handle.pointer, partition.topic, partition.partition, &low, &high)
        return high < 0 ? nil : Watermarks(low: max(0, low), high: high)
    }

    /// The partition's offsets, asked from its leader.
    package func watermarks(
        _ partition: TopicPartition, timeoutMilliseconds: Int = 10_000
    ) throws(KafkaError) -> Watermarks {
        var marks = Watermarks(low: 0, high: 0)
        try KafkaError.check(
            rd_kafka_query_watermark_offsets(
                handle.pointer, partition.topic, partition.partition, &marks.low, &marks.high,
                Int32(timeoutMilliseconds)),
            doing: "asking for the offsets of \(partition)")
        return marks
    }

    /// The partitions' ends, asked from their leaders all at once; `high` is what can be read. Partitions whose leader does
    /// not answer are left out.
    package func watermarks(
        _ partitions: [TopicPartition], timeoutMilliseconds: Int32
    ) -> [TopicPartition: Watermarks] {
        guard !partitions.isEmpty else { return [:] }
        let low = offsets(partitions, .beginning, timeoutMilliseconds)
        let high = offsets(partitions, .end, timeoutMilliseconds)
        return high.reduce(into: [:]) { marks, element in
            if let first = low[element.key] { marks[element.key] = Watermarks(low: first, high: element.value) }
        }
    }

    private func offsets(
        _ partitions: [TopicPartition], _ place: StartOffset, _ timeoutMilliseconds: Int32
    ) -> [TopicPartition: Int64] {
        let list = TopicPartitionList(capacity: partitions.count)
        for partition in partitions { list.append(partition, offset: place.rawOffset) }
        rd_kafka_offsets_for_times(handle.pointer, list.pointer, timeoutMilliseconds)
        return list.elements.reduce(into: [:]) { offsets, element in
            if element.error == RD_KAFKA_RESP_ERR_NO_ERROR, element.offset >= 0 {
                offsets[element.partition] = element.offset
            }
        }
    }

    /// Records from `position` (nil: from the first) to the partition's end, by the last fetch; nil before the first one.
    package func lag(of partition: TopicPartition, at position: Int64?) -> Int64? {
        guard let marks = cachedWatermarks(partition) else { return nil }
        return max(0, marks.high - (position ?? marks.low))
    }

    /// The group's generation and this member's identity, as of now: for the offsets of a transaction (KIP-447). Fetch it
    /// anew for each transaction; a kept one would let a zombie commit or fence the living.
    package func groupMetadata() throws(KafkaError) -> GroupMetadata {
        guard let pointer = rd_kafka_consumer_group_metadata(handle.pointer) else {
            throw KafkaError(RD_KAFKA_RESP_ERR__UNKNOWN_GROUP, "the consumer is in no group")
        }
        return GroupMetadata(consuming: pointer)
    }
}

/// Owns an `rd_kafka_consumer_group_metadata_t`.
package struct GroupMetadata: ~Copyable {
    package let pointer: OpaquePointer

    init(consuming pointer: OpaquePointer) { self.pointer = pointer }

    /// A group by its name alone, for offsets that no member commits: the group must have none.
    package init(group: String) { pointer = rd_kafka_consumer_group_metadata_new(group) }

    deinit { rd_kafka_consumer_group_metadata_destroy(pointer) }
}
